"""Hints that are too large, or contradict each other: one sentence, or one order that is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.archive import hints as hints_module
from pipeline.archive.hinting import decide
from pipeline.archive.hints import HintBook, entries_of, written_hints
from pipeline.archive.journal import Journal
from pipeline.ground.errors import SettingsError

if TYPE_CHECKING:
    from tests.archive.conftest import Archive


@pytest.mark.parametrize("where", ["source", "output"])
def test_a_file_of_100_mb_is_one_sentence_and_is_not_read(archive: Archive, where: str) -> None:
    archive.put("1.jpg")
    archive.run()
    archive.put("2.jpg")
    with (getattr(archive, where) / "hints.toml").open("wb") as file:
        file.truncate(100_000_000)  # a hole: it takes no room
    with pytest.raises(SettingsError, match=r"hints\.toml has 100 MB; 64 MB of hints are read at most\.$"):
        archive.run(hints=HintBook(written_hints(archive.output)))
    assert archive.statuses() == {"1.jpg": "done"}


def test_what_would_be_too_large_to_be_read_is_not_written(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    archive.put("1.jpg")
    archive.run()
    decide("1.jpg", "", {"rating": 3}, archive.output)
    before = (archive.output / "hints.toml").read_text()
    monkeypatch.setattr(hints_module, "_LARGEST", len(before) + 20)
    with pytest.raises(SettingsError, match="MB of hints are read at most"):
        decide("1.jpg", "", {"note": 30 * "x"}, archive.output)
    assert (archive.output / "hints.toml").read_text() == before


def test_of_a_path_and_a_sha256_that_name_one_picture_both_hold_and_the_sha256_goes_before(archive: Archive) -> None:
    archive.put("1.jpg")
    archive.run()
    with Journal(archive.output, read_only=True) as journal:
        row = journal.row("1.jpg")
    assert row is not None
    by_content = f'["sha256:{row.source_sha256}"]\nwarmth = 0.5\nsaturation = 0.5\n'
    by_path = '["1.jpg"]\nwarmth = -0.5\nquality = 80\n'
    for text in (by_content + by_path, by_path + by_content):
        book = HintBook(entries_of(text.encode(), "hints.toml"))
        archive.plan(hints=book)
        said = book.of("1.jpg")
        assert (said.warmth, said.saturation, said.quality) == (0.5, 0.5, 80)
        assert book.unused() == []

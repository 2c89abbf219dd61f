"""What a person says of single items."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.ground.errors import ExitCode, SettingsError
from pipeline.ground.items import Kind, Unit, Verb
from pipeline.ground.settings import Settings, fingerprint
from pipeline.media.medium import Job, Tools
from pipeline.run.on_color_list import read_list
from pipeline.run.report import summary_lines
from pipeline.run.summary import Summary


def test_a_list_has_a_word_and_an_item_on_each_line(tmp_path: Path) -> None:
    said = tmp_path / "said"
    said.write_bytes(
        "\ufeff# seen on Monday\r\n\r\nrecolor box 3/é 017.jpg\r\ncopy a.png\r\nskip  b.png \r\ncopy b.png".encode()
    )
    assert read_list(str(said)) == {"box 3/é 017.jpg": "recolor", "a.png": "copy", "b.png": "copy"}
    assert read_list("") == {}


@pytest.mark.parametrize("line", ["box 3/017.jpg", "recolour a.png", "recolor", "recolor ", "Copy a.png"])
def test_a_wrong_line_is_named(tmp_path: Path, line: str) -> None:
    said = tmp_path / "said"
    said.write_text(f"copy a.png\n{line}\n")
    with pytest.raises(SettingsError, match="line 2: write copy, skip or recolor, then the path"):
        read_list(str(said))


def test_a_list_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nothing cannot be read: no such file"):
        read_list(str(tmp_path / "nothing"))
    (tmp_path / "latin").write_bytes(b"copy \xe9.png")
    with pytest.raises(SettingsError, match="latin is not UTF-8"):
        read_list(str(tmp_path / "latin"))


@pytest.mark.parametrize("general", ["copy", "skip", "recolor"])
@pytest.mark.parametrize("word", ["", "copy", "skip", "recolor"])
@pytest.mark.parametrize("in_colour", [True, False])
def test_the_list_goes_before_setting_and_verdict(general: str, word: str, in_colour: bool) -> None:
    unit = Unit(Verb.MAKE, "a", Kind.PHOTO, Path("a"), "a", "a", on_color=word)
    job = Job(Settings(on_color=general), None, None, Path(), Path())  # type: ignore[arg-type]
    tools = Tools(job, None).wished(unit)  # type: ignore[arg-type]
    assert tools.settings.on_color == (word or general)
    kept = {"": in_colour and general != "recolor", "copy": True, "skip": True, "recolor": False}[word]
    assert tools.keeps(unit, in_colour=in_colour) == kept


def test_what_is_listed_has_a_fingerprint_of_its_own() -> None:
    by = {"model_sha256": "m", "engine": "e"}
    plain = fingerprint(Settings(), Kind.PHOTO, **by)
    others = {fingerprint(Settings(), Kind.PHOTO, listed=word, **by) for word in ("copy", "skip", "recolor")}
    assert len({plain, *others}) == 4
    assert fingerprint(Settings(on_color_list="l"), Kind.PHOTO, **by) == plain


def test_the_summary_names_doubtful_items_and_what_to_type() -> None:
    summary = Summary({"done": 9}, 9, 0, 1.0, "opencv/float32", 1, Path("colour"), ExitCode.OK, False)
    assert not any("doubtful" in line for line in summary_lines(summary))
    said = " ".join(summary_lines(replace(summary, doubtful=3)))
    assert "3 may have been taken for" in said
    assert "--on-color-list FILE" in said

"""The journal lost is not the archive lost; what nobody wants goes, what somebody changed stays."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.archive.database import journal_path
from pipeline.archive.hints import HintBook
from pipeline.archive.journal import Journal
from pipeline.archive.manifest import write_manifest
from pipeline.archive.prune import prunable, prune, reject
from pipeline.archive.recover import check_lost, keep_copy, keep_fuller_manifest, recover
from pipeline.archive.row import RECOVERED
from pipeline.ground.errors import InputError, OutputError
from tests.archive.test_outputs import edit, hashed
from tests.conftest import manifest

if TYPE_CHECKING:
    from tests.archive.conftest import Archive

__all__ = ["hashed"]


def finish(archive: Archive, *, copy: bool = False) -> None:
    for name in ("1.jpg", "a/2.jpg", "ä=3.jpg"):
        archive.put(name)
    archive.put("notes.txt", b"notes")
    archive.run()
    with Journal(archive.output) as journal:
        write_manifest(journal, archive.output)
        if copy:
            keep_copy(journal)


def lose(output: Path) -> None:
    for path in journal_path(output).parent.glob("journal.sqlite*"):
        path.unlink()


def test_finished_outputs_are_taken_back_from_the_manifest(hashed: Archive) -> None:
    finish(hashed)
    edited = edit(hashed.output / "1.jpg")
    lose(hashed.output)
    with pytest.raises(OutputError, match="`colorize recover"):
        check_lost(hashed.output)
    (hashed.output / "a/2.jpg").unlink()
    assert recover(hashed.output)[:4] == (0, 1, 1, 1)
    check_lost(hashed.output)
    hashed.made.clear()
    for _ in range(2):
        hashed.run()
        assert hashed.made == ["a/2.jpg"]
        assert (hashed.output / "1.jpg").read_bytes() == edited
        assert hashed.statuses()["1.jpg"] == "edited"
    assert hashed.counts(fingerprint="f2")["todo"] == 2, "they count as made by the run after"
    assert len(list((hashed.output / ".colorize").glob("manifest.*.csv"))) == 1


def test_what_nobody_knew_is_not_known_afterwards_either(hashed: Archive) -> None:
    hashed.put("1.jpg")
    hashed.run(hints=HintBook({"1.jpg": {"decision": "rejected"}}))
    with Journal(hashed.output) as journal:
        write_manifest(journal, hashed.output)
    before = manifest(hashed.output)["1.jpg"]
    lose(hashed.output)
    recover(hashed.output)
    after = manifest(hashed.output)["1.jpg"]
    assert {name: cell for name, cell in after.items() if before[name] != cell} == {"run_id": RECOVERED}


def test_an_edited_output_taken_back_is_made_anew_only_on_request(hashed: Archive) -> None:
    finish(hashed)
    edited = edit(hashed.output / "1.jpg", same_size=True)
    lose(hashed.output)
    recover(hashed.output)
    hashed.run(fingerprint="f2")
    assert (hashed.output / "1.jpg").read_bytes() == edited
    hashed.run(replace_edited=True)
    assert (hashed.output / "1.jpg").read_bytes() != edited
    assert hashed.statuses()["1.jpg"] == "done"


def test_a_manifest_that_knows_more_than_the_journal_is_kept(hashed: Archive) -> None:
    finish(hashed)
    with Journal(hashed.output) as journal:
        assert keep_fuller_manifest(journal, hashed.output) is None
        before = (hashed.output / "manifest.csv").read_bytes()
        journal.forget(["1.jpg"])
        kept = keep_fuller_manifest(journal, hashed.output)
    assert kept is not None
    assert kept.parent == hashed.output / ".colorize"
    assert kept.read_bytes() == before


@pytest.mark.parametrize("damage", [None, b"", b"rubbish " * 1000])
def test_the_copy_of_the_journal_is_put_back(hashed: Archive, damage: bytes | None) -> None:
    finish(hashed, copy=True)
    before = hashed.statuses()
    lose(hashed.output)
    if damage is not None:
        journal_path(hashed.output).write_bytes(damage)
    look = Journal if damage else check_lost
    with pytest.raises(OutputError, match="`colorize recover"):
        look(hashed.output)
    assert recover(hashed.output)[:4] == (4, 0, 0, 0)
    assert hashed.statuses() == before
    assert hashed.counts() == {"done": 3, "keep": 1}


def test_a_whole_journal_is_left_alone_and_nothing_is_made_of_nothing(hashed: Archive, tmp_path: Path) -> None:
    finish(hashed)
    with pytest.raises(OutputError, match="is whole"):
        recover(hashed.output)
    with pytest.raises(OutputError, match="neither a copy"):
        recover(tmp_path)


def test_prune_takes_outputs_of_gone_sources_and_leaves_what_was_changed(hashed: Archive) -> None:
    finish(hashed)
    edited = edit(hashed.output / "1.jpg")
    for name in ("1.jpg", "a/2.jpg"):
        (hashed.source / name).unlink()
    hashed.run()
    with Journal(hashed.output) as journal:
        journal.db.execute("UPDATE items SET status = 'gone' WHERE key = '1.jpg'")
    assert list(prunable(hashed.output)) == [("1.jpg", "1.jpg", "edited"), ("a/2.jpg", "a/2.jpg", "")]
    assert (hashed.output / "a" / "2.jpg").exists()
    assert prune(hashed.output) == (1, 1, [])
    assert not (hashed.output / "a").exists()
    assert (hashed.output / "1.jpg").read_bytes() == edited
    assert set(hashed.statuses()) == {"1.jpg", "ä=3.jpg", "notes.txt"}


def test_what_was_pruned_since_the_journal_was_copied_does_not_come_back(hashed: Archive) -> None:
    finish(hashed, copy=True)
    (hashed.source / "1.jpg").unlink()
    hashed.run()
    assert prune(hashed.output) == (1, 1, [])
    lose(hashed.output)
    recover(hashed.output)
    assert set(hashed.statuses()) == {"a/2.jpg", "ä=3.jpg", "notes.txt"}


def test_what_is_rejected_stays_away_until_it_is_wanted_again(hashed: Archive) -> None:
    finish(hashed)
    assert reject(hashed.output, [hashed.output / "1.jpg", Path("a/2.jpg")]).taken == ["1.jpg", "a/2.jpg"]
    assert not (hashed.output / "1.jpg").exists()
    hashed.made.clear()
    hashed.run(fingerprint="f2", accept_gone=True)
    assert hashed.made == ["ä=3.jpg"]
    reject(hashed.output, [Path("1.jpg")], undo=True)
    hashed.run(fingerprint="f2")
    assert hashed.statuses()["1.jpg"] == "done"
    assert hashed.statuses()["a/2.jpg"] == "rejected"
    with pytest.raises(InputError, match="no item"):
        reject(hashed.output, [Path("nobody.jpg")])


def test_a_source_is_known_whatever_way_leads_to_it(hashed: Archive, tmp_path: Path) -> None:
    finish(hashed)
    (tmp_path / "way").symlink_to(hashed.source)
    assert reject(hashed.output, [tmp_path / "way" / "a" / "2.jpg"]).taken == ["a/2.jpg"]


def test_what_was_rejected_stays_so_when_only_the_manifest_is_left(hashed: Archive) -> None:
    finish(hashed)
    reject(hashed.output, [hashed.output / "a/2.jpg"])
    lose(hashed.output)
    assert recover(hashed.output) == (0, 2, 0, 0, 1)
    hashed.made.clear()
    hashed.run()
    assert (hashed.made, hashed.statuses()["a/2.jpg"]) == ([], "rejected")
    reject(hashed.output, [Path("a/2.jpg")], undo=True)
    hashed.run()
    assert hashed.made == ["a/2.jpg"]


def test_what_was_rejected_since_the_journal_was_copied_stays_so(hashed: Archive) -> None:
    finish(hashed)
    with Journal(hashed.output) as journal:
        keep_copy(journal)
    reject(hashed.output, [Path("a/2.jpg"), Path("1.jpg")])
    reject(hashed.output, [Path("1.jpg")], undo=True)
    for path in (hashed.output / ".colorize").glob("journal.sqlite*"):
        path.unlink()
    found = recover(hashed.output)
    assert (found.from_manifest, found.rejected) == (0, 1)
    assert hashed.statuses()["a/2.jpg"] == "rejected"
    hashed.made.clear()
    hashed.run()
    assert hashed.made == ["1.jpg"]
    assert not (hashed.output / "a" / "2.jpg").exists()

"""Nothing under OUTPUT is followed that leads out of it, and no stored name does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.archive.database import journal_path
from pipeline.archive.journal import Journal, remove_superseded
from pipeline.ground import files, inside
from pipeline.ground.errors import ItemError, OutputError
from pipeline.ground.items import Filed
from pipeline.ground.settings import Settings
from pipeline.run import driver
from tests.conftest import write_archive

SETTINGS = Settings(engine="opencv", precision="float32", executor="serial")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def run(tmp_path: Path, **changes: object) -> object:
    from dataclasses import replace

    return driver.run_archive([tmp_path / "scans"], tmp_path / "colour", replace(SETTINGS, **changes), quiet=True)


@pytest.mark.parametrize("name", [
    ".colorize", "manifest.csv", ".colorize/tmp", ".colorize/parts", ".colorize/owner.json", ".colorize/journal.sqlite",
    ".colorize/journal.sqlite-wal", ".colorize/lock",
])  # fmt: skip
def test_an_own_file_that_is_a_link_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    write_archive(tmp_path / "scans", 1)
    (tmp_path / "scans" / "tmp").mkdir()
    (tmp_path / "scans" / "tmp" / "original.txt").write_text("dear to somebody")
    link = tmp_path / "colour" / name
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path / "scans" if name in (".colorize", ".colorize/tmp", ".colorize/parts")
                    else tmp_path / "scans" / "tmp" / "original.txt")  # fmt: skip
    before = contents(tmp_path / "scans")
    with pytest.raises(OutputError, match="is a symbolic link, and no link is written through") as caught:
        run(tmp_path)
    assert caught.value.exit_code == 5
    assert contents(tmp_path / "scans") == before
    assert [path for path in (tmp_path / "colour").rglob("*") if path.is_file() and not path.is_symlink()] == []


def test_a_folder_of_output_that_leads_into_input_has_no_original_overwritten(tmp_path: Path) -> None:
    write_archive(tmp_path / "scans", 2)
    run(tmp_path)
    before = contents(tmp_path / "scans")
    for folder in ("box 0", "box 1"):
        (tmp_path / "colour" / folder).rename(tmp_path / folder)
        (tmp_path / "colour" / folder).symlink_to(tmp_path / "scans" / folder)
    run(tmp_path, quality=60, format="png")
    run(tmp_path, quality=60)
    assert contents(tmp_path / "scans") == before


def test_an_output_that_is_a_link_to_an_original_leaves_it_as_it_is(tmp_path: Path) -> None:
    (path,) = write_archive(tmp_path / "scans", 1)
    run(tmp_path)
    made = tmp_path / "colour" / "box 0" / path.name
    made.unlink()
    made.symlink_to(path)
    before = contents(tmp_path / "scans")
    run(tmp_path, quality=60)
    assert contents(tmp_path / "scans") == before


def test_output_itself_may_be_a_link_to_another_disk(tmp_path: Path) -> None:
    write_archive(tmp_path / "scans", 1)
    (tmp_path / "disk").mkdir()
    (tmp_path / "colour").symlink_to(tmp_path / "disk")
    run(tmp_path)
    assert len(list((tmp_path / "disk").rglob("*.jpg"))) == 1


def test_a_link_that_appears_while_the_run_works_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "out" / "tmp").mkdir(parents=True)
    (tmp_path / "victims").mkdir()
    (tmp_path / "victims" / "1.jpg").write_bytes(b"original")
    (tmp_path / "out" / "box").symlink_to(tmp_path / "victims")
    room = files.Room(tmp_path / "out", tmp_path / "out" / "tmp")
    with pytest.raises(ItemError, match="a symbolic link is in the way"):
        files.publish(b"colour", "box/1.jpg", room)
    (tmp_path / "out" / "tmp").rmdir()
    (tmp_path / "out" / "tmp").symlink_to(tmp_path / "victims")
    with pytest.raises(ItemError, match="a symbolic link is in the way"):
        files.publish(b"colour", "1.jpg", room)
    assert contents(tmp_path / "victims") == {str(tmp_path / "victims" / "1.jpg"): b"original"}


@pytest.mark.parametrize("place", ["../victim.txt", "/etc/passwd", "a/../../victim.txt", "", "a//b", "a\0b", "."])
def test_a_stored_path_that_leads_out_is_never_used(tmp_path: Path, place: str) -> None:
    output = tmp_path / "out"
    (output / "tmp").mkdir(parents=True)
    (tmp_path / "victim.txt").write_text("dear")
    assert not inside.is_inside(place)
    for use in (inside.look, inside.read, inside.remove):
        with pytest.raises(OSError, match="leads out of the output"):
            use(output, place)
    with pytest.raises(ItemError, match="leads out of the output"):
        files.publish(b"x", place, files.Room(output, output / "tmp"))
    remove_superseded(Filed(place, 4, ""), output)
    assert (tmp_path / "victim.txt").read_text() == "dear"


def test_a_row_with_a_path_that_leads_out_has_nothing_deleted(tmp_path: Path) -> None:
    write_archive(tmp_path / "scans", 1)
    run(tmp_path)
    victim = tmp_path / "victim.txt"
    with Journal(tmp_path / "colour") as journal:
        row = next(journal.rows())
        victim.write_bytes(b"x" * row.output_size)
        journal.db.execute("UPDATE items SET output = '../victim.txt'")
    run(tmp_path)
    assert victim.exists()
    assert "../victim.txt" not in (tmp_path / "colour" / "manifest.csv").read_text()


def test_a_hard_link_as_own_note_is_replaced_not_written(tmp_path: Path) -> None:
    write_archive(tmp_path / "scans", 1)
    original = tmp_path / "scans" / "note.txt"
    original.write_text("dear")
    folder = journal_path(tmp_path / "colour").parent
    folder.mkdir(parents=True)
    os.link(original, folder / "owner.json")
    run(tmp_path)
    assert original.read_text() == "dear"

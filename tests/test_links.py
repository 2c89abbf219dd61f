"""Nothing under OUTPUT is followed that leads out of it, and no stored name does."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from pipeline.archive.database import journal_path
from pipeline.archive.journal import Journal, remove_superseded
from pipeline.ground import files, inside
from pipeline.ground.errors import ItemError, OutputError
from pipeline.ground.items import Filed
from pipeline.media.medium import lost_part
from pipeline.run import driver
from tests.conftest import TINY, Colorize, write_archive
from tests.conftest import TINY_SETTINGS as SETTINGS

pytestmark = pytest.mark.usefixtures("tiny_net")
TINY_RUN = ("--model", TINY, "--engine", "opencv", "--precision", "float32", "--executor", "serial")


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


@pytest.mark.parametrize("name", ["owner.json", "journal.sqlite", "lock", "journal.copy.sqlite", "../manifest.csv"])
@pytest.mark.parametrize("command", [
    ["status"], ["verify"], ["prune"], ["recover"], ["run", "{}/scans", *TINY_RUN, "-o"],
], ids=lambda words: words[0])  # fmt: skip
def test_an_own_file_that_is_a_pipe_is_not_waited_for(
    tmp_path: Path, colorize: Colorize, name: str, command: list[str]
) -> None:
    write_archive(tmp_path / "scans", 1)
    folder = tmp_path / "colour" / ".colorize"
    folder.mkdir(parents=True)
    os.mkfifo(folder / name)
    done = colorize(*[part.format(tmp_path) for part in command], tmp_path / "colour")
    assert done.returncode == 5
    assert "is a pipe or a device" in done.stderr
    assert "Traceback" not in done.stderr


PLACES = ["../victim.jpg", "{}/victim.jpg", "box 0/../../victim.jpg", "a\0b", "", "box 9/victim.jpg"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("where", ["output", "key"])
def test_every_command_leaves_a_stored_path_that_leads_out_alone(
    tmp_path: Path, colorize: Colorize, place: str, where: str
) -> None:
    """Of the journal and of the manifest, which a lost journal is made of; "box 9" is a link out of OUTPUT."""
    write_archive(tmp_path / "scans", 2)
    output = tmp_path / "colour"
    run(tmp_path)
    victim = tmp_path / "victim.jpg"
    place = place.format(tmp_path)
    with Journal(output) as journal:
        first = next(journal.rows())
        victim.write_bytes((output / first.output).read_bytes())
        (output / "box 9").symlink_to(tmp_path)
        os.utime(victim, ns=(first.output_mtime_ns, first.output_mtime_ns))
        journal.db.execute(f"UPDATE items SET {where} = ? WHERE key = ?", (place, first.key))
        journal.db.execute("UPDATE items SET status = 'gone' WHERE output = ?", (place,))
    before = contents(tmp_path / "scans") | {str(victim): victim.read_bytes()}
    for command in (["status", output], ["status", output, "--list", "gone"], ["verify", output], ["prune", output],
                    ["reject", output, output / "box 9" / "victim.jpg"],
                    ["run", tmp_path / "scans", "-o", output, *TINY_RUN]):  # fmt: skip
        done = colorize(*command)
        assert done.returncode != 1, done.stderr
        assert "Traceback" not in done.stderr
        assert before == contents(tmp_path / "scans") | {str(victim): victim.read_bytes()}


@pytest.mark.parametrize("place", ["parts/../../victim.jpg", "parts/linked/victim.jpg"])
def test_a_part_that_lies_elsewhere_is_lost_and_not_removed(tmp_path: Path, place: str) -> None:
    victim = tmp_path / "victim.jpg"
    victim.write_bytes(b"dear")
    (tmp_path / "out" / "parts").mkdir(parents=True)
    (tmp_path / "out" / "parts" / "linked").symlink_to(tmp_path)
    assert "was lost or changed" in str(lost_part(tmp_path / "out" / place, tmp_path / "out"))
    assert victim.read_bytes() == b"dear"


def test_recover_takes_no_output_that_lies_elsewhere(tmp_path: Path, colorize: Colorize) -> None:
    write_archive(tmp_path / "scans", 2)
    output = tmp_path / "colour"
    run(tmp_path)
    made = sorted(output.rglob("*.jpg"))
    (tmp_path / "victim.jpg").write_bytes(made[0].read_bytes())
    manifest = output / "manifest.csv"
    text = manifest.read_text().replace(f"{made[0].parent.name}/{made[0].name}", "../victim.jpg")
    manifest.write_text(text)
    for name in ("journal.sqlite", "journal.copy.sqlite"):
        (output / ".colorize" / name).unlink()
    done = colorize("recover", output)
    assert done.returncode == 0, done.stderr
    with Journal(output, read_only=True) as journal:
        assert [row.output for row in journal.rows()] == [str(made[1].relative_to(output))]


def test_output_that_is_a_link_is_followed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pointed at INPUT while the run works, it has nothing written there."""
    write_archive(tmp_path / "scans", 3)
    (tmp_path / "disk").mkdir()
    (tmp_path / "colour").symlink_to(tmp_path / "disk")
    before = contents(tmp_path / "scans")
    begin = driver.begin

    def repoint(*arguments: object, **rest: object) -> object:
        todo = begin(*arguments, **rest)  # type: ignore[arg-type]
        (tmp_path / "colour").unlink()
        (tmp_path / "colour").symlink_to(tmp_path / "scans")
        return todo

    monkeypatch.setattr(driver, "begin", repoint)
    run(tmp_path)
    assert contents(tmp_path / "scans") == before
    assert len(list((tmp_path / "disk").rglob("*.jpg"))) == 3
    assert (tmp_path / "disk" / "manifest.csv").exists()


@pytest.mark.parametrize("name", ["journal.sqlite", "journal.sqlite-wal"])
def test_a_folder_of_own_files_that_is_exchanged_while_the_journal_is_opened_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """SQLite goes by names: it opens what has the name by then, or has it again."""
    write_archive(tmp_path / "scans", 1)
    run(tmp_path)
    own, elsewhere, connect = tmp_path / "colour" / ".colorize", tmp_path / "elsewhere", sqlite3.connect

    def exchanged(path: object, **more: object) -> sqlite3.Connection:
        if path != journal_path(tmp_path / "colour"):
            return connect(path, **more)  # type: ignore[call-overload, no-any-return]
        if name.endswith("wal"):
            opened: sqlite3.Connection = connect(path, **more)  # type: ignore[call-overload]
            own.rename(elsewhere)
            own.mkdir()
            (own / "journal.sqlite").touch()
            return opened
        shutil.copytree(own, elsewhere)
        own.rename(tmp_path / "kept")
        own.symlink_to(elsewhere)
        opened = connect(path, **more)  # type: ignore[call-overload]
        own.unlink()
        (tmp_path / "kept").rename(own)
        return opened

    monkeypatch.setattr(sqlite3, "connect", exchanged)
    with pytest.raises(OutputError, match="was exchanged while the journal was opened"):
        run(tmp_path, quality=60)


@pytest.mark.parametrize("executor", ["serial", "loky"])
def test_another_folder_in_the_place_of_output_has_nothing_written_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, executor: str
) -> None:
    write_archive(tmp_path / "scans", 3)
    shutil.copytree(tmp_path / "scans", tmp_path / "victim")
    before, publish = contents(tmp_path / "scans") | contents(tmp_path / "victim"), driver.Collector.collect

    def exchanged(self: driver.Collector, *arguments: Any) -> object:
        (tmp_path / "colour").rename(tmp_path / "kept")
        shutil.copytree(tmp_path / "kept" / ".colorize", tmp_path / "victim" / ".colorize")
        (tmp_path / "colour").symlink_to(tmp_path / "victim")
        return publish(self, *arguments)

    monkeypatch.setattr(driver.Collector, "collect", exchanged)
    with pytest.raises(OutputError, match="another folder has taken its place"):
        run(tmp_path, executor=executor, jobs=1)
    shutil.rmtree(tmp_path / "victim" / ".colorize")
    assert contents(tmp_path / "scans") | contents(tmp_path / "victim") == before


def test_a_folder_is_let_go_when_nobody_holds_it_any_more(tmp_path: Path) -> None:
    root = tmp_path / "out"
    root.mkdir()
    with inside.pinned(root), inside.pinned(root):
        with inside.opened(root, "box", make=True):
            assert (root / "box").is_dir()
        root.rename(tmp_path / "old")
        root.mkdir()
        with pytest.raises(OSError, match="another folder has taken its place"):
            inside.look(root, "box")
    with inside.opened(root, "box", make=True):
        assert (root / "box").is_dir()

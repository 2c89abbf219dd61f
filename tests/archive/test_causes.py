"""What is decided hangs on causes that the journal keeps; what older versions said in sentences gets them."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.archive.hints import HintBook
from pipeline.archive.journal import Journal
from pipeline.archive.manifest import write_manifest
from pipeline.archive.prune import drop_rejected, reject
from pipeline.archive.recover import recover
from pipeline.archive.schema import APPLICATION_ID, MIGRATIONS
from pipeline.ground.errors import Cause
from pipeline.ground.items import Filed, Kind, Result, Seen, Status
from tests.archive.test_outputs import edit, hashed
from tests.archive.test_recover import lose
from tests.conftest import row

if TYPE_CHECKING:
    from tests.archive.conftest import Archive

__all__ = ["hashed"]

OF_VERSION_5 = (
    "key, status, reason, output, verdict, chroma, width, height, bits, frames, model, engine, seconds, source_size, "
    "source_mtime_ns, source_sha256, output_size, output_sha256, metadata, kind, fingerprint, finished_at, run_id, "
    "attempts, cause, hints_sha256, output_mtime_ns, was, was_reason, doubt"
)
BY_HINT = "not wanted, by a hint"
BY_COMMAND = "not wanted, by `colorize reject`"
DOUBT = "taken for black-and-white (doubtful)"


def old_journal(output: Path, *rows: tuple[str, str, str, str, str, str]) -> None:
    """Write a journal of version 5: key, status, reason, cause, was and was_reason of each row."""
    folder = output / ".colorize"
    folder.mkdir(parents=True)
    db = sqlite3.connect(folder / "journal.sqlite", isolation_level=None)
    for step in MIGRATIONS[:5]:
        db.executescript(step)
    db.executescript(f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 5;")
    names = OF_VERSION_5.split(", ")
    texts = {name for name, kind in db.execute("SELECT name, type FROM pragma_table_info('items')") if kind == "TEXT"}
    for key, status, reason, cause, was, was_reason in rows:
        told = {"key": key, "status": status, "reason": reason, "cause": cause, "was": was, "was_reason": was_reason}
        values = [told.get(name, "photo" if name == "kind" else "" if name in texts else 0) for name in names]
        db.execute(f"INSERT INTO items ({OF_VERSION_5}) VALUES ({','.join('?' * len(names))})", values)
    db.close()


def test_what_was_said_in_sentences_has_its_cause(tmp_path: Path) -> None:
    old_journal(
        tmp_path,
        ("1.jpg", "rejected", BY_HINT, "", "done", DOUBT),
        ("2.jpg", "rejected", BY_COMMAND, "in colour", "copied", "already in colour"),
        ("3.jpg", "edited", "changed by somebody", "in colour", "copied", "already in colour (doubtful)"),
        ("4.jpg", "gone", "its source is no longer there", "same", "done", "same as 5.jpg"),
        ("5.jpg", "done", DOUBT, "", "", ""),
        ("6.jpg", "rejected", BY_HINT, "", "", ""),
        ("7.jpg", "failed", "truncated", "damaged", "", ""),
    )
    with Journal(tmp_path) as journal:
        found = {each.key: (each.cause, each.was_cause, each.unsure) for each in journal.rows()}
        assert journal.doubtful() == 1, "of what stands in OUTPUT, and no person has decided"
    assert found == {
        "1.jpg": ("by hint", "", 1),
        "2.jpg": ("", "in colour", 0),
        "3.jpg": ("", "in colour", 1),
        "4.jpg": ("", "same", 0),
        "5.jpg": ("", "", 1),
        "6.jpg": ("by hint", "", 0),
        "7.jpg": ("damaged", "", 0),
    }


def test_a_hint_that_went_brings_back_what_it_rejected_and_nothing_else(archive: Archive) -> None:
    for name in ("1.jpg", "2.jpg"):
        archive.put(name)
    old_journal(
        archive.output,
        ("1.jpg", "rejected", BY_HINT, "", "done", ""),
        ("2.jpg", "rejected", BY_COMMAND, "", "done", ""),
    )
    assert archive.why(hints=HintBook({"1.jpg": {"decision": "rejected"}})) == {
        "1.jpg": ("keep", f"rejected: {BY_HINT}"),
        "2.jpg": ("keep", f"rejected: {BY_COMMAND}"),
    }
    assert {key: action for key, (action, _) in archive.why().items()} == {"1.jpg": "todo", "2.jpg": "keep"}


def test_what_a_person_makes_of_a_copy_does_not_lose_why_it_was_copied(hashed: Archive) -> None:
    source = hashed.put("1.jpg")
    filed = Filed("1.jpg", 6, hashlib.sha256(b"colour").hexdigest())
    (hashed.output / ".colorize").mkdir(parents=True)
    (hashed.output / "1.jpg").write_bytes(b"colour")
    found = source.stat()
    seen = Seen(source_size=found.st_size, source_mtime_ns=found.st_mtime_ns, unsure=True)
    made = Result("1.jpg", Status.COPIED, Cause.IN_COLOUR, "already in colour (doubtful)", filed=filed, seen=seen)
    with Journal(hashed.output) as journal:
        journal.record(made, kind=Kind.PHOTO, fingerprint="f1", run_id="r")
        assert journal.doubtful() == 1
        journal.mark("1.jpg", Status.EDITED, "changed by somebody")
        edited = journal.row("1.jpg")
        assert journal.doubtful() == 0
        journal.unmark("1.jpg")
        again = journal.row("1.jpg")
        assert journal.doubtful() == 1
    assert edited is not None
    assert (edited.cause, edited.made_cause, edited.made_reason) == ("", "in colour", "already in colour (doubtful)")
    assert again is not None
    assert (again.status, again.cause, again.made_cause) == ("copied", "in colour", "in colour")


def test_a_rejection_by_hint_is_known_as_one_when_only_the_manifest_is_left(hashed: Archive) -> None:
    hashed.put("1.jpg")
    hashed.put("2.jpg")
    hashed.run()
    book = HintBook({"1.jpg": {"decision": "rejected"}})
    hashed.run(hints=book)
    reject(hashed.output, [Path("2.jpg")])
    with Journal(hashed.output) as journal:
        drop_rejected(journal)
        write_manifest(journal, hashed.output)
    assert not (hashed.output / "1.jpg").exists()
    lose(hashed.output)
    recover(hashed.output)
    assert (row(hashed.output, "1.jpg").cause, row(hashed.output, "2.jpg").cause) == (Cause.BY_HINT, "")
    hashed.made.clear()
    hashed.run(hints=HintBook({"1.jpg": {"decision": "rejected"}}))
    assert hashed.made == []
    hashed.run()
    assert hashed.made == ["1.jpg"]


def test_what_hints_reject_goes_unless_somebody_has_changed_it(hashed: Archive) -> None:
    for name in ("1.jpg", "2.jpg", "3.jpg"):
        hashed.put(name)
    hashed.run()
    kept = edit(hashed.output / "2.jpg")
    hashed.run(hints=HintBook({name: {"decision": "rejected"} for name in ("1.jpg", "2.jpg")}))
    with Journal(hashed.output) as journal:
        journal.mark("3.jpg", Status.REJECTED, BY_HINT)  # the sentence alone decides nothing
        drop_rejected(journal)
    assert not (hashed.output / "1.jpg").exists()
    assert (hashed.output / "2.jpg").read_bytes() == kept
    assert (hashed.output / "3.jpg").exists()

"""An archive that colorize 0.1 began goes on: nothing is done again that need not be, and what was left is taken up."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import pytest

from pipeline.archive.database import journal_path
from pipeline.archive.decision import Action
from pipeline.archive.journal import Journal
from pipeline.archive.schema import MIGRATIONS
from pipeline.archive.status import read_status
from pipeline.ground.items import Kind
from pipeline.ground.settings import Settings, fingerprint_v1
from pipeline.nets.resolve import resolve
from pipeline.run import driver
from tests.conftest import in_colour, landscape, pages_of, write_tiff

# As colorize 0.1 made it, to the letter.
SCHEMA = """
    CREATE TABLE items (
        key TEXT PRIMARY KEY, status TEXT NOT NULL, reason TEXT NOT NULL, output TEXT NOT NULL, verdict TEXT NOT NULL,
        chroma REAL, width INTEGER NOT NULL, height INTEGER NOT NULL, bits INTEGER NOT NULL, frames INTEGER NOT NULL,
        model TEXT NOT NULL, engine TEXT NOT NULL, seconds REAL NOT NULL, source_size INTEGER NOT NULL,
        source_mtime_ns INTEGER NOT NULL, source_sha256 TEXT NOT NULL, output_size INTEGER NOT NULL,
        output_sha256 TEXT NOT NULL, metadata TEXT NOT NULL, kind TEXT NOT NULL, fingerprint TEXT NOT NULL,
        finished_at TEXT NOT NULL, run_id TEXT NOT NULL, attempts INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX items_output ON items (output) WHERE output != '';
    CREATE TABLE claims (
        key TEXT PRIMARY KEY, output TEXT NOT NULL, copy_output TEXT NOT NULL, run_id TEXT NOT NULL,
        pending INTEGER NOT NULL, source_size INTEGER NOT NULL, source_mtime_ns INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX claims_output ON claims (output) WHERE output != '';
    CREATE INDEX claims_copy_output ON claims (copy_output) WHERE copy_output != '';
    CREATE TABLE runs (
        run_id TEXT PRIMARY KEY, started_at TEXT NOT NULL, finished_at TEXT NOT NULL, inputs TEXT NOT NULL,
        settings TEXT NOT NULL, fingerprint TEXT NOT NULL, host TEXT NOT NULL, pid INTEGER NOT NULL,
        version TEXT NOT NULL, exit_code INTEGER, planned INTEGER NOT NULL
    );
    PRAGMA application_id = 0x436F6C72;
    PRAGMA user_version = 1;
"""
# What 0.1 did: its outputs are still as these settings make them.
TUTORIAL = {"lightness": "lab", "format": "jpg", "palette": "plain", "provenance": False}
SETTINGS = Settings(engine="opencv", precision="float32", executor="serial", **TUTORIAL)  # type: ignore[arg-type]


MADE_BY_1 = hashlib.sha256(b"made by colorize 0.1").hexdigest()


class Old:
    """INPUT and OUTPUT as a run of colorize 0.1 left them."""

    def __init__(self, folder: Path, settings: Settings = SETTINGS) -> None:
        self.source, self.output = folder / "scans", folder / "colour"
        self.source.mkdir()
        path = journal_path(self.output)
        path.parent.mkdir(parents=True)
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.executescript(SCHEMA)
        self.fingerprint = fingerprint_v1(settings, model_sha256=resolve("embedded").sha256, engine="opencv/float32")
        kept = {name: value for name, value in asdict(settings).items() if name != "pages"}
        values = json.dumps(kept | {"upsample": "bilinear", "gamut": "clip"})
        inputs = json.dumps([str(self.source.resolve())])
        run = ("old", "2025-01-01T00:00:00.000+00:00", "2025-01-01T01:00:00.000+00:00", inputs, values)
        self.db.execute(
            "INSERT INTO runs VALUES (?,?,?,?,?,?,?,?,?,?,?)", (*run, self.fingerprint, "host", 1, "0.1", 3, 9)
        )

    def photograph(self, name: str, seed: int = 1) -> Path:
        path = self.source / name
        cv2.imwrite(str(path), landscape(seed))
        return path

    def row(
        self, path: Path, status: str, output: str = "", reason: str = "", kind: str = "photo", **rest: str
    ) -> None:
        found, size = path.stat(), 0
        if output:
            (self.output / output).write_bytes(b"made by colorize 0.1")
            size = len(b"made by colorize 0.1")
        made = status == "done"
        self.db.execute(
            f"INSERT INTO items VALUES ({','.join('?' * 24)})",
            (
                path.name, status, reason, output, rest.get("verdict", "neutral"), 0.5, 80, 60, 8, 0,
                "embedded-v3" if made else "", "opencv/float32" if made else "", 0.25, found.st_size,
                found.st_mtime_ns, "aa", size, MADE_BY_1, "", kind, self.fingerprint, "2025-01-01T00:30:00.000+00:00",
                "old", 1,
            ),
        )  # fmt: skip
        if output:
            self.db.execute("INSERT INTO claims VALUES (?,?,'','old',0,0,0)", (path.name, output))

    def waits(self, path: Path, output: str) -> None:
        found = path.stat()
        values = (path.name, output, path.name, "old", 1, found.st_size, found.st_mtime_ns)
        self.db.execute("INSERT INTO claims VALUES (?,?,?,?,?,?,?)", values)

    def run(self, settings: Settings = SETTINGS) -> set[str]:
        """Run this version; return the keys of what was worked on."""
        self.db.close()
        driver.run_archive([self.source], self.output, settings, quiet=True)
        with Journal(self.output, read_only=True) as journal:
            return {row.key for row in journal.rows() if row.run_id != "old" and row.seconds > 0}

    def rows(self) -> dict[str, tuple[str, str, str]]:
        """Status, cause and kind by key."""
        with Journal(self.output, read_only=True) as journal:
            return {row.key: (row.status, row.cause, row.kind) for row in journal.rows()}


@pytest.fixture
def old(tmp_path: Path) -> Old:
    return Old(tmp_path)


def test_what_was_finished_is_not_done_again(old: Old) -> None:
    for number in range(3):
        old.row(old.photograph(f"{number}.png", number), "done", f"{number}.jpg")
    parrot = old.source / "parrot.png"
    cv2.imwrite(str(parrot), in_colour())
    old.row(parrot, "copied", "parrot.png", "already in colour", verdict="color")
    before = {path.name: path.stat().st_mtime_ns for path in old.output.iterdir() if path.is_file()}
    assert old.run() == set()
    assert {name: (old.output / name).stat().st_mtime_ns for name in before} == before
    assert old.rows() == {
        "0.png": ("done", "", "photo"),
        "1.png": ("done", "", "photo"),
        "2.png": ("done", "", "photo"),
        "parrot.png": ("copied", "in colour", "photo"),
    }
    assert len((old.output / "manifest.csv").read_text().splitlines()) == 5


def test_an_output_of_the_second_version_is_taken_up_and_edits_are_seen_from_then_on(old: Old) -> None:
    for number in range(2):
        old.row(old.photograph(f"{number}.png", number), "done", f"{number}.jpg")
    old.db.executescript(f"{MIGRATIONS[1]} PRAGMA user_version = 2;")
    assert old.run() == set()
    assert {row[0] for row in old.rows().values()} == {"done"}
    (old.output / "1.jpg").write_bytes(b"Made by colorize 0.1")
    os.utime(old.output / "1.jpg", ns=(1, 1))
    assert old.run(replace(SETTINGS, quality=80)) == {"0.png"}
    assert old.rows()["1.png"][0] == "edited"
    assert (old.output / "1.jpg").read_bytes() == b"Made by colorize 0.1"


def test_what_was_waiting_is_done(old: Old) -> None:
    old.row(old.photograph("1.png"), "done", "1.jpg")
    old.waits(old.photograph("2.png"), "2.jpg")
    assert old.run() == {"2.png"}


def test_other_settings_do_all_again_and_the_old_ones_nothing(old: Old) -> None:
    old.row(old.photograph("1.png"), "done", "1.jpg")
    assert old.run(replace(SETTINGS, quality=80)) == {"1.png"}
    assert (old.output / "1.jpg").read_bytes() != b"made by colorize 0.1"


def test_of_a_file_whose_first_page_was_done_all_pages_are_done(old: Old) -> None:
    path = write_tiff(old.source / "letter.tif", landscape(1), landscape(2), landscape(3))
    old.row(path, "done", "letter.jpg", "first of 3 pages")
    assert old.run() == {"letter.tif"}
    assert old.rows()["letter.tif"] == ("done", "", "pages")
    assert len(pages_of(old.output / "letter.tif")) == 3
    assert not (old.output / "letter.jpg").exists()


@pytest.mark.parametrize("status", ["copied", "crashed"])
def test_several_pages_that_were_taken_for_one_are_all_done_when_they_are_done_anew(old: Old, status: str) -> None:
    pages = [in_colour()[:, :, ::-1]] * 2 if status == "copied" else [landscape(1), landscape(2)]
    path = write_tiff(old.source / "letter.tif", *pages)
    old.row(path, status, "letter.tif" if status == "copied" else "", verdict="color")
    anew = {"copied": {"on_color": "recolor"}, "crashed": {"retry_failed": True}}[status]
    assert old.run() == set()
    assert old.run(replace(SETTINGS, **anew)) == {"letter.tif"}
    assert old.rows()["letter.tif"] == ("done", "", "pages")
    assert len(pages_of(old.output / "letter.tif")) == 2


def test_a_single_tiff_is_a_photograph_still(old: Old) -> None:
    old.row(write_tiff(old.source / "1.tif", landscape(1)), "done", "1.jpg")
    assert old.run() == set()


NO_FILMS = "a film: this version colorizes photographs only"  # what 0.1 said


def test_films_are_taken_up_by_a_version_that_can(old: Old) -> None:
    reel = old.source / "reel.mp4"
    reel.write_bytes(b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41" + b"\0" * 64)
    old.row(reel, "unsupported", reason=NO_FILMS, kind="film")
    old.db.close()
    (decision,) = _plan(old, frozenset({Kind.PHOTO}))
    assert decision.action in (Action.KEEP, Action.RECORD)
    (decision,) = _plan(old, frozenset({Kind.PHOTO, Kind.FILM}))
    assert decision.action is Action.TODO
    with Journal(old.output) as journal:
        row = journal.row("reel.mp4")
        assert row is not None
        assert row.cause == "not supported"


def _plan(old: Old, workable: frozenset[Kind]) -> list:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(driver, "WORKABLE", workable)
        return list(driver.list_archive([old.source], old.output, SETTINGS))


CAUSES = [
    ("failed", "a file that this program did not write is in the way: 1.jpg", "in the way"),
    ("failed", "a folder is in the way: 1.jpg", "in the way"),
    ("failed", "too large: 30000 x 30000 is 900 megapixels; raise max_megapixels (now 500) to colorize it",
     "too large"),
    ("failed", "too large for webp: 20000 x 1, and its longest side is 16383 pixels; choose format png or tif",
     "format limit"),
    ("failed", "cannot be encoded as webp: it is odd", "format limit"),
    ("failed", "it cannot be read: permission denied", "system"),
    ("failed", "permission denied", "system"),
    ("failed", "no permission to read the file", "system"),
    ("failed", "reading failed: Input/output error", "system"),
    ("failed", "cannot be written: its path is too long", "system"),
    ("failed", "cannot be written: a file or folder of the same name is in the way", "in the way"),
    ("failed", "not enough memory for a picture of this size; try fewer --jobs", "memory"),
    ("failed", "not enough memory to decode this picture", "memory"),
    ("failed", "a fault of the program: ValueError: no", "fault"),
    ("failed", "HEIC is not supported; save it as JPEG or TIFF", "not supported"),
    ("failed", "damaged, or a kind of TIFF that is not supported; save it as 8- or 16-bit grey or RGB",
     "not supported"),
    ("failed", "truncated: the file ends before the picture does", "damaged"),
    ("failed", "damaged: a PNG whose header cannot be read", "damaged"),
    ("failed", "empty file", "damaged"),
    ("crashed", "its worker process died twice on this item (a crash of a decoder, or out of memory)", "crash"),
    ("skipped", "already in colour", "in colour"),
    ("done", "", ""),
]  # fmt: skip


@pytest.mark.parametrize(("status", "reason", "cause"), CAUSES)
def test_every_sentence_of_before_has_its_cause(old: Old, status: str, reason: str, cause: str) -> None:
    old.row(old.photograph("1.png"), status, reason=reason, verdict="color" if status == "skipped" else "neutral")
    old.db.close()
    Journal(old.output).close()
    assert old.rows()["1.png"] == (status, cause, "photo")


def test_what_was_no_picture_has_its_cause(old: Old) -> None:
    notes = old.source / "notes.txt"
    notes.write_text("notes")
    old.row(notes, "unsupported", reason="not a picture or film", kind="other")
    old.db.close()
    Journal(old.output).close()
    assert old.rows()["notes.txt"] == ("unsupported", "no picture", "other")


def test_what_may_have_passed_since_or_a_newer_version_can_do_is_tried_again(old: Old) -> None:
    old.row(old.photograph("denied.png"), "failed", reason="permission denied")
    old.row(old.photograph("fault.png"), "failed", reason="a fault of the program: ValueError: no")
    old.row(old.photograph("format.png"), "failed", reason="lossless JPEG is not supported; save it as TIFF")
    old.row(old.photograph("torn.png"), "failed", reason="truncated: the file ends before the picture does")
    large = "too large: 80 x 60 is 900 megapixels; raise max_megapixels (now 500) to colorize it"
    old.row(old.photograph("large.png"), "failed", reason=large)
    assert old.run() == {"denied.png", "fault.png", "format.png"}
    assert old.rows()["torn.png"] == ("failed", "damaged", "photo")
    assert old.rows()["large.png"] == ("failed", "too large", "photo")


def test_a_reader_leaves_the_old_file_as_it_is(old: Old) -> None:
    old.row(old.photograph("1.png"), "done", "1.jpg")
    old.waits(old.photograph("2.png"), "2.jpg")
    old.db.close()
    before = journal_path(old.output).read_bytes()
    status = read_status(old.output)
    assert (status.counts, status.left) == ({"done": 1}, 1)
    assert {str(decision.action) for decision in driver.list_archive([old.source], old.output, SETTINGS)} == {
        "done",
        "todo",
    }
    assert journal_path(old.output).read_bytes() == before


def test_the_first_step_of_the_migrations_is_what_colorize_0_1_made(tmp_path: Path) -> None:
    def columns(script: str) -> list[tuple[str, list[tuple[str, str]]]]:
        with sqlite3.connect(":memory:") as db:
            db.executescript(script)
            tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master ORDER BY name")]
            return [(name, [(row[1], row[2]) for row in db.execute(f"PRAGMA table_xinfo({name})")]) for name in tables]

    assert columns(MIGRATIONS[0]) == columns(SCHEMA)

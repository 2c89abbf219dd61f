"""Finished pieces of unfinished items: what is kept of them, and when it is swept away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.archive.journal import Journal
from pipeline.archive.pieces import Begun, Pieces, parts_place
from pipeline.archive.schema import Claim
from pipeline.ground.items import Filed, Kind, Part, Result, Seen, Span, Status, Unit, Verb

SPANS = tuple(Span(number, 2 * number, 2 * number + 1) for number in range(3))


def scan(key: str = "a.tif") -> Unit:
    return Unit(Verb.SCAN, key, Kind.PAGES, Path(key), key, key, 5, 7, parts_place(key))


def piece(number: int, key: str = "a.tif") -> Unit:
    return replace(scan(key), verb=Verb.PIECE, span=SPANS[number])


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path) as journal:
        yield journal


@pytest.fixture
def pieces(journal: Journal) -> Pieces:
    return Pieces(journal)


def scanned(pieces: Pieces, key: str = "a.tif", filed: Filed | None = None) -> None:
    result = Result(key, Status.DONE, spans=SPANS, seconds=0.5, filed=filed)
    assert pieces.scanned(scan(key), result, "f") == Begun(SPANS, (), filed, 0.5)


def finish(pieces: Pieces, journal: Journal, number: int, key: str = "a.tif", status: Status = Status.DONE) -> Result:
    """Do a piece: its part holds as many bytes as its number and one."""
    place = f"{parts_place(key)}/{number:06d}.tif"
    path = journal.output / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * (number + 1))
    seen = Seen(verdict="toned", chroma=2.5, width=number)
    result = Result(key, status, filed=Filed(place, number + 1, f"hash {number}"), seen=seen, seconds=0.25)
    assert result.filed is not None
    made = pieces.finished(piece(number, key), result, "f")
    assert made == Part(SPANS[number], status, result.filed, seen, 0.25)
    return result


def attempts(journal: Journal) -> dict[int, int]:
    return dict(journal.db.execute("SELECT number, attempts FROM pieces"))


def test_what_nobody_scanned_has_not_begun(pieces: Pieces) -> None:
    assert pieces.begun(scan(), "f") is None


def test_spans_and_finished_parts_come_back_whole(pieces: Pieces, journal: Journal) -> None:
    scanned(pieces)
    done, kept = finish(pieces, journal, 2), finish(pieces, journal, 0, status=Status.COPIED)
    begun = pieces.begun(scan(), "f")
    assert begun is not None
    assert begun.spans == SPANS
    assert (begun.seconds, begun.scan) == (0.5, None)
    assert [(each.span, each.status, each.filed, each.seen, each.seconds) for each in begun.parts] == [
        (SPANS[0], Status.COPIED, kept.filed, kept.seen, 0.25),
        (SPANS[2], Status.DONE, done.filed, done.seen, 0.25),
    ]
    assert attempts(journal) == {-1: 1, 0: 1, 1: 0, 2: 1}


def test_a_piece_done_again_is_counted(pieces: Pieces, journal: Journal) -> None:
    scanned(pieces)
    finish(pieces, journal, 1)
    finish(pieces, journal, 1)
    assert attempts(journal)[1] == 2


def test_a_part_that_is_gone_or_of_another_size_is_missing(pieces: Pieces, journal: Journal) -> None:
    scanned(pieces)
    for number in range(3):
        finish(pieces, journal, number)
    folder = journal.output / parts_place("a.tif")
    (folder / "000000.tif").unlink()
    (folder / "000001.tif").write_bytes(b"torn")
    begun = pieces.begun(scan(), "f")
    assert begun is not None
    assert [each.span.number for each in begun.parts] == [2]


@pytest.mark.parametrize(
    ("unit", "fingerprint"),
    [(replace(scan(), size=6), "f"), (replace(scan(), mtime_ns=8), "f"), (scan(), "g")],
    ids=["size", "time", "settings"],
)
def test_another_source_or_other_settings_begin_anew_and_leave_nothing(
    pieces: Pieces, journal: Journal, unit: Unit, fingerprint: str
) -> None:
    scanned(pieces)
    finish(pieces, journal, 0)
    assert pieces.begun(unit, fingerprint) is None
    assert attempts(journal) == {}
    assert not (journal.output / parts_place("a.tif")).exists()
    assert pieces.begun(scan(), "f") is None


def test_pieces_of_two_marks_are_not_mixed(pieces: Pieces, journal: Journal) -> None:
    scanned(pieces)
    finish(pieces, journal, 0)
    journal.db.execute("UPDATE pieces SET fingerprint = 'other' WHERE number = 1")
    assert pieces.begun(scan(), "f") is None


def test_rows_without_a_scan_are_worth_nothing(pieces: Pieces, journal: Journal) -> None:
    scanned(pieces)
    journal.db.execute("DELETE FROM pieces WHERE number < 0")
    assert pieces.begun(scan(), "f") is None
    assert attempts(journal) == {}


def test_a_scan_that_wrote_a_file_begins_anew_without_it(pieces: Pieces, journal: Journal) -> None:
    place = f"{parts_place('a.tif')}/scan.json"
    filed = Filed(place, 3, "h")
    (journal.output / place).parent.mkdir(parents=True)
    (journal.output / place).write_bytes(b"abc")
    scanned(pieces, filed=filed)
    begun = pieces.begun(scan(), "f")
    assert begun is not None
    assert begun.scan == filed
    (journal.output / place).unlink()
    assert pieces.begun(scan(), "f") is None


def test_a_new_scan_takes_the_place_of_the_old_one(pieces: Pieces, journal: Journal) -> None:
    scanned(pieces)
    finish(pieces, journal, 2)
    pieces.scanned(scan(), Result("a.tif", Status.DONE, spans=SPANS[:1]), "f")
    begun = pieces.begun(scan(), "f")
    assert begun is not None
    assert (begun.spans, begun.parts) == (SPANS[:1], ())


def test_keys_have_folders_of_their_own_however_odd_they_are() -> None:
    keys = ["a.tif", "A.tif", "a/b.tif", "n" * 5000, "\n", r"\xe9", ""]
    places = {parts_place(key) for key in keys}
    assert len(places) == len(keys)
    assert all(len(place.rpartition("/")[2]) == 32 for place in places)


def test_a_part_whose_name_is_no_utf8_is_found_again(pieces: Pieces, journal: Journal) -> None:
    scanned(pieces)
    filed = Filed(f"{parts_place('a.tif')}/\udce9.tif", 1, "h")
    (journal.output / parts_place("a.tif")).mkdir(parents=True)
    (journal.output / filed.place).write_bytes(b"x")
    pieces.finished(piece(0), Result("a.tif", Status.DONE, filed=filed), "f")
    begun = pieces.begun(scan(), "f")
    assert begun is not None
    assert [each.filed for each in begun.parts] == [filed]


def test_the_sweep_leaves_only_what_is_to_be_done(pieces: Pieces, journal: Journal) -> None:
    for key in ("waits.tif", "done.tif", "unknown.tif"):
        scanned(pieces, key)
        finish(pieces, journal, 0, key)
    stray = journal.output / ".colorize" / "parts" / "0123"
    stray.mkdir()
    (stray / "000000.tif").write_bytes(b"of nobody")
    for key in ("waits.tif", "done.tif"):
        journal.claim(Claim(key, Kind.PAGES, key, key, 5, 7), run_id="r")
    result = Result("done.tif", Status.DONE, filed=Filed("done.tif", 1, "h"))
    journal.record(result, kind=Kind.PAGES, fingerprint="f", run_id="r")
    pieces.sweep()
    folders = {path.name for path in (journal.output / ".colorize" / "parts").iterdir()}
    assert folders == {parts_place("waits.tif").rpartition("/")[2]}
    assert pieces.begun(scan("waits.tif"), "f") is not None
    assert pieces.begun(scan("done.tif"), "f") is None


def test_a_sweep_where_nothing_ever_was_is_no_error(pieces: Pieces) -> None:
    pieces.sweep()

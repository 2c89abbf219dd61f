"""An item in pieces on its way to the unit that joins them."""

from __future__ import annotations

from pathlib import Path

from pipeline.ground.items import Filed, Kind, Part, Result, Seen, Span, Status, Unit, Verb
from pipeline.run.assembly import Assembly

SCAN = Unit(Verb.SCAN, "a.tif", Kind.PAGES, Path("/in/a.tif"), "a.tif", "a.tiff", 5, 7, ".colorize/parts/x")
SPANS = (Span(0, 0, 1), Span(1, 2, 3), Span(2, 3, 4))


def part(number: int, seconds: float = 1.5) -> Part:
    return Part(SPANS[number], Status.DONE, Filed(f"{number}.tif", 1, "h"), Seen(width=number), seconds)


def test_all_spans_are_pieces_at_first_and_know_their_item() -> None:
    units = Assembly(SCAN, SPANS).units()
    assert [unit.span for unit in units] == list(SPANS)
    assert {unit.verb for unit in units} == {Verb.PIECE}
    assert {(unit.key, unit.source, unit.output, unit.size, unit.mtime_ns, unit.parts_place) for unit in units} == {
        ("a.tif", Path("/in/a.tif"), "a.tif", 5, 7, ".colorize/parts/x")
    }


def test_the_last_part_brings_the_join_with_all_in_the_order_of_the_item() -> None:
    assembly = Assembly(SCAN, SPANS)
    assert assembly.add(part(2)) == []
    assert assembly.add(part(0)) == []
    (join,) = assembly.add(part(1))
    assert join.verb is Verb.JOIN
    assert [each.span.number for each in join.parts] == [0, 1, 2]
    assert join.span is None


def test_what_an_earlier_run_finished_is_no_unit_any_more() -> None:
    assembly = Assembly(SCAN, SPANS)
    assembly.add(part(1))
    assert [unit.span for unit in assembly.units()] == [SPANS[0], SPANS[2]]
    for number in (0, 2):
        assembly.add(part(number))
    (join,) = assembly.units()
    assert join.verb is Verb.JOIN


def test_a_part_that_comes_twice_counts_once() -> None:
    assembly = Assembly(SCAN, SPANS[:2])
    assembly.add(part(0))
    assert assembly.add(part(0)) == []
    assert assembly.seconds == 1.5
    assert len(assembly.add(part(1))) == 1
    assert assembly.add(part(1)) == []


def test_the_item_took_the_time_of_all_its_units() -> None:
    assembly = Assembly(SCAN, SPANS, seconds=0.25)
    for number in range(3):
        assembly.add(part(number))
    finished = assembly.finished(Result("a.tif", Status.DONE, reason="kept", seconds=1.0))
    assert finished == Result("a.tif", Status.DONE, reason="kept", seconds=5.75)

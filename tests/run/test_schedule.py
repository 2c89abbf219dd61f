"""In which order units are done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.ground.items import Kind, Span, Unit, Verb
from pipeline.run import schedule as module
from pipeline.run.schedule import OPEN_AT_ONCE, Schedule


def photo(key: str) -> Unit:
    return Unit(Verb.MAKE, key, Kind.PHOTO, Path(key), key, key)


def scan(key: str) -> Unit:
    return Unit(Verb.SCAN, key, Kind.PAGES, Path(key), key, key)


def pieces(key: str, count: int) -> list[Unit]:
    return [replace(scan(key), verb=Verb.PIECE, span=Span(number, number, number + 1)) for number in range(count)]


def name(unit: Unit) -> str:
    return unit.key + (str(unit.span.number) if unit.span else "?" if unit.verb is Verb.SCAN else "")


def taken(schedule: Schedule, most: int = 10_000) -> list[str]:
    """What is taken until nothing is there, or so many."""
    found: list[str] = []
    while len(found) < most and (unit := schedule.take()) is not None:
        found.append(name(unit))
    return found


def test_photographs_come_one_by_one_and_lazily() -> None:
    asked: list[str] = []

    def firsts() -> Iterator[Unit]:
        for key in "abc":
            asked.append(key)
            yield photo(key)

    schedule = Schedule(firsts())
    assert asked == []
    assert taken(schedule, 2) == ["a", "b"]
    assert asked == ["a", "b"]
    assert taken(schedule) == ["c"]
    assert schedule.take() is None


def test_what_appears_and_what_is_new_take_turns() -> None:
    schedule = Schedule(map(photo, "abcd"))
    schedule.take()
    schedule.put(pieces("p", 3))
    assert taken(schedule, 6) in (["b", "p0", "c", "p1", "d", "p2"], ["p0", "b", "p1", "c", "p2", "d"])
    assert schedule.take() is None


def test_where_one_of_them_is_empty_the_other_goes_on() -> None:
    schedule = Schedule([])
    schedule.put(pieces("p", 3))
    assert taken(schedule) == ["p0", "p1", "p2"]
    schedule.put(pieces("p", 1))
    assert taken(schedule) == ["p0"]


def test_only_so_many_items_in_pieces_are_open_and_photographs_pass_them() -> None:
    schedule = Schedule([scan("p"), scan("q"), scan("r"), photo("a"), scan("s"), photo("b")])
    assert OPEN_AT_ONCE == 2
    assert taken(schedule) == ["p?", "q?", "a", "b"]
    schedule.close("q")
    assert taken(schedule) == ["r?"]
    schedule.close("p")
    assert taken(schedule) == ["s?"]
    schedule.close("r")
    schedule.close("s")
    assert taken(schedule) == []


def test_a_look_at_a_photograph_waits_for_no_film_and_a_look_at_a_film_does() -> None:
    films = [scan(key) for key in "pqr"]
    look = replace(films[2], verb=Verb.LOOK, parts_place="parts/r")
    schedule = Schedule([*films[:2], look, replace(photo("a"), verb=Verb.LOOK)])
    assert taken(schedule) == ["p?", "q?", "a"]
    schedule.close("p")
    assert taken(schedule) == ["r"]


def test_a_closed_item_s_units_are_begun_no_more_and_others_are() -> None:
    schedule = Schedule([scan("p"), scan("q")])
    taken(schedule)
    schedule.put(pieces("p", 3))
    schedule.put(pieces("q", 2))
    assert taken(schedule, 1) == ["p0"]
    schedule.close("p")
    assert taken(schedule) == ["q0", "q1"]


def test_to_close_what_was_never_open_changes_nothing() -> None:
    schedule = Schedule([photo("a"), scan("p")])
    taken(schedule)
    schedule.put(pieces("p", 1))
    schedule.close("a")
    schedule.close("nothing")
    assert taken(schedule) == ["p0"]


def test_an_archive_of_nothing_but_pages_is_not_read_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HELD_AT_MOST", 5)
    asked: list[int] = []

    def firsts() -> Iterator[Unit]:
        for number in range(100):
            asked.append(number)
            yield scan(f"{number:02d}")

    schedule = Schedule(firsts())
    assert taken(schedule) == ["00?", "01?"]
    assert len(asked) <= 2 + 5
    order = ["00", "01"]
    while order:
        schedule.close(order.pop(0))
        order += [unit.rstrip("?") for unit in taken(schedule)]
    assert asked == list(range(100)), "all are begun in the end"


def test_what_has_to_be_done_alone_comes_behind_all_others() -> None:
    schedule = Schedule(map(photo, "abc"))
    assert schedule.take() is not None
    schedule.put_off(replace(photo("big"), alone=True))
    assert taken(schedule) == ["b", "c", "big"]


def test_what_has_to_be_done_alone_is_not_put_off_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ALONE_AT_MOST", 2)
    schedule = Schedule(map(photo, "abc"))
    for number in "12":
        schedule.put_off(replace(photo(number), alone=True))
    assert taken(schedule) == ["1", "a", "b", "c", "2"]


def test_a_piece_that_was_put_off_goes_with_its_item() -> None:
    schedule = Schedule([scan("book")])
    assert taken(schedule) == ["book?"]
    schedule.put_off(replace(pieces("book", 1)[0], alone=True))
    schedule.close("book")
    assert taken(schedule) == []

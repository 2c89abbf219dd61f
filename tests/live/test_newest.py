"""The newest frame, and no other."""

from __future__ import annotations

import threading
import time
from fractions import Fraction

import numpy as np
import pytest

from pipeline.web.live.frame import Frame, working_size
from pipeline.web.live.newest import Newest
from pipeline.web.live.reader import reading
from tests.live.stand_ins import Pictures


def frame(number: int) -> Frame:
    return Frame(number, number / 25, 0.0, np.zeros((2, 2, 3), np.uint8))


def test_a_newer_frame_takes_the_place_of_an_older_one() -> None:
    newest = Newest()
    for number in range(3):
        newest.put(frame(number))
    assert newest.take(0).number == 2
    assert newest.take(0) is None
    assert (newest.dropped, newest.given, newest.ended) == (2, 3, False)


def test_a_frame_that_waits_is_never_dropped() -> None:
    newest, seen = Newest(), []

    def give() -> None:
        for number in range(20):
            newest.put(frame(number), wait=True)
        newest.end()

    thread = threading.Thread(target=give)
    thread.start()
    while not newest.ended:
        if (taken := newest.take(1)) is not None:
            seen.append(taken.number)
    thread.join()
    assert seen == list(range(20))
    assert newest.dropped == 0


def test_what_is_there_at_the_end_is_still_taken_and_nothing_after_it() -> None:
    newest = Newest()
    newest.put(frame(0))
    newest.end(ValueError("broken"))
    newest.put(frame(1))
    assert not newest.ended
    assert newest.take(0).number == 0
    assert newest.ended
    assert str(newest.error) == "broken"


def test_a_frame_that_waits_is_let_go_at_the_end() -> None:
    newest = Newest()
    newest.put(frame(0))
    thread = threading.Thread(target=newest.put, args=(frame(1),), kwargs={"wait": True})
    thread.start()
    newest.end()
    thread.join(5)
    assert not thread.is_alive()


def test_a_recording_is_read_at_its_own_speed_and_what_is_late_is_dropped() -> None:
    begun, numbers = time.monotonic(), []
    with reading(Pictures(26, rate=25, timed=True)) as newest:
        while not newest.ended:
            if (taken := newest.take(1)) is not None:
                numbers.append(taken.number)
                time.sleep(0.15)
    assert time.monotonic() - begun >= 1.0
    assert numbers == sorted(numbers)
    assert numbers[-1] == 25
    assert len(numbers) + newest.dropped == 26
    assert newest.dropped >= 10


def test_fast_takes_every_frame_of_a_recording() -> None:
    numbers = []
    with reading(Pictures(40, rate=1, timed=True), fast=True) as newest:
        while not newest.ended:
            if (taken := newest.take(1)) is not None:
                numbers.append((taken.number, taken.at))
    assert numbers == [(number, float(number)) for number in range(40)]


def test_reading_stops_in_the_middle() -> None:
    before = threading.active_count()
    with reading(Pictures(1000, rate=1, timed=True)) as newest:
        assert newest.take(5).number == 0
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("size", "wanted", "aspect", "shown"),
    [
        ((640, 480), 500, 1, (500, 374)),
        ((320, 241), 500, 1, (320, 240)),  # never enlarged, both sides even
        ((720, 576), 500, Fraction(16, 15), (500, 374)),
        ((3, 1), 500, 1, (2, 2)),
    ],
)
def test_the_size_that_is_worked_on(size, wanted, aspect, shown) -> None:
    assert working_size(*size, wanted, Fraction(aspect)) == shown

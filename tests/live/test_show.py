"""A source, read, coloured and shown: with a net that is slow, breaks, or is quick."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("av")

from pipeline.colour.recipe import Look
from pipeline.ground.errors import EngineError, InputError
from pipeline.media.film.options import FilmOptions
from pipeline.web.live.painter import Painter
from pipeline.web.live.save import Recorder
from pipeline.web.live.screen import Figures
from pipeline.web.live.show import Address, Show
from tests.film.clips import FakeNet, times_of
from tests.live.stand_ins import Pictures, frame_of, get


class Net(FakeNet):
    """Takes its time, and may break."""

    def __init__(self, seconds: float = 0.0, breaks_at: int = -1) -> None:
        super().__init__()
        self.seconds, self.breaks_at = seconds, breaks_at

    def predict(self, lightness: np.ndarray) -> np.ndarray:
        if self.asked == self.breaks_at:
            raise EngineError("The engine stopped working")
        time.sleep(self.seconds)
        return super().predict(lightness)


def run(
    source: Any, net: Net, *, recorder: Recorder | None = None, fast: bool = False, stop_after: float = 60
) -> tuple[Figures, list[str]]:
    said: list[str] = []
    show = Show(source, Painter(net, Look(), steady="off"), recorder, fast=fast)
    end = time.monotonic() + stop_after
    figures = show.run(Address(port=0), said.append, lambda: time.monotonic() > end)
    return figures, said


def test_a_slow_net_drops_frames_instead_of_lagging() -> None:
    figures, said = run(Pictures(75, rate=50, timed=True), Net(0.1))
    assert figures.shown + figures.dropped == 75
    assert figures.dropped > 30
    assert figures.latency < 3000  # ms; frames that wait their turn are 5 s late by the end
    assert len(said) == 1


def test_a_quick_net_keeps_pace_and_is_at_most_three_frames_late() -> None:
    figures, _ = run(Pictures(40, rate=20, timed=True), Net())
    assert figures.shown + figures.dropped == 40
    assert figures.behind <= 3
    assert figures.shown >= 20


def test_what_comes_as_it_comes_is_never_waited_for() -> None:
    figures, _ = run(Pictures(30, rate=60), Net(0.05))
    assert figures.shown + figures.dropped == 30
    assert figures.dropped > 5


def test_fast_shows_and_keeps_every_frame(tmp_path: Path) -> None:
    path = tmp_path / "kept.mkv"
    figures, _ = run(Pictures(30, rate=10, timed=True), Net(), recorder=Recorder(path, FilmOptions()), fast=True)
    assert (figures.shown, figures.dropped) == (30, 0)
    assert times_of(path) == pytest.approx([number / 10 for number in range(30)])


def test_frames_that_were_dropped_leave_the_others_their_times(tmp_path: Path) -> None:
    path = tmp_path / "kept.mp4"
    figures, _ = run(Pictures(50, rate=50, timed=True), Net(0.1), recorder=Recorder(path, FilmOptions()))
    times = times_of(path)
    assert len(times) == figures.shown < 50
    assert times == sorted(set(times))
    assert all(abs(at * 50 - round(at * 50)) < 0.06 for at in times)
    assert times[-1] == pytest.approx(0.98, abs=0.001)


def test_a_source_that_breaks_off_is_said_and_what_came_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "kept.mkv"
    source = Pictures(9, rate=10, timed=True, error=InputError("The camera went away."))
    with pytest.raises(InputError, match="went away"):
        run(source, Net(), recorder=Recorder(path, FilmOptions()), fast=True)
    assert len(times_of(path)) == 9


def test_a_source_that_gives_nothing_is_an_error_before_any_address_is_said() -> None:
    said: list[str] = []
    show = Show(Pictures(0, error=InputError("It does not answer.")), Painter(Net(), Look()))
    with pytest.raises(InputError):
        show.run(Address(port=0), said.append, lambda: False)
    assert said == []


def test_a_net_that_breaks_ends_it(tmp_path: Path) -> None:
    with pytest.raises(EngineError):
        run(Pictures(9, rate=1, timed=True), Net(breaks_at=4), fast=True)
    assert threading.active_count() < 10


def test_it_stops_when_told_to_though_no_frame_comes() -> None:
    begun = time.monotonic()
    figures, _ = run(Pictures(5, rate=0.002, timed=True), Net(), stop_after=0.5)
    assert time.monotonic() - begun < 60  # of 500 seconds from frame to frame
    assert figures.shown == 1


def test_q_on_the_page_ends_it() -> None:
    seen: list[dict[str, Any]] = []

    def visit(address: str) -> None:
        def look() -> None:
            seen.append(frame_of(address))
            get(address, "/quit", "POST", Origin=address.rstrip("/"))

        threading.Thread(target=look).start()

    show = Show(Pictures(1000, rate=20, timed=True), Painter(Net(), Look()))
    begun = time.monotonic()
    show.run(Address(port=0), visit, lambda: time.monotonic() > begun + 30)
    assert time.monotonic() - begun < 20
    assert seen[0]["title"] == "made"
    assert seen[0]["width"] == 64

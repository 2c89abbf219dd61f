"""Colour that is steady without knowing the future."""

from __future__ import annotations

import threading
from itertools import pairwise

import numpy as np
import pytest

from pipeline.colour import recipe
from pipeline.ground.errors import EngineError
from pipeline.web.live.painter import Cuts, Painter
from tests.film.clips import FakeNet, scenes
from tests.live.stand_ins import until


class Restless(FakeNet):
    """Its colours jump from one answer to the next, as those of nets do."""

    def predict(self, lightness: np.ndarray) -> np.ndarray:
        return super().predict(lightness) + (12 if self.asked % 2 else -12)


def bgr(grey: np.ndarray) -> np.ndarray:
    return np.dstack([grey] * 3)


def painted(net: FakeNet, frames: list[np.ndarray], **how: object) -> list[np.ndarray]:
    painter = Painter(net, recipe.Look(), **{"patient": True, **how})
    return [painter.paint(bgr(each))[1] for each in frames]


def flicker(frames: list[np.ndarray]) -> float:
    steps = [np.abs(a.astype(int) - b).mean() for a, b in pairwise(frames)]
    return float(np.mean(steps))


def test_a_frame_keeps_its_luma() -> None:
    painter = Painter(FakeNet(), recipe.Look())
    for frame in scenes(5, 96, 64):
        grey, colour = painter.paint(bgr(frame))
        assert np.array_equal(grey, frame)
        assert np.array_equal(recipe.grey_of(colour), frame)
        assert np.ptp(colour.astype(int), axis=2).max() > 20


def test_off_is_the_recipe_of_each_frame_by_itself() -> None:
    net, frames = FakeNet(), scenes(4, 96, 64)
    wanted = [recipe.colorize(each, FakeNet(), recipe.Look()) for each in frames]
    assert all(np.array_equal(a, b) for a, b in zip(painted(net, frames, steady="off"), wanted, strict=True))
    assert net.asked == 4


def test_the_net_sees_key_frames_alone() -> None:
    net = FakeNet()
    painted(net, scenes(17, 96, 64), keyframes=8)
    assert net.asked == 3  # the first, the ninth, the last


def test_a_still_picture_keeps_the_colours_of_its_key() -> None:
    still = [scenes(1, 96, 64)[0]] * 8
    frames = painted(FakeNet(), still)
    assert max(np.abs(each.astype(int) - frames[0]).max() for each in frames) <= 2


@pytest.mark.parametrize(("steady", "most"), [("normal", 0.6), ("strong", 0.35)])
def test_colours_jump_less(steady: str, most: float) -> None:
    still = [scenes(1, 96, 64)[0]] * 24
    plain = flicker(painted(Restless(), still, steady="off"))
    assert flicker(painted(Restless(), still, steady=steady, keyframes=1)) < most * plain
    assert flicker(painted(Restless(), still, steady=steady)) < 0.2 * plain


def test_nothing_of_a_shot_is_seen_after_its_cut() -> None:
    frames = scenes(20, 96, 64, cut=10)
    net = FakeNet()
    whole = painted(net, frames)
    assert net.asked == 4
    again = painted(FakeNet(), frames[10:])
    assert all(np.array_equal(a, b) for a, b in zip(whole[10:], again, strict=True))


def test_cuts_are_seen_as_they_come_and_movement_is_none() -> None:
    cuts = Cuts()
    assert [number for number, each in enumerate(scenes(30, 96, 64, cut=15)) if cuts.add(each)] == [15]
    cuts, black = Cuts(), np.zeros((64, 96), np.uint8)
    assert not any(cuts.add(black) for _ in range(5))


def test_where_motion_cannot_be_followed_the_net_is_asked() -> None:
    noise = np.random.default_rng(1)
    net = FakeNet()
    painted(net, [noise.integers(0, 255, (64, 96), np.uint8) for _ in range(6)])
    assert net.asked == 6


class Slow(FakeNet):
    """Thinks until it is told to answer."""

    def __init__(self) -> None:
        super().__init__()
        self.may_answer = threading.Event()
        self.may_answer.set()

    def predict(self, lightness: np.ndarray) -> np.ndarray:
        assert self.may_answer.wait(20)
        return super().predict(lightness) + 10 * (self.asked > 1)


def test_colour_is_carried_on_while_the_net_thinks() -> None:
    net, still = Slow(), scenes(1, 96, 64)[0]
    painter = Painter(net, recipe.Look(), keyframes=2)
    first = painter.paint(bgr(still))[1]
    net.may_answer.clear()
    meanwhile = [painter.paint(bgr(still))[1] for _ in range(9)]
    assert net.asked == 1
    assert max(np.abs(each.astype(int) - first).max() for each in meanwhile) <= 2
    net.may_answer.set()
    assert until(lambda: np.abs(painter.paint(bgr(still))[1].astype(int) - first).max() > 4)


def test_a_cut_waits_for_the_net_and_forgets_what_it_was_asked() -> None:
    frames = scenes(20, 96, 64, cut=10)
    painter = Painter(FakeNet(), recipe.Look(), keyframes=3)
    impatient = [painter.paint(bgr(each))[1] for each in frames]
    assert np.array_equal(impatient[10], painted(FakeNet(), frames[10:11])[0])


def test_a_net_that_breaks_while_it_thinks_is_said() -> None:
    class Broken(FakeNet):
        def predict(self, lightness: np.ndarray) -> np.ndarray:
            if self.asked:
                raise EngineError("The engine stopped working")
            return super().predict(lightness)

    painter = Painter(Broken(), recipe.Look(), keyframes=2)
    with pytest.raises(EngineError):
        list(map(painter.paint, map(bgr, scenes(200, 96, 64))))

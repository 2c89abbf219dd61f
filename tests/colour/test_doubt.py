"""Doubt: what raises it, and that a net which does not say how sure it is has one, too."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from pipeline.colour.doubt import Doubting, doubt
from pipeline.nets.prediction import Guess

FLAT = np.full((192, 192), 60, np.float32)
CALM = np.full((48, 48, 2), 12, np.float32)
MOTTLED = CALM + cv2.resize(np.random.default_rng(0).normal(0, 12, (12, 12, 2)), (48, 48)).astype(np.float32)


class Net:
    spec = engine = None

    def predict(self, lightness: Any) -> Any:
        return MOTTLED


class Telling(Net):
    def guess(self, lightness: Any) -> Guess:
        return Guess(MOTTLED, _spread(30))


def _spread(value: float) -> Any:
    return np.full((48, 48), value, np.float32)


def test_colours_that_change_where_nothing_is_seen_to_change_are_doubtful() -> None:
    for spread in (None, _spread(14)):
        assert doubt(Guess(CALM, spread), FLAT) < 20 < 80 < doubt(Guess(MOTTLED, spread), FLAT)


def test_a_net_that_holds_many_colours_possible_is_doubted() -> None:
    some = CALM + MOTTLED / 20
    found = [doubt(Guess(some, _spread(value)), FLAT) for value in (6, 14, 22, 30)]
    assert found == sorted(found)
    assert found[-1] > found[0] + 20


def test_it_is_asked_how_sure_it_is_where_it_can_be() -> None:
    net: Any
    for net, guess in ((Net(), Guess(MOTTLED, None)), (Telling(), Guess(MOTTLED, _spread(30)))):
        doubting = Doubting(net)
        assert doubting.predict(FLAT) is MOTTLED
        assert doubting.doubt == doubt(guess, FLAT)


def test_a_film_has_the_doubt_of_its_most_doubtful_shot() -> None:
    class Two(Net):
        answers = iter([CALM, MOTTLED, CALM, CALM, CALM])

        def predict(self, lightness: Any) -> Any:
            return next(self.answers)

    calm, mottled = (doubt(Guess(ab, None), FLAT) for ab in (CALM, MOTTLED))
    net: Any = Two()
    doubting = Doubting(net)
    doubting.end_shot()
    assert doubting.doubt is None, "a film whose shots are in colour"
    for frames in (1, 2, 2):
        for _ in range(frames):
            doubting.predict_of_shot(FLAT)
        doubting.end_shot()
    assert doubting.doubt == round((calm + mottled) / 2)

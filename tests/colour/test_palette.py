"""Palettes: what each step does, and that "plain" does nothing."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline.colour.calm import calmed, planes_of
from pipeline.colour.palette import PALETTES, SPREADS, Modesty, Palette, stretched, treated, with_palette
from pipeline.ground.settings import field_of
from pipeline.nets.prediction import Guess

FLAT = np.full((192, 192), 60, np.float32)
BUSY = cv2.resize(np.random.default_rng(0).uniform(0, 100, (32, 32)), (192, 192)).astype(np.float32)
GUESS = cv2.resize(np.random.default_rng(1).normal(0, 15, (12, 12, 2)), (48, 48)).astype(np.float32)
SPREAD = cv2.resize(np.random.default_rng(2).uniform(1, 40, (12, 12)), (48, 48)).astype(np.float32)


class StubNet:
    """Answers `GUESS`, and keeps what it saw."""

    spec = engine = None
    seen: Any = None

    def guess(self, lightness: Any) -> Any:
        self.seen = lightness
        return Guess(GUESS, SPREAD)

    def predict(self, lightness: Any) -> Any:
        return self.guess(lightness).ab


def _spread(ab: Any) -> float:
    return float(np.sqrt(ab.reshape(-1, 2).var(axis=0).sum()))


def test_every_palette_can_be_asked_for_and_plain_is_the_net_itself() -> None:
    assert set(field_of("palette").metadata["choices"]) == set(PALETTES)
    assert field_of("palette").metadata["neutral"] == "plain"
    net: Any = StubNet()
    assert with_palette(net, "plain") is net
    np.testing.assert_array_equal(treated(Guess(GUESS, SPREAD), BUSY, PALETTES["plain"]), GUESS)


@pytest.mark.parametrize("name", PALETTES)
@pytest.mark.parametrize("lightness", [FLAT, BUSY, FLAT * 0], ids=["flat", "busy", "black"])
def test_every_palette_gives_colours_for_whatever_comes(name: str, lightness: Any) -> None:
    for ab in (GUESS, GUESS * 0, np.zeros((1, 1, 2), np.float32), np.ones((256, 256, 2), np.float32)):
        for spread in (None, np.zeros(ab.shape[:2], np.float32), np.full(ab.shape[:2], 99, np.float32)):
            made = treated(Guess(ab, spread), lightness, PALETTES[name])
            assert (made.dtype, made.shape) == (np.float32, ab.shape)
            assert np.isfinite(made).all()


def test_the_numbers_of_a_palette_all_do_something() -> None:
    some = {"calm": 0.5, "cast": 0.2, "curve": 0.2, "gain": 0.5, "reds": 0.3}
    assert {each.name for each in fields(Palette)} == {*some, "modesty", "stretch"}
    for name, value in some.items():
        made = treated(Guess(GUESS + 20, None), FLAT, Palette(**{name: value}))
        assert np.abs(made - GUESS - 20).max() > 0.1, name


def test_a_net_is_modest_where_it_is_unsure_and_one_that_does_not_say_is_taken_as_it_is() -> None:
    modesty = Modesty((1.5, 1.5, 1, 1, 1, 1, 1), 20, (1, 1, 1, 1, 1, 0.5, 0), (1, 1, 1, 1, 1, 1, 0.5))
    palette = Palette(gain=0.9, modesty=modesty)
    ab = np.full((1, 4, 2), (0, 40), np.float32)
    made = treated(Guess(ab, np.array([[2, 13, 20, 50]], np.float32)), BUSY, palette)
    np.testing.assert_allclose(made[0, :, 1], [60, 40, 30, 20], rtol=1e-5)
    np.testing.assert_allclose(treated(Guess(ab, None), BUSY, palette), ab * 0.9, rtol=1e-5)
    pale = treated(Guess(ab / 4, np.full((1, 4), 50, np.float32)), BUSY, palette)
    np.testing.assert_allclose(pale, ab / 4, rtol=1e-5)  # below the knee nothing is taken away
    red = treated(Guess(ab[:, :, ::-1], np.array([[2, 13, 20, 50]], np.float32)), BUSY, palette)
    np.testing.assert_allclose(red[0, :, 0], [60, 40, 30, 16], rtol=1e-5)  # half of what is above 12 is left


@pytest.mark.parametrize("name", PALETTES)
def test_who_is_less_sure_never_gets_more_colour(name: str) -> None:
    modesty = PALETTES[name].modesty
    for numbers in (modesty.gain, modesty.left, modesty.reds) if modesty else ():
        assert len(numbers) == len(SPREADS)
        assert list(numbers) == sorted(numbers, reverse=True)
    chroma = [
        np.hypot(*treated(Guess(np.full((1, 1, 2), 25, np.float32), np.full((1, 1), spread, np.float32)), BUSY,
                          PALETTES[name])[0, 0])
        for spread in range(40)
    ]  # fmt: skip
    assert (np.diff(chroma) <= 1e-4).all()
    assert name == "plain" or chroma[-1] < 0.8 * chroma[0]


def test_what_is_unsure_on_a_plane_does_not_mottle_it() -> None:
    guess = Guess(np.full((48, 48, 2), 20, np.float32), SPREAD)
    busy, plane = (
        np.ptp(treated(guess, lightness, Palette(calm=1.0, modesty=PALETTES["natural"].modesty))[6:-6, 6:-6])
        for lightness in (BUSY, FLAT)
    )
    assert plane < busy / 4


def test_restrained_shows_the_net_a_faded_picture_at_full_range() -> None:
    net: Any = StubNet()
    faded = 40 + BUSY / 4
    with_palette(net, "restrained").predict(faded)
    np.testing.assert_allclose(np.percentile(net.seen, (1, 99)), (3, 97), atol=0.1)
    with_palette(net, "natural").predict(faded)
    assert net.seen is faded
    assert np.ptp(stretched(FLAT + BUSY / 100)) < 10  # a blank sheet stays one


@pytest.mark.parametrize(("a", "b", "changed"), [(40, 10, True), (30, -30, True), (8, 2, False), (20, 25, False)])
def test_the_knee_takes_strong_reds_and_purples_and_leaves_pale_ones_and_skin(
    a: float, b: float, changed: bool
) -> None:
    guess = np.full((48, 48, 2), (a, b), np.float32)
    made = treated(Guess(guess, None), BUSY, Palette(reds=0.3))
    expected = 12 + 0.3 * (np.hypot(a, b) - 12) if changed else np.hypot(a, b)
    np.testing.assert_allclose(np.hypot(*made[0, 0]), expected, rtol=1e-4)
    np.testing.assert_allclose(np.arctan2(*made[0, 0]), np.arctan2(a, b), rtol=1e-4)  # its hue stays


def test_planes_become_calm_apart_from_each_other_and_busy_places_stay() -> None:
    lightness = FLAT.copy()
    lightness[:, 96:] = 90
    guess = GUESS.copy()
    guess[:, 24:] += 30
    made = calmed(guess, lightness, 1)
    for part in (slice(4, 20), slice(28, 44)):
        assert _spread(made[4:-4, part]) < 0.15 * _spread(guess[4:-4, part])
        np.testing.assert_allclose(made[4:-4, part].mean((0, 1)), guess[4:-4, part].mean((0, 1)), atol=2)
    assert calmed(guess, BUSY, 1) is guess
    assert not planes_of(BUSY).any()

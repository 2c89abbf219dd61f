"""Palettes: what each step does, and that "plain" does nothing."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline.colour.calm import calmed, planes_of
from pipeline.colour.palette import PALETTES, Palette, stretched, treated, with_palette
from pipeline.ground.settings import field_of

FLAT = np.full((192, 192), 60, np.float32)
BUSY = cv2.resize(np.random.default_rng(0).uniform(0, 100, (32, 32)), (192, 192)).astype(np.float32)
GUESS = cv2.resize(np.random.default_rng(1).normal(0, 15, (12, 12, 2)), (48, 48)).astype(np.float32)


class StubNet:
    """Answers `GUESS`, and keeps what it saw."""

    spec = engine = None
    seen: Any = None

    def predict(self, lightness: Any) -> Any:
        self.seen = lightness
        return GUESS


def _spread(ab: Any) -> float:
    return float(np.sqrt(ab.reshape(-1, 2).var(axis=0).sum()))


def test_every_palette_can_be_asked_for_and_plain_is_the_net_itself() -> None:
    assert set(field_of("palette").metadata["choices"]) == set(PALETTES)
    assert field_of("palette").metadata["neutral"] == "plain"
    net: Any = StubNet()
    assert with_palette(net, "plain") is net
    np.testing.assert_array_equal(treated(GUESS, BUSY, PALETTES["plain"]), GUESS)


@pytest.mark.parametrize("name", PALETTES)
@pytest.mark.parametrize("lightness", [FLAT, BUSY, FLAT * 0], ids=["flat", "busy", "black"])
def test_every_palette_gives_colours_for_whatever_comes(name: str, lightness: Any) -> None:
    for guess in (GUESS, GUESS * 0, np.zeros((1, 1, 2), np.float32), np.ones((256, 256, 2), np.float32)):
        made = treated(guess, lightness, PALETTES[name])
        assert (made.dtype, made.shape) == (np.float32, guess.shape)
        assert np.isfinite(made).all()


def test_the_numbers_of_a_palette_all_do_something() -> None:
    some = {"calm": 0.5, "cast": 0.2, "curve": 0.2, "gain": 0.5, "reds": 0.3}
    assert {each.name for each in fields(Palette)} == {*some, "stretch"}
    for name, value in some.items():
        assert np.abs(treated(GUESS + 20, FLAT, Palette(**{name: value})) - GUESS - 20).max() > 0.1, name


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
    made = treated(guess, BUSY, Palette(reds=0.3))
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

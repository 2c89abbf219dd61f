"""Palettes: what each step does, and that "plain" does nothing."""

from __future__ import annotations

import dataclasses
from dataclasses import fields
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline.colour.calm import calmed, planes_of
from pipeline.colour.chart import FARTHEST, STEP, chart, charted
from pipeline.colour.chart import SPREADS as CHARTED
from pipeline.colour.palette import PALETTES, SPREADS, Palette, chart_digest, stretched, treated, with_palette
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
    assert {each.name for each in fields(Palette)} == {*some, "chart", "unsure_reds", "stretch"}
    for name, value in some.items():
        made = treated(Guess(GUESS + 20, None), FLAT, Palette(**{name: value}))
        assert np.abs(made - GUESS - 20).max() > 0.1, name


@pytest.mark.parametrize("name", [name for name in PALETTES if name != "plain"])
def test_who_is_less_sure_gets_less_colour_and_unsure_reds_become_browns(name: str) -> None:
    palette = PALETTES[name]
    assert len(palette.unsure_reds) == len(SPREADS)
    assert list(palette.unsure_reds) == sorted(palette.unsure_reds, reverse=True)

    def chroma(ab: tuple[float, float], spread: float) -> float:
        guess = Guess(np.full((1, 1, 2), ab, np.float32), np.full((1, 1), spread, np.float32))
        return float(np.hypot(*treated(guess, BUSY, dataclasses.replace(palette, cast=0))[0, 0]))

    colours = [(25.0 * np.cos(hue), 25.0 * np.sin(hue)) for hue in np.linspace(0, 2 * np.pi, 24)]
    sure, unsure = (float(np.mean([chroma(ab, spread) for ab in colours])) for spread in (8, 30))
    assert sure > 1.2 * unsure  # of some rare hue few photographs tell; over all of them it holds
    assert chroma((60, 30), 40) < 0.75 * chroma((60, 30), 6)


def test_a_net_that_does_not_say_how_sure_it_is_gets_curve_and_gain_as_ever() -> None:
    ab = np.full((1, 4, 2), (0, 40), np.float32)
    for name in ("natural", "restrained", "vivid"):
        palette = dataclasses.replace(PALETTES[name], cast=0)
        expected = 40 * (40 / 15) ** palette.curve * palette.gain
        np.testing.assert_allclose(treated(Guess(ab, None), BUSY, palette)[..., 1], expected, rtol=1e-5)


def test_a_chart_is_read_between_what_it_tells() -> None:
    side = int(2 * FARTHEST / STEP) + 1
    axis = np.linspace(-FARTHEST, FARTHEST, side, dtype=np.float32)
    a, b = np.meshgrid(axis, axis, indexing="ij")
    by_spread = np.array(CHARTED, np.float32)[:, None, None]
    added = np.stack([a + by_spread, 2 * b - by_spread], -1)  # a line in each direction, which is met everywhere
    ab = np.random.default_rng(3).uniform(-80, 80, (5, 7, 2)).astype(np.float32)
    spread = np.random.default_rng(4).uniform(CHARTED[0], CHARTED[-1], (5, 7)).astype(np.float32)
    expected = np.dstack([2 * ab[..., 0] + spread, 3 * ab[..., 1] - spread])
    np.testing.assert_allclose(charted(ab, spread, added), expected, atol=1e-3)
    beyond = charted(np.full((1, 1, 2), 150, np.float32), np.full((1, 1), 99, np.float32), added)
    np.testing.assert_allclose(beyond[0, 0], 150 + added[-1, -1, -1], rtol=1e-5)


def test_charts_are_whole_and_keep_grey_nearly_grey() -> None:
    digests = {chart_digest(name) for name in PALETTES}
    assert len(digests) == 4
    assert chart_digest("plain") == ""
    side = int(2 * FARTHEST / STEP) + 1
    for name in ("natural", "restrained", "vivid"):
        found = chart(name)
        assert found.shape == (len(CHARTED), side, side, 2)
        assert np.isfinite(found).all()
        assert np.abs(found[:, side // 2, side // 2]).max() < 5


def test_the_bluest_of_a_sky_is_no_patch_in_it() -> None:
    chroma = np.linspace(18, 36, 7, dtype=np.float32)
    for hue in (-105, -95, -85):
        for spread in (9, 11, 13):
            sky = chroma[None, :, None] * np.array([np.cos(np.radians(hue)), np.sin(np.radians(hue))], np.float32)
            made = charted(sky, np.full((1, len(chroma)), spread, np.float32), chart("natural"))[0]
            assert np.hypot(*(made[-1] - made[0])) < 1.8 * (chroma[-1] - chroma[0]), (hue, spread)


def test_what_is_unsure_on_a_plane_does_not_mottle_it() -> None:
    guess = Guess(np.full((48, 48, 2), 20, np.float32), SPREAD)
    busy, plane = (
        np.ptp(treated(guess, lightness, dataclasses.replace(PALETTES["natural"], calm=1.0))[6:-6, 6:-6])
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

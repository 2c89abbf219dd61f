"""Faults of made-up colour, on pictures of which they are known."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.measure.card import bare_figures, bare_lines
from pipeline.measure.faults import faults, planes_of

FLAT = np.full((128, 128), 60, np.float32)


def _all(a: float, b: float) -> np.ndarray:
    return np.full((128, 128, 2), (a, b), np.float32)


def test_strong_colour_is_wrong_only_far_from_the_truth() -> None:
    half = _all(40, 0)
    half[:64] = 0
    near, far = faults(FLAT, half, _all(20, 0)), faults(FLAT, half, _all(0, 0))
    assert (near.strong, near.wrong) == (0.5, 0)
    assert (far.strong, far.wrong) == (0.5, 0.5)
    assert faults(FLAT, _all(20, 0), _all(-80, 0)).wrong == 0  # wrong, and too pale to catch the eye


@pytest.mark.parametrize(
    ("a", "b", "red"), [(40, 10, 1), (30, -30, 1), (22, 22, 0), (40, 40, 0), (15, 0, 0), (0, -40, 0), (-40, 0, 0)]
)
def test_red_and_purple_are_red_and_skin_orange_and_blue_are_not(a: float, b: float, red: float) -> None:
    assert faults(FLAT, _all(a, b)).red == red


def test_planes_are_large_smooth_and_apart() -> None:
    random = np.random.default_rng(0)
    lightness = FLAT.copy()
    lightness[60:68] = random.uniform(0, 100, (8, 128))
    lightness += random.normal(0, 1, lightness.shape).astype(np.float32)  # grain
    planes = planes_of(lightness)
    assert len(np.unique(planes[planes > 0])) == 2
    assert planes[5, 5] != planes[60, 5]
    assert not planes_of(random.uniform(0, 100, (128, 128)).astype(np.float32)).any()


def test_a_mottled_plane_spreads_and_two_plain_ones_of_two_colours_do_not() -> None:
    lightness, ab = FLAT.copy(), _all(0, 0)
    lightness[64:], ab[64:] = 90, (30, 30)
    assert faults(lightness, ab).spread == pytest.approx(0, abs=0.05)
    mottled = ab + np.where(np.arange(128) // 16 % 2, 5, -5).astype(np.float32)[:, None]
    found = faults(lightness, mottled)
    assert found.spread / found.planes == pytest.approx(np.hypot(5, 5), rel=0.02)


def test_pictures_without_a_truth_have_lines_of_their_own() -> None:
    found = [faults(FLAT, _all(40, 0)), faults(FLAT, _all(0, 0))]
    assert bare_figures(found) == {"strong": 50, "red": 50, "plane_spread": pytest.approx(0)}
    lines = list(bare_lines(["net"], [{1.0: found}]))
    assert "2 without any colour" in lines[1]
    assert lines[-1].split() == ["1", "50.00", "50.00", "0.00", "net"]

"""Colours that a person knows, on made pictures whose answer is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipeline.colour.hints import hinted, shares_of
from pipeline.colour.recipe import Look, colorize, coloured, planes, predict
from pipeline.ground.hints import Hints, Stroke
from tests.colour.test_recipe import Net
from tests.conftest import coat

BLUE = (0x3A, 0x5F, 0x8A)
RED = (0xA0, 0x30, 0x30)


def ab_of(color: tuple[int, int, int]) -> np.ndarray:
    return cv2.cvtColor(np.array([[color]], np.float32) / 255, cv2.COLOR_RGB2LAB)[0, 0, 1:]


def at(ab: np.ndarray, x: float, y: float) -> np.ndarray:
    return ab[int(y * ab.shape[0]), int(x * ab.shape[1])]


BROWN = np.tile(np.array([6, 12], np.float32), (48, 48, 1))
POINT = Stroke(BLUE, ((0.5, 0.6),))


def test_the_coat_is_blue_and_its_surroundings_are_not() -> None:
    made = hinted(BROWN, coat(), Hints(strokes=(POINT,)))
    assert made.shape == (192, 256, 2)
    for x, y in ((0.5, 0.6), (0.42, 0.5), (0.6, 0.8), (0.5, 0.4)):
        np.testing.assert_allclose(at(made, x, y), ab_of(BLUE), atol=6)
    for x, y in ((0.2, 0.6), (0.8, 0.6), (0.5, 0.1), (0.3, 0.9)):
        np.testing.assert_allclose(at(made, x, y), [6, 12], atol=1)


def test_colour_fades_with_distance_and_reaches_as_far_as_is_said() -> None:
    plain = np.full((100, 400), 128, np.uint8)
    reached = []
    for reach in (0.3, 1.0, 3.0):
        stroke = Stroke(BLUE, ((0.1, 0.5),), reach)
        share = shares_of((stroke,), plain.astype(np.float32), np.zeros((100, 400, 2), np.float32))[0, 50]
        along = share[40:]
        assert along[0] == 1
        assert (np.diff(along) <= 1e-3).all()
        reached.append(float(along.sum()))
    assert reached[0] < 0.6 * reached[1] < 0.6 * reached[2]


def test_two_colours_share_one_surface() -> None:
    plain = np.full((200, 200), 128, np.uint8)
    strokes = (Stroke(BLUE, ((0.2, 0.2), (0.2, 0.8))), Stroke(RED, ((0.8, 0.5),)))
    made = hinted(np.zeros((48, 48, 2), np.float32), plain, Hints(strokes=strokes))
    np.testing.assert_allclose(at(made, 0.2, 0.5), ab_of(BLUE), atol=5)
    np.testing.assert_allclose(at(made, 0.8, 0.5), ab_of(RED), atol=5)
    assert at(made, 0.3, 0.5)[1] < 0 < at(made, 0.7, 0.5)[1]


def test_in_the_dark_a_colour_has_less_chroma_and_the_same_hue() -> None:
    light = hinted(BROWN, np.full((60, 60), 120, np.uint8), Hints(strokes=(POINT,)))
    dark = hinted(BROWN, np.full((60, 60), 30, np.uint8), Hints(strokes=(POINT,)))
    bright, dim = at(light, 0.5, 0.6), at(dark, 0.5, 0.6)
    assert np.hypot(*dim) < 0.7 * np.hypot(*bright)
    assert abs(np.arctan2(*dim) - np.arctan2(*bright)) < 0.02


def test_polygons_stay_grey_and_warmth_is_added() -> None:
    left = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
    made = hinted(BROWN, coat(), Hints(grey=(left,), warmth=-0.5))
    assert not made[:, :126].any()
    np.testing.assert_allclose(made[:, 130:].reshape(-1, 2), [[4.5, 7]] * (made[:, 130:].size // 2), atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 1), (3, 700), (700, 2), (5, 5)])
def test_pictures_of_any_size_take_hints(shape: tuple[int, int]) -> None:
    hints = Hints(strokes=(Stroke(BLUE, ((0.0, 0.0), (1.0, 1.0))),), grey=(((0.9, 0.9), (1.0, 0.9), (1.0, 1.0)),))
    made = hinted(BROWN, np.full(shape, 99, np.uint8), hints)
    assert np.isfinite(made).all()
    assert max(made.shape[:2]) == 256


def test_an_answer_finer_than_the_hints_keeps_its_size() -> None:
    answer = np.random.default_rng(2).normal(0, 20, (400, 512, 2)).astype(np.float32)
    made = hinted(answer, np.full((400, 512), 99, np.uint8), Hints(warmth=0.1))
    np.testing.assert_allclose(made - answer, np.broadcast_to([0.3, 1.0], answer.shape), atol=1e-4)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("lightness", ["luma", "lab"])
def test_saturation_does_not_touch_a_colour_that_is_known(dtype: type, lightness: str) -> None:
    pixels = coat().astype(dtype) * (1 if dtype is np.uint8 else 257)
    hints = Hints(strokes=(POINT,))
    full, none = (colorize(pixels, Net(), Look(saturation, lightness, hints)) for saturation in (1.0, 0.0))
    unit = 255 / np.iinfo(full.dtype).max
    for made in (full, none):
        blue, green, red = (float(value) * unit for value in made[144, 160])
        assert blue > green > red + 10
    assert np.ptp(none[10, 10].astype(np.float32)) * unit <= 2


def test_planes_at_half_size_have_the_same_colour() -> None:
    grey, look = coat(), Look(1.0, "luma", Hints(strokes=(POINT,)))
    ab = predict(grey, Net(), look)
    cb, cr = planes(grey, ab, look, half=True)
    assert cb.shape == (120, 160)
    whole = cv2.cvtColor(coloured(grey, ab, look), cv2.COLOR_BGR2YCrCb)
    np.testing.assert_allclose(cb[72, 80], whole[144, 160, 2], atol=3)
    np.testing.assert_allclose(cr[72, 80], whole[144, 160, 1], atol=3)
    assert cb[72, 80] > 140


def test_without_hints_nothing_is_otherwise() -> None:
    np.testing.assert_array_equal(predict(coat(), Net(), Look(0.5)), Net().ab)

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.colour import compose as composition
from pipeline.colour.compose import compose
from pipeline.colour.reference import colorize_reference

SHAPES = [(1, 1), (1, 300), (300, 1), (2, 3), (97, 131), (480, 641), (1, 60000), (40, 30000), (20000, 3)]


def reference(picture, ab):
    return colorize_reference(picture, lambda _: np.ascontiguousarray(ab.transpose(2, 0, 1)))


def chroma(strength, seed=0, size=(56, 56)):
    return np.random.default_rng(seed).normal(0, strength, (*size, 2)).astype(np.float32)


def hold_to_the_reference(picture, ab):
    made = compose(picture, ab)
    off = np.abs(made.astype(np.int16) - reference(picture, ab))
    assert made.dtype == np.uint8
    assert off.max() <= 2
    assert np.count_nonzero(off > 1) <= off.size / 1000


@pytest.mark.parametrize("colour", [False, True])
def test_values_are_truncated_as_the_reference_does_not_rounded(colour):
    rng = np.random.default_rng(9)
    picture = rng.integers(0, 256, (200, 300, 3) if colour else (200, 300), dtype=np.uint8)
    ab = chroma(20)
    off = compose(picture, ab).astype(np.int16) - reference(picture, ab)
    assert abs(off.mean()) < 0.02  # rounding would add half a level


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_any_shape(shape, colour):
    rng = np.random.default_rng(3)
    picture = rng.integers(0, 256, (*shape, 3) if colour else shape, dtype=np.uint8)
    hold_to_the_reference(picture, chroma(15))


@pytest.mark.parametrize("strength", [0, 5, 40, 110, 1000])
@pytest.mark.parametrize("colour", [False, True])
def test_any_chroma_even_far_out_of_gamut(strength, colour):
    rng = np.random.default_rng(4)
    picture = cv2.blur(rng.integers(0, 256, (300, 400, 3) if colour else (300, 400), dtype=np.uint8), (3, 3))
    picture = cv2.normalize(picture, None, 0, 255, cv2.NORM_MINMAX)
    hold_to_the_reference(picture, chroma(strength))


@pytest.mark.parametrize("level", [0, 1, 20, 21, 254, 255])
@pytest.mark.parametrize("strength", [0, 30])
def test_flat_pictures(level, strength):
    hold_to_the_reference(np.full((50, 60), level, np.uint8), chroma(strength))


@pytest.mark.parametrize("size", [(1, 1), (3, 7), (128, 96), (600, 500)])
def test_ab_of_any_size(size):
    picture = np.random.default_rng(5).integers(0, 256, (211, 307), dtype=np.uint8)
    hold_to_the_reference(picture, chroma(20, size=size))


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    rows=st.integers(1, 30),
    seed=st.integers(0, 2**16),
    colour=st.booleans(),
)
def test_strips_leave_no_seam(height, width, rows, seed, colour):
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 256, (height, width, 3) if colour else (height, width), dtype=np.uint8)
    ab = chroma(20, seed, size=(rows, 9))
    with pytest.MonkeyPatch.context() as patch:
        whole = compose(picture, ab)
        patch.setattr(composition, "_STRIP_PIXELS", 97)
        patch.setattr(composition, "_BLOCK_COLUMNS", 13)
        cut = compose(picture, ab)
    assert np.abs(whole.astype(np.int16) - cut).max() <= 1  # a matrix product's last bit
    hold_to_the_reference(picture, ab)


def test_neutral_bgr_equals_grey():
    grey = np.random.default_rng(6).integers(0, 256, (60, 80), dtype=np.uint8)
    ab = chroma(20)
    np.testing.assert_array_equal(compose(cv2.merge([grey] * 3), ab), compose(grey, ab))


def test_saturation_is_a_factor_on_ab():
    grey = np.random.default_rng(7).integers(0, 256, (60, 80), dtype=np.uint8)
    ab = chroma(20)
    assert np.abs(compose(grey, ab, saturation=1.5).astype(int) - compose(grey, ab * 1.5)).max() <= 1
    spread = np.ptp(compose(grey, ab, saturation=0).astype(int), axis=2)
    assert spread.max() <= 1


def test_out_is_filled_and_the_picture_left_alone():
    grey = np.random.default_rng(8).integers(0, 256, (60, 80), dtype=np.uint8)
    before, ab, out = grey.copy(), chroma(20), np.zeros((60, 80, 3), np.uint8)
    assert compose(grey, ab, out=out) is out
    np.testing.assert_array_equal(out, compose(grey, ab))
    np.testing.assert_array_equal(grey, before)


@pytest.mark.parametrize("wrong", [{"out": np.zeros((3, 3, 3), np.uint8)}, {"ab": "swapped"}])
def test_wrong_arguments_are_refused(wrong):
    grey = np.zeros((6, 8), np.uint8)
    ab = chroma(1).transpose(2, 0, 1) if wrong.pop("ab", None) else chroma(1)
    with pytest.raises(ValueError):
        compose(grey, ab, **wrong)

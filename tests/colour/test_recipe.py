"""The one place where colour is made: what the net sees, and what becomes of its answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.colour.compose import compose
from pipeline.colour.exact import exact_rgb
from pipeline.colour.lightness import net_lightness
from pipeline.colour.luma import chroma_planes, halved
from pipeline.colour.recipe import Look, colorize, coloured, planes, predict
from pipeline.ground.errors import EngineError
from pipeline.ground.pixels import eight_bits, grey_of
from pipeline.nets.engine import Engine
from pipeline.nets.spec import Answer, Feed, NetSpec


class Net:
    """Answers with one ab and keeps what it saw."""

    spec = NetSpec("painted", Path("painted.onnx"), "00", 24, Feed(), Answer(), ())
    engine = Engine("opencv", "float32")

    def __init__(self) -> None:
        self.seen: list[np.ndarray] = []
        self.ab = np.random.default_rng(3).normal(0, 20, (6, 6, 2)).astype(np.float32)

    def predict(self, lightness: np.ndarray) -> np.ndarray:
        self.seen.append(lightness)
        return self.ab


@pytest.mark.parametrize("shape", [(40, 60), (40, 60, 3)])
def test_the_net_sees_the_lightness_at_its_own_size_and_its_chroma_is_composed(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    before, net = pixels.copy(), Net()
    made = colorize(pixels, net, Look(lightness="lab"))
    np.testing.assert_array_equal(made, compose(pixels, net.ab))
    (seen,) = net.seen
    np.testing.assert_array_equal(seen, net_lightness(pixels, 24))
    np.testing.assert_array_equal(pixels, before)


def test_the_look_says_how_strong_colours_are() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (40, 60), dtype=np.uint8)
    net = Net()
    np.testing.assert_array_equal(colorize(pixels, net, Look(0.5, "lab")), compose(pixels, net.ab, saturation=0.5))
    assert Look().saturation == 1.0


def test_what_the_engine_says_comes_through() -> None:
    class Dead(Net):
        def predict(self, lightness: np.ndarray) -> np.ndarray:
            raise EngineError("The engine stopped working.")

    with pytest.raises(EngineError, match="stopped working"):
        colorize(np.zeros((4, 5), np.uint8), Dead(), Look())


GREYS = np.random.default_rng(4).integers(0, 256, (41, 61), dtype=np.uint8)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_by_default_the_luma_is_kept_and_the_saturation_handed_on(dtype: type) -> None:
    pixels = GREYS.astype(dtype) * (1 if dtype is np.uint8 else 257)
    net = Net()
    for saturation in (1.0, 0.4):
        made = colorize(pixels, net, Look(saturation))
        assert made.dtype == dtype
        np.testing.assert_array_equal(made, exact_rgb(pixels, net.ab, saturation=saturation))
    np.testing.assert_array_equal(net.seen[0], net_lightness(eight_bits(pixels), 24))


def test_what_was_predicted_before_is_put_to_a_frame_alike() -> None:
    pixels, net = GREYS, Net()
    np.testing.assert_array_equal(predict(pixels, net), net.ab)
    for look in (Look(0.7, "luma"), Look(0.7, "lab")):
        np.testing.assert_array_equal(coloured(pixels, net.ab, look), colorize(pixels, net, look))
    assert not np.array_equal(coloured(pixels, net.ab, Look()), coloured(pixels, net.ab, Look(0.7)))


def test_with_lab_sixteen_bits_become_eight() -> None:
    wide = GREYS.astype(np.uint16) * 257
    made = coloured(wide, Net().ab, Look(lightness="lab"))
    np.testing.assert_array_equal(made, compose(GREYS, Net().ab))


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("shape", [(40, 60), (41, 61)])
def test_planes_are_chroma_at_the_size_that_was_asked_for(half: bool, shape: tuple[int, int]) -> None:
    grey, ab = GREYS[: shape[0], : shape[1]], Net().ab
    cb, cr = planes(grey, ab, Look(0.6), half=half)
    size = tuple((side + 1) // 2 for side in shape) if half else shape
    assert cb.shape == cr.shape == size
    whole = {"saturation": 0.6}
    expected = chroma_planes(halved(grey), ab, size=shape, **whole) if half else chroma_planes(grey, ab, **whole)
    np.testing.assert_array_equal((cb, cr), expected)
    assert not np.array_equal(planes(grey, ab, Look(), half=half)[0], cb)


@pytest.mark.parametrize("shape", [(40, 60), (41, 61)])
def test_a_picture_that_was_decoded_at_half_its_size_gets_the_chroma_of_the_whole(shape: tuple[int, int]) -> None:
    grey, ab, look = GREYS[: shape[0], : shape[1]], Net().ab, Look(0.6)
    of_half = planes(halved(grey), ab, look, half=True, whole=shape)
    np.testing.assert_array_equal(of_half, planes(grey, ab, look, half=True))


def test_the_grey_of_a_picture_is_its_usual_luma() -> None:
    assert grey_of(GREYS) is GREYS
    one = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [10, 20, 30]]], np.uint8)
    assert grey_of(one).tolist() == [[29, 150, 76, 22]]
    assert grey_of(one.astype(np.uint16) * 257).dtype == np.uint16

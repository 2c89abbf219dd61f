"""The one place where colour is made: what the net sees, and what becomes of its answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.colour.compose import compose
from pipeline.colour.lightness import net_lightness
from pipeline.colour.recipe import Look, colorize
from pipeline.ground.errors import EngineError
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

"""Points of colour given to a net that takes them, on one whose answer is known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.colour.palette import with_palette
from pipeline.colour.pointed import Pointed, pointed
from pipeline.ground.hints import Hints, Stroke
from pipeline.nets.engine import Engine
from pipeline.nets.engines.open import open_net
from pipeline.nets.net import LoadedNet
from pipeline.nets.resolve import resolve
from tests.nets import taking_points

BLUE = (0x3A, 0x5F, 0x8A)
HINTS = Hints(warmth=0.5, strokes=(Stroke(BLUE, ((0.5, 0.5),)),))
AB = cv2.cvtColor(np.array([[BLUE]], np.float32) / 255, cv2.COLOR_RGB2LAB)[0, 0, 1:]
LIGHT = np.full((64, 64), 80, np.float32)  # lighter than the blue, whose full chroma shows then


@pytest.fixture(params=[110.0, 1.0], ids=["in units of 110", "in Lab units"])
def net(tmp_path: Path, request: pytest.FixtureRequest) -> LoadedNet:
    path = taking_points.write(tmp_path / "points.onnx", scale=request.param)
    return open_net(resolve(str(path)), Engine("opencv", "float32"))


def test_a_point_is_given_to_the_net_which_spreads_it(net: LoadedNet) -> None:
    assert net.spec.takes_points
    np.testing.assert_allclose(net.predict(LIGHT)[32, 32], taking_points.BASE, atol=0.01)
    asked, left = pointed(net, HINTS, 1.0)
    assert left == Hints(warmth=0.5), "the rest is put to the picture as of any net"
    ab = asked.predict(LIGHT)
    np.testing.assert_allclose(ab[32, 32], AB, atol=0.05)
    np.testing.assert_allclose(ab[25, 40], AB, atol=0.05)
    np.testing.assert_allclose(ab[5, 5], taking_points.BASE, atol=0.01)


def test_neither_palette_nor_saturation_change_what_was_named(net: LoadedNet) -> None:
    treated = with_palette(net, "restrained")
    asked, _ = pointed(treated, HINTS, 0.5)
    ab = asked.predict(LIGHT) * 0.5
    np.testing.assert_allclose(ab[32, 32], AB, atol=0.3)
    np.testing.assert_allclose(ab[5, 5], treated.predict(LIGHT)[5, 5] * 0.5, atol=0.01)


def test_of_other_nets_and_without_strokes_nothing_changes(net: LoadedNet) -> None:
    plain = Hints(saturation=0.5)
    assert pointed(net, plain, 1.0) == (net, plain)
    other = open_net(resolve("embedded"), Engine("opencv", "float32"))
    assert not other.spec.takes_points
    assert pointed(other, HINTS, 1.0) == (other, HINTS)
    assert not isinstance(pointed(with_palette(other, "natural"), HINTS, 1.0)[0], Pointed)

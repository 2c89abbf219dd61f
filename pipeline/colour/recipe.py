"""The one place where colour is made: lightness, net, composition."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.colour.compose import compose
from pipeline.colour.lightness import net_lightness
from pipeline.nets.net import Net


@dataclass(frozen=True, slots=True)
class Look:
    """How strong colours are.

    Attributes:
        saturation: factor on the predicted chroma, 0 or more.
    """

    saturation: float = 1.0


def colorize(pixels: NDArray[np.uint8], net: Net, look: Look) -> NDArray[np.uint8]:
    """Colorize one frame: its own lightness, the net's chroma.

    Args:
        pixels: uint8 BGR (H, W, 3) or grey (H, W), sRGB.
        net: what predicts ab.
        look: how it is put to use.

    Returns:
        uint8 BGR (H, W, 3).

    Raises:
        EngineError: the engine stopped working.
        ModelError: the net's answer is no colour.
    """
    ab = net.predict(net_lightness(pixels, net.spec.input_size))
    return compose(pixels, ab, saturation=look.saturation)

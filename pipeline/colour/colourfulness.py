"""How colourful a picture is, in one figure that people agree with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def colourfulness(picture: NDArray[np.uint8]) -> float:
    """Return M3 of Hasler and Suesstrunk, "Measuring colourfulness in natural images" (2003); 0 for grey.

    Args:
        picture: BGR (H, W, 3).
    """
    blue, green, red = np.moveaxis(picture.astype(np.float32), 2, 0)
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    spread = np.hypot(red_green.std(), yellow_blue.std())
    return float(spread + 0.3 * np.hypot(red_green.mean(), yellow_blue.mean()))

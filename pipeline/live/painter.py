"""Colour for one frame after another, steady within a shot as far as one can be that knows no future."""

from __future__ import annotations

from collections import deque
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.colour import recipe
from pipeline.film.shots import Look as Glance
from pipeline.film.shots import difference
from pipeline.film.steady import WORKING, onward, small_luma
from pipeline.live.frame import Pixels
from pipeline.nets.net import Net

# Share of the newest answer in the mean that is carried along.
_SHARES: Final = {"off": 1.0, "normal": 0.3, "strong": 0.15}
# A cut: more unlike the frame before than this, and than what moved here lately. Without a future a flash is one, too.
_LEAST: Final = 0.55
_TIMES_LATELY: Final = 2.2
_LATELY: Final = 12


class Painter:
    """Colours the frames of one source, in order."""

    def __init__(self, net: Net, look: recipe.Look, steady: str) -> None:
        self._net = net
        self._look = look
        self._share = np.float32(_SHARES[steady])
        self._cuts = Cuts()
        self._small: NDArray[np.uint8] | None = None
        self._mean: NDArray[np.float32] | None = None

    def paint(self, picture: Pixels) -> tuple[Pixels, Pixels]:
        """Return a BGR frame's luma, uint8 (H, W), and its colours, uint8 BGR (H, W, 3)."""
        grey = recipe.grey_of(picture)
        ab = recipe.predict(grey, self._net)
        if self._share < 1:
            ab = self._steadied(grey, ab)
        return grey, recipe.coloured(grey, ab, self._look)

    def _steadied(self, grey: Pixels, answer: NDArray[np.float32]) -> NDArray[np.float32]:
        fresh: Any = cv2.resize(answer, WORKING, interpolation=cv2.INTER_LINEAR)
        small = small_luma(grey, 8)
        if not self._cuts.add(grey) and self._small is not None and self._mean is not None:
            fresh = onward(self._small, self._mean, small, fresh, self._share)
        self._small, self._mean = small, fresh
        return self._mean


class Cuts:
    """Says of each frame, as it comes, whether another shot begins with it."""

    def __init__(self) -> None:
        self._last: Glance | None = None
        self._lately: deque[float] = deque(maxlen=_LATELY)

    def add(self, grey: Pixels) -> bool:
        """Take the next frame."""
        glance = Glance(grey, 8)
        unlike = difference(self._last, glance) if self._last else 0.0
        cut = unlike > max(_LEAST, _TIMES_LATELY * float(np.median(self._lately)) if self._lately else 0.0)
        self._last = glance
        self._lately.append(unlike)
        return cut

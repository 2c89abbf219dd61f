"""Encode by OpenCV, which says of lack of memory what it says of any fault."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.ground.errors import ItemError, out_of_memory


def encoded(suffix: str, pixels: NDArray[Any], parameters: Sequence[int], failure: ItemError) -> NDArray[np.uint8]:
    """Return a picture encoded: uint8 (bytes,).

    Args:
        suffix: of the format, such as ".jpg".
        pixels: as `cv2.imencode` takes them.
        parameters: for it.
        failure: what is raised where OpenCV can't, with its reason added.

    Raises:
        ItemError: OpenCV can't.
        MemoryError: there is not enough memory.
    """
    try:
        fine, found = cv2.imencode(suffix, pixels, parameters)
    except cv2.error as error:
        if out_of_memory(error):
            raise MemoryError(str(error)) from None
        raise ItemError(f"{failure}: {error.err}", failure.cause) from None
    if not fine:
        raise failure
    return np.asarray(found, np.uint8)

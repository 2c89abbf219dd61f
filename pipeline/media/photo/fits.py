"""FITS holds whole numbers with their sign, and says in its header what to add to them (FITS 4.0, 4.4.2.5).

Pillow does not look at that.
"""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_HEADER: Final = 2880 * 4
_ZERO: Final = re.compile(rb"BZERO   = *([-+.0-9E]+)")
_PLANES: Final = re.compile(rb"NAXIS3  = *(\d+)")
_MIDDLE: Final = 32768.0


def planes(data: bytes) -> int:
    """Return how many planes of pixels a file's first picture has."""
    return int(found[1]) if (found := _PLANES.search(data[:_HEADER])) else 1


def as_meant(samples: NDArray[Any], data: bytes) -> NDArray[Any]:
    """Return samples of 16 bits with the sign that they have, or without one where the header moves them above 0.

    Args:
        samples: (H, W), as Pillow hands them out; of others than uint16 nothing changes.
        data: the file.
    """
    if samples.dtype != np.uint16:
        return samples
    found = _ZERO.search(data[:_HEADER])
    return samples ^ np.uint16(0x8000) if found and float(found[1]) == _MIDDLE else samples.view(np.int16)

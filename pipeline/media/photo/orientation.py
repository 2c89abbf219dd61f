"""Arrays turned back from upright to how a file stores them: colour goes where its luma lies."""

from __future__ import annotations

from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

TAG: Final = 0x0112  # in EXIF and in TIFF

Sample = TypeVar("Sample", np.uint8, np.uint16, np.float32)


def as_stored(upright: NDArray[Sample], orientation: int) -> NDArray[Sample]:
    """Return an upright picture as a file of this orientation stores it.

    Args:
        upright: (H, W) or (H, W, n), any dtype.
        orientation: EXIF's, 1 to 8.

    Returns:
        Of the same dtype, contiguous; (W, H) for 5 to 8.
    """
    turned = {
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: a.swapaxes(0, 1)[::-1],
        7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
        8: lambda a: a.swapaxes(0, 1)[:, ::-1],
    }.get(orientation, lambda a: a)(upright)
    return np.ascontiguousarray(turned)

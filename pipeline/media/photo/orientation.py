"""How a file says it is to be turned, and arrays turned back to how it stores them: colour goes where its luma lies."""

from __future__ import annotations

from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_XMP: Final = ("xmp", "XML:com.adobe.xmp")
TAG: Final = 0x0112  # in EXIF and in TIFF

Sample = TypeVar("Sample", np.uint8, np.uint16, np.float32)


def tag_of(image: Image.Image) -> int:
    """Return the orientation by EXIF, or TIFF's tag; 1 where neither says one.

    What XMP says counts for nothing, as with all other programs, though Pillow takes it where EXIF is silent.
    """
    held: dict[str | tuple[int, int], Any] = {name: image.info.pop(name) for name in _XMP if name in image.info}
    try:
        return int(image.getexif().get(TAG, 1))
    finally:
        image.info.update(held)


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

"""HEIC, as telephones write it: read through libheif, which the extra `heic` brings."""

from __future__ import annotations

import io
from typing import Any, Final

import numpy as np

from pipeline.ground.errors import Cause, ItemError
from pipeline.media.photo.decode import Decoded, Refused, bgr
from pipeline.media.photo.decoders import LIBHEIF

MISSING: Final = "HEIC: `pip install 'colorize-archive[heic]'` brings what reads it"


def prepare() -> None:
    """Let Pillow open HEIC: for its size, which is looked at before it is decoded, and for its metadata.

    Raises:
        ItemError: the extra is not installed.
    """
    try:
        import pi_heif
    except ImportError:
        raise ItemError(MISSING, Cause.LIBRARY) from None
    pi_heif.register_heif_opener(thumbnails=False, decode_threads=1)


def with_libheif(data: bytes) -> Decoded:
    """Decode the primary picture of a HEIC file; it comes upright, and in 16 bits where it has more than 8.

    Args:
        data: the whole file.

    Raises:
        Refused: libheif can't.
    """
    import pi_heif

    try:
        file = pi_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=False)
        samples: Any = np.asarray(file)
    except Exception as error:  # RuntimeError, ValueError, EOFError, SyntaxError: as libheif meets them
        raise Refused(f"broken data stream: {error}") from error
    return Decoded(bgr(samples), "", LIBHEIF)

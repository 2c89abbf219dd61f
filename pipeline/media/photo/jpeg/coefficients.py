"""The luma's coefficients through `jpeglib` (extra `jpeg`), for machines without libturbojpeg.

It works on files by name and is six times as slow (12 megapixels: 240 ms); it has wheels for Linux on x86, macOS and
Windows. MPL-2.0: used as it is, nothing of it is copied.
"""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path

from pipeline.ground.errors import ItemError
from pipeline.media.photo.words import failure


def available() -> bool:
    """Say whether `jpeglib` is installed."""
    return importlib.util.find_spec("jpeglib") is not None


def luma_coefficients(data: bytes) -> bytes:
    """Return a baseline grey JPEG with the first component's quantized coefficients, without marker segments.

    Args:
        data: the whole file, baseline or progressive.

    Raises:
        ItemError: `jpeglib` isn't there, or can't read the file.
    """
    try:
        import jpeglib
    except ImportError:
        raise ItemError("jpeglib is not installed") from None
    with tempfile.TemporaryDirectory(prefix="colorize-") as folder:
        source, target = Path(folder) / "source.jpg", Path(folder) / "luma.jpg"
        source.write_bytes(data)
        try:
            found = jpeglib.read_dct(str(source))
            made = jpeglib.from_dct(Y=found.Y, qt=found.qt[found.quant_tbl_no[0]][None])
            made.height, made.width = found.height, found.width
            made.write_dct(str(target))
            return target.read_bytes()
        except (OSError, ValueError, RuntimeError, IndexError, TypeError) as error:
            raise failure([str(error)], cut_short=False, kind="JPEG") from None

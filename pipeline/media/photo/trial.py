"""Whether Pillow decodes a file that was made up to try one."""

from __future__ import annotations

import io

from PIL import Image

from pipeline.media.photo.decoders import Format
from pipeline.media.photo.directories import DAMAGE


def decodes(data: bytes, format: Format) -> bool:
    """Tell whether Pillow reads a file's first picture to its end without a complaint."""
    try:
        with Image.open(io.BytesIO(data), formats=format.pillow) as image:
            image.load()
    except DAMAGE:
        return False
    return True

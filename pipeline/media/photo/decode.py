"""The decoders, each with what it said on its way: OpenCV, Pillow; tifffile and imagecodecs if installed."""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from pipeline.ground.errors import says_no_memory
from pipeline.media.photo import orientation
from pipeline.media.photo.decoders import IMAGECODECS, OPENCV, PILLOW, TIFFFILE
from pipeline.media.photo.directories import DAMAGE
from pipeline.media.photo.stderr import captured_stderr
from pipeline.media.photo.words import lacks

# What each EXIF orientation needs to come upright (Exif 2.32, 4.6.4).
_UPRIGHT: Final[dict[int, Callable[[NDArray[Any]], NDArray[Any]]]] = {
    2: lambda a: cv2.flip(a, 1),
    3: lambda a: cv2.rotate(a, cv2.ROTATE_180),
    4: lambda a: cv2.flip(a, 0),
    5: cv2.transpose,
    6: lambda a: cv2.rotate(a, cv2.ROTATE_90_CLOCKWISE),
    7: lambda a: cv2.flip(cv2.transpose(a), -1),
    8: lambda a: cv2.rotate(a, cv2.ROTATE_90_COUNTERCLOCKWISE),
}
_HALF: Final = cv2.IMREAD_REDUCED_GRAYSCALE_2 | cv2.IMREAD_IGNORE_ORIENTATION
_BAND_PIXELS: Final = 1 << 22
_JPEG: Final = (6, 7)  # compressions of a TIFF, of which YCbCr is handed out as RGB
_SEPARATE: Final = 2  # planes, one behind the other
_UNSURE: Final = (33003, 33004)  # JPEG 2000, as RGB or not, whatever the photometric interpretation says
_decoding = threading.Lock()
# What is wrong with a file stands in the manifest; their logs would be printed where nobody has set up logging.
for _library in ("PIL", "tifffile", "imagecodecs"):
    logging.getLogger(_library).addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a decoder made of a file.

    Attributes:
        samples: bool, integers or floats: (H, W), or (H, W, N) in BGR order with what is beside colour behind it.
        said: what the C code printed meanwhile.
        decoder: its name.
    """

    samples: NDArray[Any]
    said: str
    decoder: str


class Refused(Exception):
    """A decoder can't read the file."""


def with_opencv(data: bytes, page: int = 0, *, half: bool = False) -> Decoded:
    """Decode with OpenCV; orientation is applied to TIFF, and to nothing else.

    From memory and not by name, because `cv2.imread` fills in the rest of a truncated JPEG without a word.

    Args:
        data: the whole file.
        page: number of a TIFF's directory, from 0.
        half: of a grey JPEG, at half the size, rounded up; all of it is read all the same.

    Raises:
        Refused: it can't; what it said is the message.
    """
    array = np.frombuffer(data, np.uint8)
    with _decoding, captured_stderr() as said:
        try:
            samples = _page_of(array, page) if page else cv2.imdecode(array, _HALF if half else cv2.IMREAD_UNCHANGED)
        except cv2.error as error:
            samples, said.text = None, str(error.err)
    if samples is None and says_no_memory(said.text):
        raise MemoryError(said.text)
    if samples is None or lacks(said.text):
        raise Refused(said.text)
    return Decoded(samples, said.text, OPENCV)


def _page_of(data: NDArray[np.uint8], page: int) -> NDArray[Any] | None:
    fine, pages = cv2.imdecodemulti(data, cv2.IMREAD_UNCHANGED, range=(page, page + 1))
    return pages[0] if fine and pages else None


def with_pillow(image: Image.Image) -> Decoded:
    """Decode with Pillow; upright as EXIF says. Grey of more than 8 bits comes as it is stored, 0 white or not.

    Args:
        image: opened, at its page.

    Raises:
        Refused: it can't; its own words are the message.
    """
    if image.format == "SUN" and image.width * len(image.getbands()) % 2 and _runs(image):
        raise Refused("of a kind that is not supported: Pillow slants rows of an odd length")
    if image.format == "SUN" and any(mode in str(getattr(image, "tile", ())) for mode in ("BGRX", "RGBX")):
        raise Refused("of a kind that is not supported: Pillow takes the byte before the colours for one of them")
    with _decoding, captured_stderr() as said:
        try:
            orientation.tag_of(image)  # Pillow remembers this one
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
            samples = _samples(_plain(image))
        except DAMAGE as error:
            raise Refused(f"unexpected end of file: {error}" if isinstance(error, EOFError) else str(error)) from error
    if image.format == "XBM":  # its ones are ink
        samples = np.invert(samples)
    if image.format == "PPM" and samples.dtype == np.int32:  # scaled by Pillow, whatever its maximum was
        samples = samples.astype(np.uint16)
    return Decoded(samples, said.text, PILLOW)


def _runs(image: Image.Image) -> bool:
    """Tell whether it is stored in run lengths."""
    return any("rle" in each[0] for each in getattr(image, "tile", ()))


def _samples(image: Image.Image) -> NDArray[Any]:
    """Return a picture's samples; those of a large one in bands, since Pillow copies what it hands out twice."""
    if image.width * image.height <= _BAND_PIXELS:
        return bgr(np.asarray(image))
    rows, made = max(1, _BAND_PIXELS // image.width), None
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        band = bgr(np.asarray(image.crop((0, top, image.width, bottom))))
        if made is None:
            made = np.empty((image.height, *band.shape[1:]), band.dtype)
        made[top:bottom] = band
    assert made is not None
    return made


def bgr(samples: NDArray[Any]) -> NDArray[Any]:
    """Return samples in OpenCV's order, of which a decoder gave (H, W, 3 or 4) in RGB; others as they are."""
    if samples.ndim < 3 or samples.shape[2] not in (3, 4):
        return samples
    order = [2, 1, 0, 3][: samples.shape[2]]
    if samples.dtype in (np.uint8, np.uint16, np.float32):
        return cv2.cvtColor(samples, cv2.COLOR_RGB2BGR if len(order) == 3 else cv2.COLOR_RGBA2BGRA)
    return np.ascontiguousarray(samples[:, :, order])


def _plain(image: Image.Image) -> Image.Image:
    """Return a picture in a mode that numpy shows as it is meant."""
    mode = image.mode
    if mode in ("1", "YCbCr", "CMYK", "LAB", "HSV", "RGBX"):
        return image.convert("L" if mode == "1" else "RGB")
    if mode in ("P", "PA", "La", "RGBa"):
        return image.convert("LA" if mode == "La" else "RGBA" if image.has_transparency_data else "RGB")
    return image


def with_tifffile(data: bytes, page: int = 0) -> Decoded:
    """Decode a TIFF with tifffile (extra `scans`), which reads what libtiff finds odd; orientation is not applied.

    Raises:
        Refused: it is not installed, or can't.
    """
    try:
        import tifffile
    except ImportError:
        raise Refused("") from None
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            found = file.pages[page]
            samples = np.asarray(found.asarray())
            photometric, palette = int(getattr(found, "photometric", 1)), getattr(found, "colormap", None)
            bits = int(getattr(found, "bitspersample", 8))
            if samples.ndim == 3 and int(getattr(found, "planarconfig", 1)) == _SEPARATE:
                samples = np.moveaxis(samples, 0, 2)
            compression = int(getattr(found, "compression", 1))
    except Exception as error:  # of any kind, as its parsers meet them
        raise Refused(f"broken data stream: {error}") from error
    if compression in _UNSURE:
        raise Refused("of a kind that is not supported: be it RGB or YCbCr")
    if samples.dtype == np.uint8 and bits < 8 and photometric != 3:
        samples = np.rint(samples * (255 / ((1 << bits) - 1))).astype(np.uint8)
    return _one_picture(
        _shown(samples, 2 if photometric == 6 and compression in _JPEG else photometric, palette), TIFFFILE
    )


def _shown(samples: NDArray[Any], photometric: int, palette: NDArray[Any] | None) -> NDArray[Any]:
    """Return grey or RGB of what tifffile hands out as it is stored (photometric interpretations of TIFF 6.0)."""
    if photometric == 3 and palette is not None and samples.ndim == 2:
        return np.ascontiguousarray(np.moveaxis(palette[:, samples], 0, 2))
    if photometric == 5 and samples.ndim == 3 and samples.shape[2] == 4 and samples.dtype.kind == "u":
        return of_inks(samples)
    if photometric not in (0, 1, 2):
        raise Refused("of a kind that is not supported")
    if samples.dtype != np.uint8 or photometric != 0:
        return samples
    # As the others do; of deeper ones nobody does. What lies behind grey is no grey.
    return 255 - samples if samples.ndim == 2 else np.dstack([255 - samples[:, :, 0], samples[:, :, 1:]])


def of_inks(samples: NDArray[Any]) -> NDArray[Any]:
    """Return RGB of cyan, magenta, yellow and black, as Pillow takes them: each lets through what black leaves.

    Args:
        samples: uint8 or uint16 (H, W, 4), all of an ink at the top.
    """
    top = np.float32(np.iinfo(samples.dtype).max)
    left = top - samples[:, :, 3:].astype(np.float32)
    made = (top - samples[:, :, :3].astype(np.float32)) * left / top
    return np.rint(made).astype(samples.dtype)


def with_imagecodecs(data: bytes, codec: str) -> Decoded:
    """Decode with imagecodecs (extra `scans`); orientation is not applied.

    Args:
        data: the whole file.
        codec: "jpeg" or "jpeg2k".

    Raises:
        Refused: it is not installed, or can't.
    """
    try:
        import imagecodecs
    except ImportError:
        raise Refused("") from None
    try:
        samples = np.asarray(getattr(imagecodecs, f"{codec}_decode")(data))
    except Exception as error:
        raise Refused(f"broken data stream: {error}") from error
    return _one_picture(samples, IMAGECODECS)


def _one_picture(samples: NDArray[Any], decoder: str) -> Decoded:
    if samples.ndim not in (2, 3) or not samples.size:
        raise Refused("of a kind that is not supported: more than one picture in one")
    return Decoded(bgr(samples), "", decoder)


def upright(samples: NDArray[Any], turned: int) -> NDArray[Any]:
    """Turn samples (H, W) or (H, W, N) as an EXIF orientation says, 1 to 8; anything else leaves them."""
    turn = _UPRIGHT.get(turned)
    return turn(samples) if turn else samples

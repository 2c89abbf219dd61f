"""One still picture from a file: upright pixels, or a reason that a person understands."""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from pipeline.ground.errors import Cause, ItemError
from pipeline.ground.files import unreadable
from pipeline.ground.items import Picture
from pipeline.photo.decoders import recognise
from pipeline.photo.directories import DAMAGE, directories
from pipeline.photo.refusal import refusal
from pipeline.photo.stderr import captured_stderr

# Archive scans exceed Pillow's own limit; `guard` holds every picture to `max_megapixels` before it is decoded.
Image.MAX_IMAGE_PIXELS = None

_TRUNCATED: Final = "truncated: the file ends before the picture does"
_ORIENTATION: Final = 0x0112
_BITS_PER_SAMPLE: Final = 258
_PHOTOMETRIC: Final = 262
# What each EXIF orientation needs to come upright (Exif 2.32, 4.6.4).
_UPRIGHT: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    2: lambda a: cv2.flip(a, 1),
    3: lambda a: cv2.rotate(a, cv2.ROTATE_180),
    4: lambda a: cv2.flip(a, 0),
    5: cv2.transpose,
    6: lambda a: cv2.rotate(a, cv2.ROTATE_90_CLOCKWISE),
    7: lambda a: cv2.flip(cv2.transpose(a), -1),
    8: lambda a: cv2.rotate(a, cv2.ROTATE_90_COUNTERCLOCKWISE),
}
_decoding = threading.Lock()


def read(path: Path, *, max_megapixels: float, page: int | None = None) -> Picture[np.uint8]:
    """Decode a picture as 8 bits, upright as EXIF says.

    Args:
        path: the file.
        max_megapixels: larger ones are refused from their header.
        page: its number in a file of several, from 0; None: the first, with a note where there are more.

    Raises:
        FileNotFoundError: the file is gone.
        ItemError: it is no picture, is damaged or truncated, is not supported, is too large or may not be read.
    """
    try:
        with path.open("rb") as file, warnings.catch_warnings(action="ignore"):
            return _read(file, max_megapixels, page)
    except FileNotFoundError:
        raise
    except IsADirectoryError:
        raise ItemError("not a picture: it is a folder", Cause.NO_PICTURE) from None
    except MemoryError:
        raise ItemError("not enough memory to decode this picture", Cause.MEMORY) from None
    except OSError as error:
        raise unreadable(error) from None


def _read(file: io.BufferedReader, max_megapixels: float, page: int | None) -> Picture[np.uint8]:
    head = file.peek(4096)[:4096]
    if not head:
        raise ItemError("empty file")
    format = recognise(head)
    if format is None:
        raise refusal(head)
    try:
        image = Image.open(file, formats=format.pillow)
        if page:
            image.seek(page)
    except UnidentifiedImageError:
        if head[:4] in (b"II*\0", b"MM\0*"):
            return _read_tiff_with_opencv(file, max_megapixels, page or 0)
        raise refusal(head) from None
    except DAMAGE as error:
        raise _damage(error) from None
    with image:
        guard(image.size, max_megapixels)
        bits = _bits(image, head)
        samples = _samples(image, file, bits, page or 0)
        profile = image.info.get("icc_profile") or b""
        return _picture(samples, bits, profile, _note(image) if page is None else "")


def _samples(image: Image.Image, file: io.BufferedReader, bits: int, page: int) -> NDArray[Any]:
    """Return upright samples in BGR order, from OpenCV where it knows the format well, else from Pillow."""
    samples = None
    if image.format in ("JPEG", "MPO", "PNG") and image.mode != "CMYK":
        samples = _decode_with_opencv(file)
    elif image.format == "TIFF" and image.mode in ("RGB", "RGBA") and bits > 8:
        samples = _decode_with_opencv(file, page)  # Pillow knows no 16-bit colour
    if samples is None:
        return _decode_with_pillow(image, bits)
    if image.format == "TIFF":  # OpenCV turns TIFF upright by itself
        return samples
    return _upright(samples, _orientation(image, file))


def _picture(samples: NDArray[Any], bits: int, profile: bytes, note: str) -> Picture[np.uint8]:
    """Part alpha from colour, and scale to 8 bits."""
    pixels = _eight_bits(samples, bits)
    alpha = None
    if pixels.ndim == 3 and pixels.shape[2] in (2, 4):
        alpha = np.ascontiguousarray(pixels[:, :, -1])
        pixels = pixels[:, :, 0] if pixels.shape[2] == 2 else cv2.cvtColor(pixels, cv2.COLOR_BGRA2BGR)  # type: ignore[assignment]
        if alpha.min() == 255:
            alpha = None
    elif pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    return Picture(np.ascontiguousarray(pixels), alpha, bits, profile, note)


def guard(size: tuple[int, int], max_megapixels: float) -> None:
    """Raise `ItemError` where a picture of this size (width, height) is larger than the settings allow, or none."""
    width, height = size
    megapixels = width * height / 1e6
    if megapixels > max_megapixels:
        raise ItemError(
            f"too large: {width} x {height} is {_round(megapixels)} megapixels; "
            f"raise max_megapixels (now {max_megapixels:g}) to colorize it",
            Cause.TOO_LARGE,
        )
    if width < 1 or height < 1:
        raise ItemError("damaged: the picture has no size")


def _round(megapixels: float) -> str:
    return f"{megapixels:.0f}" if megapixels >= 10 else f"{megapixels:.2g}"


def _damage(error: BaseException) -> ItemError:
    text = str(error)
    if isinstance(error, EOFError) or "truncated" in text.lower() or "unexpected end" in text.lower():
        return ItemError(_TRUNCATED)
    return ItemError(f"damaged: {text or type(error).__name__}")


def _decode_with_opencv(file: io.BufferedReader, page: int = 0) -> NDArray[Any] | None:
    """Return samples as stored (BGR order, orientation not applied but for TIFF), None where OpenCV can't.

    From memory and not by name, because `cv2.imread` fills in the rest of a truncated JPEG without a word.
    """
    file.seek(0)
    data = np.frombuffer(file.read(), np.uint8)
    with _decoding, captured_stderr() as said:
        try:
            decoded = _decoded_page(data, page) if page else cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
        except cv2.error:
            decoded = None
    # libjpeg goes on after this warning and leaves the rest of the picture grey.
    if "premature end" in said.text.lower():
        raise ItemError(_TRUNCATED)
    file.seek(0)
    return decoded


def _decoded_page(data: NDArray[np.uint8], page: int) -> NDArray[Any] | None:
    fine, pages = cv2.imdecodemulti(data, cv2.IMREAD_UNCHANGED, range=(page, page + 1))
    return pages[0] if fine and pages else None


def _decode_with_pillow(image: Image.Image, bits: int) -> NDArray[Any]:
    """Return upright samples in BGR order: uint8, uint16 or float32; (H, W), (H, W, 2), (H, W, 3) or (H, W, 4)."""
    inverted = False
    if image.format == "TIFF" and image.mode.startswith("I;16"):
        inverted = getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == 0
    try:
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        mode = image.mode
        if mode in ("1", "YCbCr", "CMYK", "LAB", "HSV", "RGBX"):
            image = image.convert("L" if mode == "1" else "RGB")
        elif mode in ("P", "PA", "La", "RGBa"):
            target = "LA" if mode == "La" else "RGBA" if image.has_transparency_data else "RGB"
            image = image.convert(target)
        samples: NDArray[Any] = np.asarray(image)
    except DAMAGE as error:
        raise _damage(error) from None
    if samples.ndim == 3 and samples.shape[2] >= 3:
        samples = cv2.cvtColor(samples, cv2.COLOR_RGB2BGR if samples.shape[2] == 3 else cv2.COLOR_RGBA2BGRA)
    return ((1 << min(bits, 16)) - 1) - samples if inverted else samples


def _eight_bits(samples: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """Scale samples of any depth to uint8, full range to full range."""
    if samples.dtype == np.uint8:
        return samples
    if samples.dtype == bool:
        return samples.astype(np.uint8) * np.uint8(255)
    if samples.dtype.byteorder not in ("=", "|"):
        samples = samples.astype(samples.dtype.newbyteorder("="))
    if samples.dtype == np.uint16:
        return cv2.convertScaleAbs(samples, alpha=255 / ((1 << bits) - 1 if 8 < bits < 16 else 65535))  # type: ignore[return-value]
    values = np.nan_to_num(samples.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    # Floats carry no range of their own: 0..1, 8 or 16 bits where the values fit, else what is there.
    if low >= 0:
        white = next((white for white in (1.0, 255.0, 65535.0) if high <= white * 1.001), high)
        low, high = 0.0, white
    if high <= low:
        return np.zeros(values.shape, np.uint8)
    scaled: NDArray[np.uint8] = np.clip((values - low) * (255 / (high - low)) + 0.5, 0, 255).astype(np.uint8)
    return scaled


def _bits(image: Image.Image, head: bytes) -> int:
    if image.format == "TIFF":
        stored = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, (1,))
        return int(max(stored)) if isinstance(stored, tuple) else int(stored)
    if image.format == "PNG" and len(head) > 24 and head[12:16] == b"IHDR":
        return head[24]
    if image.mode == "1":
        return 1
    return {"I": 16, "F": 32}.get(image.mode, 16 if image.mode.startswith("I;16") else 8)


def _note(image: Image.Image) -> str:
    if image.format == "MPO":  # a preview or the second eye; the first picture is the photograph
        return ""
    try:
        count = int(getattr(image, "n_frames", 1))
    except DAMAGE:
        return ""
    return f"first of {count} {'pages' if image.format == 'TIFF' else 'frames'}" if count > 1 else ""


def _orientation(image: Image.Image, file: io.BufferedReader) -> int:
    # Asked for EXIF, Pillow decodes a whole PNG that has none in its header.
    if image.format == "PNG" and "exif" not in image.info:
        file.seek(0)
        if b"eXIf" not in file.read():
            return 1
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except DAMAGE:  # EXIF is full of rubbish; the picture is still good
        return 1


def _upright(samples: NDArray[Any], orientation: int) -> NDArray[Any]:
    turn = _UPRIGHT.get(orientation)
    return turn(samples) if turn else samples


def _read_tiff_with_opencv(file: io.BufferedReader, max_megapixels: float, page: int) -> Picture[np.uint8]:
    """Read a TIFF that Pillow refuses (grey with an extra sample, for one), its size checked from its directory."""
    try:
        directory = next(islice(directories(file), page, None))
        size = int(directory[256]), int(directory[257])
        stored = directory.get(_BITS_PER_SAMPLE, (1,))
    except (ItemError, StopIteration, *DAMAGE):
        raise ItemError("damaged: a TIFF without a picture") from None
    guard(size, max_megapixels)
    samples = _decode_with_opencv(file, page)
    if samples is None:
        reason = "damaged, or a kind of TIFF that is not supported; save it as 8- or 16-bit grey or RGB"
        raise ItemError(reason, Cause.NOT_SUPPORTED)
    return _picture(samples, int(max(stored)), b"", "")

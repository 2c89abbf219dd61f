"""One picture to bytes, and bytes to their place: a file appears only when it is whole."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.errors import OutputError, PhotoError

Bytes = bytes | bytearray | memoryview

SUFFIXES: Final = {"jpg": ".jpg", "png": ".png", "tif": ".tif", "webp": ".webp"}
# Longest side: JPEG_MAX_DIMENSION of libjpeg, WEBP_MAX_DIMENSION of libwebp, PNG_USER_WIDTH_MAX of libpng.
_LONGEST: Final = {"jpg": 65500, "webp": 16383, "png": 1_000_000}
_CHUNK: Final = 1 << 20
# The next picture would meet the same: the run stops instead of failing ten thousand times.
_FATAL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE, errno.ENODEV}


def encode(
    pixels: NDArray[np.uint8], format: str, quality: int = 95, alpha: NDArray[np.uint8] | None = None
) -> memoryview:
    """Encode a picture.

    JPEG: baseline, chroma at full size (4:4:4), since chroma is what we made. PNG: zlib level 1. TIFF: LZW with
    horizontal differencing. WebP: method 2, half the time of the default at the same size.

    Args:
        pixels: uint8 BGR (H, W, 3) or grey (H, W).
        format: "jpg", "png", "tif" or "webp".
        quality: 1 to 100, of JPEG and WebP.
        alpha: uint8 (H, W), 255 opaque; dropped by JPEG, which has none.

    Returns:
        The file's bytes.

    Raises:
        PhotoError: the picture is too large for the format, or the encoder refuses it.
        ValueError: unknown format.
    """
    if format not in SUFFIXES:
        raise ValueError(f"unknown format {format!r}")
    height, width = pixels.shape[:2]
    if max(height, width) > _LONGEST.get(format, max(height, width)):
        raise PhotoError(
            f"too large for {format}: {width} x {height}, and its longest side is {_LONGEST[format]} pixels; "
            f"choose format {'tif' if max(height, width) > _LONGEST['png'] else 'png or tif'}"
        )
    if format == "webp":
        return _webp(pixels, quality, alpha)
    parameters = {
        "jpg": [
            cv2.IMWRITE_JPEG_QUALITY,
            quality,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
        ],
        "png": [cv2.IMWRITE_PNG_COMPRESSION, 1],
        "tif": [cv2.IMWRITE_TIFF_COMPRESSION, 5, cv2.IMWRITE_TIFF_PREDICTOR, 2],
    }[format]
    if alpha is not None and format != "jpg":
        pixels = _with_alpha(pixels, alpha)
    try:
        fine, encoded = cv2.imencode(SUFFIXES[format], pixels, parameters)
    except cv2.error as error:
        raise PhotoError(f"cannot be encoded as {format}: {error.err}") from None
    if not fine:
        raise PhotoError(f"cannot be encoded as {format}")
    return memoryview(encoded).cast("B")  # type: ignore[arg-type]


def _with_alpha(pixels: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    colour = cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR) if pixels.ndim == 2 else pixels
    blue, green, red = cv2.split(colour)
    return cv2.merge((blue, green, red, alpha))  # type: ignore[return-value]


def _webp(pixels: NDArray[np.uint8], quality: int, alpha: NDArray[np.uint8] | None) -> memoryview:
    if alpha is not None:
        ordered = cv2.cvtColor(_with_alpha(pixels, alpha), cv2.COLOR_BGRA2RGBA)
    else:
        ordered = cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB if pixels.ndim == 2 else cv2.COLOR_BGR2RGB)
    buffer = io.BytesIO()
    try:
        Image.fromarray(ordered).save(buffer, "WEBP", quality=quality, method=2)
    except (OSError, ValueError) as error:
        raise PhotoError(f"cannot be encoded as webp: {error}") from None
    return buffer.getbuffer()


def publish(data: Bytes | Path, destination: Path, tmp_dir: Path) -> tuple[int, str]:
    """Write a file so that it appears whole or not at all: its bytes are on the disk before it has its name.

    Args:
        data: the bytes, or a finished file inside `tmp_dir`, which is moved.
        destination: where it goes; missing folders are made, an older file is replaced.
        tmp_dir: an existing folder on the same file system; it is never made here, so that a worker whose run is
            over cannot publish any more.

    Returns:
        Size in bytes, sha256 in hexadecimal.

    Raises:
        OutputError: nothing can be written at all: no space, read-only, or `tmp_dir` is gone.
        PhotoError: this file can't be written there: name too long, permission, something in the way.
    """
    if isinstance(data, Path):
        try:
            with data.open("r+b") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                os.fsync(file.fileno())
            size = data.stat().st_size
        except OSError as error:
            raise _unwritable(error, tmp_dir) from None
        _move(data, destination, tmp_dir)
        return size, digest
    view = memoryview(data).cast("B")
    return _place((view[at : at + _CHUNK] for at in range(0, len(view), _CHUNK)), destination, tmp_dir, None)


def copy_bytes(source: Path, destination: Path, tmp_dir: Path) -> tuple[int, str]:
    """Copy a file byte for byte, with its modification time, as safely as `publish`.

    Returns:
        Size in bytes, sha256 in hexadecimal.

    Raises:
        FileNotFoundError: the source is gone.
        PhotoError: the source can't be read, or this file can't be written there.
        OutputError: nothing can be written at all.
    """
    try:
        file = source.open("rb")
    except FileNotFoundError:
        raise
    except PermissionError:
        raise PhotoError("permission denied") from None
    except OSError as error:
        raise PhotoError(f"cannot be read: {error.strerror or error}") from None
    with file:
        return _place(_chunks(file), destination, tmp_dir, os.fstat(file.fileno()))


def _chunks(file: io.BufferedReader) -> Iterator[bytes]:
    while True:
        try:
            chunk = file.read(_CHUNK)
        except OSError as error:
            raise PhotoError(f"cannot be read: {error.strerror or error}") from None
        if not chunk:
            return
        yield chunk


def _place(chunks: Iterable[Bytes], destination: Path, tmp_dir: Path, times: os.stat_result | None) -> tuple[int, str]:
    temporary = tmp_dir / f"{uuid.uuid4().hex}.part"
    digest, size = hashlib.sha256(), 0
    try:
        try:
            with temporary.open("xb", buffering=0) as file:
                for chunk in chunks:
                    digest.update(chunk)
                    rest = memoryview(chunk)
                    size += len(rest)
                    while rest:  # an unbuffered write may take less than it was given
                        rest = rest[file.write(rest) or 0 :]
                if times is not None:
                    os.utime(temporary, ns=(times.st_atime_ns, times.st_mtime_ns))
                os.fsync(file.fileno())
        except OSError as error:
            raise _unwritable(error, tmp_dir) from None
        _move(temporary, destination, tmp_dir)
    finally:
        temporary.unlink(missing_ok=True)
    return size, digest.hexdigest()


def _move(temporary: Path, destination: Path, tmp_dir: Path) -> None:
    try:
        # The folders are not fsynced: should a power cut undo a rename, the next run sees that the file is missing and
        # makes it again. Waiting for it took a fifth of the time of a small picture.
        destination.parent.mkdir(parents=True, exist_ok=True)
        temporary.replace(destination)
    except OSError as error:
        raise _unwritable(error, tmp_dir) from None


def _unwritable(error: OSError, tmp_dir: Path) -> OutputError | PhotoError:
    text = error.strerror or str(error)
    if error.errno in _FATAL:
        return OutputError(f"The output cannot be written: {text}. Make room or choose another output, then run again.")
    if not tmp_dir.is_dir():
        return OutputError(f"The folder {tmp_dir} is gone: another run has taken over this output, or it was removed.")
    if not os.access(tmp_dir, os.W_OK | os.X_OK):
        return OutputError(f"The folder {tmp_dir} cannot be written: {text}.")
    if error.errno == errno.EXDEV:
        return PhotoError("cannot be written: its folder lies on another file system than the output")
    if error.errno in (errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY):
        return PhotoError("cannot be written: a file or folder of the same name is in the way")
    return PhotoError(f"cannot be written: {text}")

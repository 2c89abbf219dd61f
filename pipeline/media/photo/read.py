"""One still picture from a file: upright pixels, or a reason that a person understands."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from pipeline.ground.errors import Cause, ItemError, out_of_memory
from pipeline.ground.files import unreadable
from pipeline.ground.items import Picture
from pipeline.ground.opened import opened, size_of
from pipeline.media.photo import damage, fits, guessed, heif, orientation, png, precision, read_tiff, words
from pipeline.media.photo.decode import Decoded, Refused, upright, with_imagecodecs, with_opencv, with_pillow
from pipeline.media.photo.decoders import (
    AVIF,
    HEIC,
    IMAGECODECS,
    JPEG,
    JPEG2000,
    LIBHEIF,
    OPENCV,
    PILLOW,
    PNG,
    TIFF,
    Format,
    recognise,
)
from pipeline.media.photo.directories import DAMAGE
from pipeline.media.photo.jpeg.segments import check
from pipeline.media.photo.jpeg.warnings import end_of
from pipeline.media.photo.memory import Shape, can_be_read, large, shape_of, shape_of_tiff
from pipeline.media.photo.metadata import profile_of
from pipeline.media.photo.refusal import header_size, refusal
from pipeline.media.photo.samples import Meaning, parted, scaled

# Archive scans exceed Pillow's own limit; `guard` holds every picture to `max_megapixels` before it is decoded.
Image.MAX_IMAGE_PIXELS = None
_BYTES_A_PIXEL: Final = 32  # four samples of eight bytes
_BESIDE_PIXELS: Final = 1 << 30  # previews, texts, other frames
_NO_MEMORY: Final = "not enough memory to decode this picture"


def read(
    path: Path,
    *,
    max_megapixels: float,
    page: int | None = None,
    damaged: bool = False,
    room: Callable[[Shape], None] = lambda shape: None,
    half: bool = False,
) -> Picture[Any]:
    """Decode a picture, upright as EXIF says: 8 bits where its samples have no more, else 16.

    Args:
        path: the file.
        max_megapixels: larger ones are refused from their header.
        page: number of a directory in a TIFF, from 0; None: the photograph, with a note where there are more.
        damaged: take what a decoder made of a picture of which a part is wrong, with a note, instead of refusing it.
        half: of a large grey JPEG, hand out half the size, which suffices where its luma is kept as it is.
        room: told what the header says before anything is decoded; what it raises ends the reading.

    Raises:
        FileNotFoundError: the file is gone.
        ItemError: it is no picture, is damaged or truncated, is not supported, is too large or may not be read.
    """
    limits = _Limits(max_megapixels, room, half)
    try:
        with opened(path) as file, warnings.catch_warnings(action="ignore"):
            return _read(file, limits, page, damaged)
    except FileNotFoundError:
        raise
    except ItemError as error:
        if error.cause is Cause.DAMAGED and not can_be_read(limits.shape, path):
            raise ItemError(_NO_MEMORY, Cause.MEMORY) from None
        raise
    except IsADirectoryError:
        raise ItemError("not a picture: it is a folder", Cause.NO_PICTURE) from None
    except OSError as error:
        raise unreadable(error) from None
    except Exception as error:
        if not out_of_memory(error):
            raise
        raise ItemError(_NO_MEMORY, Cause.MEMORY) from None


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


def guard_stored(size: int, max_megapixels: float) -> None:
    """Raise `ItemError` where a file has more bytes than the largest picture that the settings allow can take."""
    if size > max_megapixels * 1e6 * _BYTES_A_PIXEL + _BESIDE_PIXELS:
        raise ItemError(
            f"too large: {size:,} bytes are more than a picture of {max_megapixels:g} megapixels has; "
            "raise max_megapixels to read it all the same",
            Cause.TOO_LARGE,
        )


@dataclass(slots=True)
class _Limits:
    """How large a picture may be, and who says whether there is room for it.

    Attributes:
        shape: what the header said; None: nothing yet.
    """

    max_megapixels: float
    room: Callable[[Shape], None]
    half: bool
    shape: Shape | None = None

    def check(self, shape: Shape) -> None:
        self.shape = shape
        guard((shape.width, shape.height), self.max_megapixels)
        self.room(shape)


@dataclass(slots=True)
class _Source:
    """A file on its way through the decoders.

    Attributes:
        file: open.
        head: its first bytes.
        format: what they say.
        image: it, opened by Pillow; None where Pillow can't.
        refused: what the decoders said that gave up, in their order.
        note: what was left out before any decoder saw it.
        half: OpenCV is to decode it at half the size.
        end: as `Picture.end`.
    """

    file: io.BufferedReader
    head: bytes
    format: Format
    image: Image.Image | None = None
    refused: list[tuple[str, str]] = field(default_factory=list)
    note: str = ""
    half: bool = False
    end: int = 0
    _data: bytes = b""

    def data(self) -> bytes:
        """Return all of it."""
        if not self._data:
            self.file.seek(0)
            self._data = self.file.read()
            self.file.seek(0)
        return self._data

    def close(self) -> None:
        """Put the marker of its end behind the data of a JPEG that lacks nothing but that."""
        self.end = end_of(self.data(), _listen)
        if self.end:
            self.leave_out(self.data()[: self.end] + b"\xff\xd9", "the marker of its end is missing")

    def leave_out(self, data: bytes, note: str) -> None:
        """Take these bytes for the file's."""
        self._data, self.note = data, note


def _read(file: io.BufferedReader, limits: _Limits, page: int | None, damaged: bool) -> Picture[Any]:
    head = file.peek(4096)[:4096]
    if not head:
        raise ItemError("empty file")
    format = recognise(head)
    if format is None:
        raise refusal(head)
    if format is TIFF:
        return _read_tiff(file, limits, page, damaged)
    if format is HEIC:
        heif.prepare()
    stored = size_of(file)
    guard_stored(stored, limits.max_megapixels)
    limits.room(Shape(format.name, 0, 0, stored=stored))  # all of it is read
    source = _Source(file, head, format)
    if format is PNG:
        png.check(source.data())
    elif format is JPEG:
        check(source.data())
        source.close()
    _open(source, limits)
    image = source.image
    source.half = limits.half and format is JPEG and image is not None and image.mode == "L" and large(image.size)
    decoded = _decoded(source)
    if format is PNG:
        decoded = replace(decoded, samples=png.with_transparency(decoded.samples, source.data()))
    phrase = _damage(source, decoded)
    profile = profile_of(image) if image else b""
    notes = (*guessed.notes(image, format, source.data()), _named(source, decoded), source.note)
    picture = replace(_picture(decoded, _meaning(source, decoded), profile, phrase, damaged, *notes), end=source.end)
    if source.half and image is not None and decoded.decoder == OPENCV:
        turned = _orientation(source) >= 5
        picture = replace(picture, whole=image.size if turned else image.size[::-1])
    return picture


def _open(source: _Source, limits: _Limits) -> None:
    """Open a file with Pillow; where Pillow does not know it, its header must say how large it is."""
    try:
        source.image = Image.open(source.file, formats=source.format.pillow)
        size: tuple[int, int] | None = source.image.size
    except DAMAGE as error:
        size = _opened_lean(source) or header_size(_beginning(source))
        if source.image is None:
            source.refused.append((PILLOW, str(error)))
    if size is None:
        raise _failure(source)
    limits.check(shape_of(source.image, source.format, size, source.head, source.file))


def _opened_lean(source: _Source) -> tuple[int, int] | None:
    """Open a PNG of which Pillow finds a text too large, without that: the photograph is not to blame."""
    lean = png.without_large_texts(source.data()) if source.format is PNG else b""
    if not lean or lean is source.data():
        return None
    source.leave_out(lean, png.TEXTS_LEFT_OUT)
    with suppress(*DAMAGE):
        source.image = Image.open(io.BytesIO(lean), formats=source.format.pillow)
    return source.image.size if source.image else None


def _decoded(source: _Source) -> Decoded:
    """Decode with the first of the format's decoders that can."""
    for name in _order(source):
        with suppress(_Next):
            return _tried(name, source)
    raise _failure(source)


def _order(source: _Source) -> tuple[str, ...]:
    """Pillow comes first where OpenCV would show ink, last where it knows 8 bits alone, and not if it can't open it."""
    names, image = source.format.order, source.image
    others = tuple(name for name in names if name != PILLOW)
    if image is None:
        return others
    if image.mode == "CMYK":
        return (PILLOW, *others)
    deep = source.format in (AVIF, JPEG2000) and precision.bits_of(source.format, source.data()) > 8
    mixed_up = source.format is JPEG2000 and precision.is_ycc(source.data())  # by OpenCV, where it is deep
    return (*others, PILLOW) if deep and not mixed_up and image.mode not in ("I;16", "LA") else names


class _Next(Exception):
    """The next decoder's turn."""


def _tried(name: str, source: _Source) -> Decoded:
    try:
        return _DECODERS[name](source)
    except Refused as error:
        source.refused.append((name, str(error)))
        raise _Next from None


def _opencv(source: _Source) -> Decoded:
    made = with_opencv(source.data(), half=source.half)
    if source.format is AVIF and made.samples.ndim == 2:
        made = replace(made, samples=precision.from_video(made.samples, source.data()))
    return Decoded(upright(made.samples, _orientation(source)), made.said, made.decoder)


def _pillow(source: _Source) -> Decoded:
    assert source.image is not None
    made = with_pillow(source.image)
    return replace(made, samples=fits.as_meant(made.samples, source.data())) if source.image.format == "FITS" else made


def _imagecodecs(source: _Source) -> Decoded:
    if damage.cut_short(source.format, source.data()):  # it would fill up the rest without a word
        raise Refused("")
    made = with_imagecodecs(source.data(), "jpeg" if source.format is JPEG else "jpeg2k")
    return Decoded(upright(made.samples, _orientation(source)), made.said, made.decoder)


def _libheif(source: _Source) -> Decoded:
    return heif.with_libheif(source.data())


_DECODERS: Final[dict[str, Callable[[_Source], Decoded]]] = {
    OPENCV: _opencv,
    PILLOW: _pillow,
    IMAGECODECS: _imagecodecs,
    LIBHEIF: _libheif,
}


def _failure(source: _Source) -> ItemError:
    said = [text for _, text in source.refused]
    short = damage.cut_short(source.format, source.data()) or words.say_cut(said)
    known = refusal(_beginning(source), source.format.name) if source.image is None else None
    alone = source.format.order == (PILLOW,) and source.format not in damage.LOOKED_INTO
    if alone and known and known.cause is Cause.DAMAGED and not any(map(words.phrase_of, said)):
        known = None  # what it says is known of no damage
    if known and (not short or (source.format is JPEG and known.cause is Cause.NOT_SUPPORTED)):
        return known
    if alone:
        said.append("not supported")  # who alone knows a format does not know all of it
    return words.failure(said, cut_short=short, kind=source.format.name)


def _beginning(source: _Source) -> bytes:
    """Return what holds the header of a file: a JPEG's may come behind all of its metadata."""
    return source.data() if source.format is JPEG else source.head


def _damage(source: _Source, decoded: Decoded) -> str:
    """Return what is wrong inside a picture that was decoded; raise where the file ends before it."""
    said = decoded.said
    if source.format is JPEG and decoded.decoder != OPENCV:
        said = _listen(source.data())
    if source.format not in damage.LOOKED_INTO:
        return words.heard(said)
    return damage.damage_of(source.format, source.data(), said, decoded.samples, _listen)


def _listen(data: bytes) -> str:
    """Return what OpenCV's decoders say of a file, which is more than others let us know."""
    try:
        return with_opencv(data).said
    except Refused as refused:
        return str(refused) or "refused"


def _named(source: _Source, decoded: Decoded) -> str:
    gave_up = [name for name, _ in source.refused if name != decoded.decoder]
    return f"read by {decoded.decoder}: {' and '.join(dict.fromkeys(gave_up))} cannot" if gave_up else ""


def _picture(
    decoded: Decoded, meaning: Meaning, profile: bytes, phrase: str, damaged: bool, *notes: str
) -> Picture[Any]:
    """Scale to 8 or 16 bits, part alpha from colour, and say what was guessed."""
    if phrase and not damaged:
        raise words.inside(phrase)
    pixels, meant = scaled(decoded.samples, meaning)
    colour, alpha = parted(pixels)
    fewer = f"decoded in 8 of its {meaning.bits} bits" if decoded.samples.dtype == np.uint8 and meaning.bits > 8 else ""
    said = (f"damaged inside: {phrase}" if phrase else "", *notes, fewer, meant)
    note = "; ".join(each for each in said if each)
    return Picture(np.ascontiguousarray(colour), alpha, meaning.bits, profile, note)


def _meaning(source: _Source, decoded: Decoded) -> Meaning:
    format, image = source.format, source.image
    bits = precision.bits_of(format, source.data())
    if not bits and image is not None:
        bits = {"1": 1, "I": 16, "F": 32}.get(image.mode, 16 if image.mode.startswith("I;16") else 8)
    # Pillow of JPEG 2000, and libheif, fill samples up with zeros.
    shifted = decoded.decoder == (PILLOW if format is JPEG2000 else LIBHEIF)
    bits = bits or decoded.samples.dtype.itemsize * 8
    return Meaning(bits, shifted=shifted, guess=bits == 16)


def _orientation(source: _Source) -> int:
    image = source.image
    # Asked for EXIF, Pillow decodes a whole PNG that has none in its header.
    if image is None or (image.format == "PNG" and "exif" not in image.info and b"eXIf" not in source.data()):
        return 1
    try:
        return orientation.tag_of(image)
    except DAMAGE:  # EXIF is full of rubbish; the picture is still good
        return 1


def _read_tiff(file: io.BufferedReader, limits: _Limits, page: int | None, damaged: bool) -> Picture[Any]:
    try:
        chosen = read_tiff.chosen(file, page)
        limits.check(shape_of_tiff(chosen, file))
        found = read_tiff.decode(file, chosen)
    except DAMAGE as error:
        if isinstance(error, OSError) and error.errno:  # the disk's fault
            raise
        raise words.failure([str(error)], cut_short=False, kind=TIFF.name) from None
    notes = [f"first of {chosen.pages} pages"] if page is None and chosen.pages > 1 else []
    made = _picture(found.decoded, found.meaning, found.profile, found.phrase, damaged, *notes, *found.notes)
    return replace(made, page=chosen.number)

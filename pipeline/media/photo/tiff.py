"""Which picture of a TIFF is the photograph, and how its samples are to be taken: decided here, from the tags alone."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from PIL import TiffImagePlugin

from pipeline.ground.errors import Cause, ItemError
from pipeline.ground.opened import size_of
from pipeline.media.photo import deflate, refusal, strips
from pipeline.media.photo.directories import DAMAGE, TooManyDirectories, directories, directory
from pipeline.media.photo.pages import is_page
from pipeline.media.photo.samples import Meaning
from pipeline.media.photo.words import TRUNCATED, ZEROS

# Tags (TIFF 6.0; DNG 1.4 for the raw ones).
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_STRIPS, _STRIP_SIZES, _TILES, _TILE_SIZES = 273, 279, 324, 325
_SAMPLES, _MAX_VALUE, _COLOUR_MAP, _SUBDIRECTORIES, _EXTRA, _FORMAT = 277, 281, 320, 330, 338, 339
_SMIN_VALUE, _SMAX_VALUE, _PLANAR = 340, 341, 284
_SEPARATE: Final = 2
_PROFILE: Final = 34675
_DNG_VERSION: Final = 50706
_RAW: Final = (32803, 34892)  # colour filter array, linear raw
_LOG: Final = (32844, 32845)
INTEGER, FLOAT, _VOID = 1, 3, 4
_UNSUITED: Final = {5: "complex numbers", 6: "complex numbers"}
_DEFLATE: Final = (8, 32946)
_PACKBITS: Final = 32773
# Compressions whose decoder in libtiff warns of damage and goes on: fax (2 to 4) and JPEG (7).
_FORGIVING: Final = (2, 3, 4, 7)
_ASSOCIATED: Final = 1
_FAX: Final = (2, 3, 4)
_INKS: Final = 5
_YCBCR: Final = 6
_JPEG: Final = (6, 7)  # which knows its sampling itself
_SUBSAMPLING: Final = 530
_SAMPLINGS: Final = ((4, 4), (4, 2), (4, 1), (2, 2), (2, 1), (1, 2), (1, 1))  # those that libtiff reads
_RARE: Final = {
    33003: "JPEG 2000",
    33005: "JPEG 2000",
    34712: "JPEG 2000",
    34887: "LERC",
    34925: "LZMA",
    50000: "Zstandard",
    50001: "WebP",
    50002: "JPEG XL",
}
_TRANSPARENCY: Final = (_ASSOCIATED, 2)
_COLOURS: Final = {0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3, 8: 3, 9: 3}
_LAB: Final = (8, 9)

_NUMBERS: Final = frozenset((254, 255, 256, 257, 258, 259, 262, 273, 277, 279, 281, 284, 320, 324, 325, 330, 338, 339))

# What is to be known of a page behind the one that is taken.
_OF_PAGES: Final = (254, 255, 262, 330, 50706)

Tags = Mapping[int, Any]


@dataclass(frozen=True, slots=True)
class Directory:
    """The directory that holds the photograph.

    Attributes:
        number: its place in the chain, from 0; of a picture within another, that of the one it is in.
        offset: where it lies in the file, of a picture within another; 0 for one of the chain.
        tags: its own.
        pages: how many of the chain are pages.
    """

    number: int
    offset: int
    tags: Tags
    pages: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, as stored."""
        return int(self.tags.get(_WIDTH, 0)), int(self.tags.get(_HEIGHT, 0))

    @property
    def bits(self) -> int:
        """Of the deepest sample."""
        return max(1, *numbers(self.tags.get(_BITS, 1)))

    @property
    def samples(self) -> int:
        """Number of channels as decoded: colours, and what is beside them."""
        palette = self.tags.get(_PHOTOMETRIC, 1) == 3
        return 3 if palette else max(1, *numbers(self.tags.get(_SAMPLES, 1)))

    @property
    def sample_format(self) -> int:
        """Tag SampleFormat of the first sample; 1 where there is none, or it is undefined."""
        found = numbers(self.tags.get(_FORMAT, INTEGER))[0]
        return INTEGER if found == _VOID else found

    @property
    def grey_is_inverted(self) -> bool:
        """0 is white."""
        return bool(self.tags.get(_PHOTOMETRIC, 1) == 0)

    @property
    def taken_as_black(self) -> bool:
        """It does not say what 0 is, as each must (TIFF 6.0, page 37); of fax 0 is white then."""
        return _PHOTOMETRIC not in self.tags and int(self.tags.get(_COMPRESSION, 1)) not in _FAX

    @property
    def is_compressed(self) -> bool:
        """By whatever way."""
        return int(self.tags.get(_COMPRESSION, 1)) != 1

    @property
    def transparent(self) -> bool:
        """It has a channel of transparency."""
        return max(numbers(self.tags.get(_SAMPLES, 1))) > 1 and any(
            kind in _TRANSPARENCY for kind in numbers(self.tags.get(_EXTRA, 0))
        )

    @property
    def forgiving(self) -> bool:
        """Its decoder only warns of damage."""
        return self.tags.get(_COMPRESSION, 1) in _FORGIVING

    @property
    def colours(self) -> int:
        """Number of channels of the decoded colour: 1 or 3."""
        return 1 if self.tags.get(_PHOTOMETRIC, 1) in (0, 1) else 3

    @property
    def has_small_palette(self) -> bool:
        """The entries of its palette are of 8 bits, not 16, as some write them; OpenCV knows, Pillow makes it black."""
        return self.tags.get(_PHOTOMETRIC) == 3 and max(numbers(self.tags.get(_COLOUR_MAP, 65535))) < 256

    @property
    def profile(self) -> bytes:
        """Its ICC profile; empty where there is none."""
        found = self.tags.get(_PROFILE, b"")
        return bytes(found) if isinstance(found, (bytes, bytearray)) else b""

    @property
    def opaque_extra(self) -> int:
        """Number of channels behind the colours that are no transparency: infrared, masks, what is not said."""
        kinds = numbers(self.tags.get(_EXTRA, ()))
        count = int(self.tags.get(_SAMPLES, 1)) - _COLOURS.get(self.tags.get(_PHOTOMETRIC, 1), 3)
        # Where the tag is missing, other programs take the channel for transparency.
        return 0 if count <= 0 or _EXTRA not in self.tags or any(kind in _TRANSPARENCY for kind in kinds) else count

    @property
    def unusual(self) -> str:
        """What only the decoders of the extra `scans` read, as a phrase; usually nothing."""
        if compression := _RARE.get(self.tags.get(_COMPRESSION, 1)):
            return f"compressed as {compression}"
        usual = self.bits in (1, 2, 4, 8, 10, 12, 14) or self.bits % 16 == 0 or self.sample_format == FLOAT
        return "" if usual else f"with {self.bits}-bit samples"

    @property
    def apart(self) -> bool:
        """Each of its channels is a plane of its own."""
        return self.tags.get(_PLANAR, 1) == _SEPARATE and max(numbers(self.tags.get(_SAMPLES, 1))) > 1

    @property
    def associated(self) -> bool:
        """Its colours are multiplied by their transparency already."""
        return _ASSOCIATED in numbers(self.tags.get(_EXTRA, (0,)))[:1]

    def meaning(self, *, shifted: bool) -> Meaning:
        """Return how the samples are to be taken; `shifted` as in `Meaning`."""
        white = max(numbers(self.tags.get(_MAX_VALUE, 0)))
        guess = self.sample_format == INTEGER and self.tags.get(_PHOTOMETRIC) not in _LAB
        return Meaning(self.bits, white, shifted, self._range(), self.grey_is_inverted, guess)

    def _range(self) -> tuple[float, float] | None:
        low, high = (self.tags.get(tag) for tag in (_SMIN_VALUE, _SMAX_VALUE))
        try:
            return (min(_floats(low)), max(_floats(high))) if high is not None and low is not None else None
        except DAMAGE:
            return None


def _floats(value: Any) -> tuple[float, ...]:
    return tuple(float(each) for each in (value if isinstance(value, tuple) else (value,)))


def numbers(value: Any) -> tuple[int, ...]:
    """Return a tag's value as whole numbers, at least one."""
    found = value if isinstance(value, tuple) else (value,)
    return tuple(int(each) for each in found) or (0,)


def choose(file: io.BufferedReader, page: int | None) -> Directory:
    """Return the directory of the photograph: of the page that was asked for, or of the first page.

    A directory that is flagged as a reduced copy is taken only where nothing else is there; a picture in its SubIFDs
    that is not reduced comes before it.

    Args:
        file: the TIFF.
        page: number of a directory, from 0; None: the first that is a page.

    Raises:
        OSError: it cannot be read.
        ItemError: damaged, camera raw, or of samples that nothing here understands.
    """
    file.seek(0)
    if file.read(10)[8:] == b"CR":  # Canon's CR2: its first directory is a preview like any other
        raise ItemError(refusal.RAW, Cause.NOT_SUPPORTED)
    found = _found(file, page)
    if not found:
        raise ItemError(TRUNCATED if _ends_before_directory(file) else "damaged: a TIFF without a picture")
    within = {number: list(_within(file, tags)) for number, tags in found if _SUBDIRECTORIES in tags}
    for tags in (*(tags for _, tags in found), *(tags for many in within.values() for _, tags in many)):
        _refuse_raw(tags)
    chosen = _chosen(found, within, page)
    if not {_WIDTH, _HEIGHT} <= chosen.tags.keys():
        cut = any(max(numbers(tags.get(_SUBDIRECTORIES, 0))) >= size_of(file) for _, tags in found)
        raise ItemError(TRUNCATED if cut else "damaged: a TIFF without a picture")
    _refuse_unsuited(chosen)
    return chosen


def _found(file: io.BufferedReader, page: int | None) -> list[tuple[int, Tags]]:
    """Return the directories of the chain, up to one that is damaged, or that of a page alone."""
    found = list[tuple[int, Tags]]()
    if page is not None:
        tags = directory(file, page)
        return [] if tags is None else [(0, _sound(tags, tags))]
    try:
        for number, tags in enumerate(directories(file)):
            found.append((number, _sound(tags, _OF_PAGES if any(is_page(each) for _, each in found[-1:]) else tags)))
    except TooManyDirectories:
        raise
    except ItemError:
        if not found:
            raise
    return found


def _sound(tags: Tags, wanted: Iterable[int]) -> dict[int, Any]:
    """Return the wanted tags whose values can be read; those of numbers alone as far as they are numbers."""
    found = dict[int, Any]()
    for tag in wanted:
        with suppress(*DAMAGE):
            value = tags[tag]
            if tag in _NUMBERS:
                numbers(value)
            found[tag] = value
    return found


def _ends_before_directory(file: io.BufferedReader) -> bool:
    file.seek(0)
    header = file.read(16)
    big, order = b"+" in header[2:4], "little" if header[:2] == b"II" else "big"
    at = header[8:16] if big else header[4:8]
    return len(header) < 8 or int.from_bytes(at, order) >= size_of(file)  # type: ignore[arg-type]


def _chosen(found: list[tuple[int, Tags]], within: dict[int, list[tuple[int, Tags]]], page: int | None) -> Directory:
    if page is not None:
        return Directory(page, 0, found[0][1], 1)
    pages = [(number, tags) for number, tags in found if is_page(tags)]
    if pages:
        return Directory(pages[0][0], 0, pages[0][1], len(pages))
    for number, _ in found:
        for offset, tags in within.get(number, ()):
            if is_page(tags):
                return Directory(number, offset, tags, 1)
    return Directory(found[0][0], 0, found[0][1], 1)


def _within(file: io.BufferedReader, tags: Tags) -> Iterator[tuple[int, Tags]]:
    """Yield the directories that a directory names as its SubIFDs, with their offsets; damaged ones are left out."""
    for offset in numbers(tags[_SUBDIRECTORIES])[:16]:
        try:
            file.seek(0)
            directory = TiffImagePlugin.ImageFileDirectory_v2(file.read(8))
            file.seek(offset)
            directory.load(file)
            yield offset, _sound(directory, directory)
        except DAMAGE:
            continue


def _refuse_raw(tags: Tags) -> None:
    if tags.get(_PHOTOMETRIC) in _RAW or _DNG_VERSION in tags:
        raise ItemError(refusal.RAW, Cause.NOT_SUPPORTED)


def _refuse_unsuited(chosen: Directory) -> None:
    tags, bits, kind = chosen.tags, chosen.bits, chosen.sample_format
    if kind in _UNSUITED:
        raise ItemError(f"TIFF with {_UNSUITED[kind]} as samples is not supported", Cause.NOT_SUPPORTED)
    if tags.get(_PHOTOMETRIC) in _LOG:
        raise ItemError("TIFF in LogLuv is not supported; save it as 16-bit RGB", Cause.NOT_SUPPORTED)
    sampling = numbers(tags.get(_SUBSAMPLING, (2, 2)))
    if tags.get(_PHOTOMETRIC) == _YCBCR and tags.get(_COMPRESSION, 1) not in _JPEG and sampling not in _SAMPLINGS:
        said = " by ".join(map(str, sampling))
        raise ItemError(f"TIFF with chroma sampled {said} is not supported; save it as RGB", Cause.NOT_SUPPORTED)
    if kind == FLOAT and tags.get(_PHOTOMETRIC) == _INKS:
        raise ItemError("TIFF with floats as inks is not supported; save it as 16-bit RGB", Cause.NOT_SUPPORTED)
    if kind == FLOAT and bits not in (32, 64):
        raise ItemError(f"TIFF with {bits}-bit floats is not supported; save it as 32-bit floats", Cause.NOT_SUPPORTED)


def header_of_bigtiff(data: bytes) -> Directory | None:
    """Return the first directory of a big-endian BigTIFF, which Pillow's parser takes for another kind; else None.

    Args:
        data: the beginning of the file; a directory that lies behind it is not found.
    """
    if data[:4] != b"MM\0+":
        return None
    try:
        (at,) = struct.unpack_from(">Q", data, 8)
        (count,) = struct.unpack_from(">Q", data, at)
        tags = dict(_entry(data, at + 8 + 20 * number) for number in range(min(count, 200)))
    except struct.error:
        return None
    return Directory(0, 0, tags, 1)


def _entry(data: bytes, at: int) -> tuple[int, int]:
    """Return a tag and its first value, where that is a number that lies in the entry (BigTIFF: 20 bytes each)."""
    tag, kind = struct.unpack_from(">HH", data, at)
    return tag, struct.unpack_from({3: ">H", 16: ">Q"}.get(kind, ">I"), data, at + 12)[0]


def as_first(data: bytes, offset: int) -> bytes:
    """Return a TIFF's bytes with the directory at `offset` as its first, for decoders that know no other."""
    big = data[2:3] == b"+" or data[3:4] == b"+"
    order = "little" if data[:2] == b"II" else "big"
    at, width = (8, 8) if big else (4, 4)
    return data[:at] + offset.to_bytes(width, order) + data[at + width :]  # type: ignore[arg-type]


def cut_short(file: io.BufferedReader, chosen: Directory) -> bool:
    """Tell whether a strip or tile lies beyond the end of the file."""
    end = size_of(file)
    return any(start + size > end for start, size in strips_of(chosen))


def damaged_deflate(file: io.BufferedReader, chosen: Directory) -> str:
    """Return what is wrong with Deflate strips, whose checksum libtiff does not look at; empty for nothing."""
    if chosen.tags.get(_COMPRESSION) not in _DEFLATE:
        return ""
    for number, (start, size) in enumerate(strips_of(chosen)):
        if not deflate.inflates(_strip(file, start, size, chosen)):
            return f"the checksum of strip {number + 1} is wrong"
    return ""


def wrong_strips(file: io.BufferedReader, chosen: Directory) -> str:
    """Return what is wrong with PackBits or LZW data; a run of zeros PackBits would say in two bytes."""
    if chosen.tags.get(_COMPRESSION) == _PACKBITS:
        for start, size in strips_of(chosen):
            if bytes(256) in _strip(file, start, size, chosen):
                return ZEROS
    return strips.damage_of(file, strips_of(chosen), chosen.tags)


def _strip(file: io.BufferedReader, start: int, size: int, chosen: Directory) -> bytes:
    file.seek(start)
    return strips.in_order(file.read(size), chosen.tags)


def strips_of(chosen: Directory) -> list[tuple[int, int]]:
    """Return where each strip or tile begins, and its length."""
    tags = chosen.tags
    starts, sizes = (_STRIPS, _STRIP_SIZES) if _STRIPS in tags else (_TILES, _TILE_SIZES)
    return list(zip(numbers(tags.get(starts, ())), numbers(tags.get(sizes, ())), strict=False))

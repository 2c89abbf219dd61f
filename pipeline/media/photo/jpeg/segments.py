"""A JPEG file taken apart into its marker segments and scans, without decoding any of it (ITU-T T.81, annex B)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from pipeline.ground.errors import Cause, ItemError
from pipeline.media.photo.words import TRUNCATED

SOF0: Final = 0xC0
SOF2: Final = 0xC2
SOF_LS: Final = 0xF7  # of JPEG-LS
DHT: Final = 0xC4
DQT: Final = 0xDB
DRI: Final = 0xDD
SOS: Final = 0xDA
APP0: Final = 0xE0
COM: Final = 0xFE
_EOI: Final = 0xD9
_DNL: Final = 0xDC

# Nothing honest comes near: a picture of ten thousand tiny segments or scans is made to keep decoders busy.
_MOST_SEGMENTS: Final = 4096
_MOST_SCANS: Final = 200

_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {DHT, 0xC8, 0xCC}
_KNOWN: Final = frozenset((*range(APP0, 0xF0), DHT, DQT, DRI, SOS, COM)) | _FRAMES
LOSSLESS: Final = (0xC3, 0xC7, 0xCB, 0xCF)
_UNDECODED: Final = {
    **dict.fromkeys(LOSSLESS, "lossless JPEG"),
    **dict.fromkeys((0xC5, 0xC6, 0xCD, 0xCE), "hierarchical JPEG"),
    **dict.fromkeys((0xC9, 0xCA, 0xCC), "JPEG with arithmetic coding"),
    _DNL: "JPEG whose height is given at its end (DNL)",
}
# A marker that has parameters or ends the picture: no stuffed zero, no fill byte, no restart, no TEM. Linear in time
# whatever the file holds; fill bytes (B.1.1.2) before it are counted back.
_MARKER: Final = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")
_SCANS: Final = re.compile(rb"\xff\xda")  # three times as fast as `bytes.count`


@dataclass(frozen=True, slots=True)
class Segment:
    """A marker and what belongs to it; all offsets are from the beginning of the file.

    Attributes:
        marker: its second byte: 0xE0 for APP0.
        start: of what was skipped before it and of its fill bytes: where the segment before it ended.
        body: of its parameters, after the length.
        end: after its parameters; the entropy-coded data of a scan begin here.
    """

    marker: int
    start: int
    body: int
    end: int


@dataclass(frozen=True, slots=True)
class Component:
    """A component in the frame header.

    Attributes:
        id: 0..255.
        across, down: sampling factors, 1..4.
        table: the slot of its quantization table, 0..3.
    """

    id: int
    across: int
    down: int
    table: int


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame header.

    Attributes:
        segment: where it stands.
        bits: of a sample.
        height, width: in pixels, 1..65535.
        components: 1 to 4 of them.
    """

    segment: Segment
    bits: int
    height: int
    width: int
    components: tuple[Component, ...]

    @property
    def progressive(self) -> bool:
        """Whether it is coded progressively (SOF2)."""
        return self.segment.marker == SOF2


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan header and its entropy-coded data.

    Attributes:
        segment: the header; the data begin at `segment.end`.
        end: after the data.
        components: the ids of its components, in order.
        first, last: the band of coefficients, 0..63.
        high, low: successive approximation: the bit position before and after this scan.
    """

    segment: Segment
    end: int
    components: tuple[int, ...]
    first: int
    last: int
    high: int
    low: int


@dataclass(frozen=True, slots=True)
class Jpeg:
    """A file taken apart. Every byte up to `end` lies in one segment or in one scan's data, or begins the file.

    Attributes:
        segments: all with parameters, in order, frame and scan headers included.
        frame: the one frame header.
        scans: in order.
        restart: the restart interval that is valid at the end, in MCUs; 0: none.
        end: after the end-of-image marker; what follows (a second picture, a trailer) is nobody's.
        end_marker: where the end-of-image marker stands, fill bytes included.
    """

    segments: tuple[Segment, ...]
    frame: Frame
    scans: tuple[Scan, ...]
    restart: int
    end: int
    end_marker: int


def parse(data: bytes) -> Jpeg:
    """Take a JPEG file apart.

    Raises:
        ItemError: it is no JPEG, is truncated or damaged, or of a kind that no decoder at hand reads (arithmetic
            coding, lossless, hierarchical).
    """
    if data[:2] != b"\xff\xd8":
        raise ItemError("not a JPEG")
    segments: list[Segment] = []
    scans: list[Scan] = []
    frame: Frame | None = None
    restart, at = 0, 2
    while (segment := _segment(data, at)).marker != _EOI:
        segments.append(segment)
        at = segment.end
        if segment.marker in _FRAMES:
            if frame is not None:
                raise ItemError("damaged: a JPEG with two frame headers")
            frame = _frame(data, segment)
        elif segment.marker == DRI:
            restart = _restart(data, segment)
        elif segment.marker == SOS:
            if frame is None:
                raise ItemError("damaged: a JPEG whose scan comes before its frame header")
            scans.append(_scan(data, segment, frame))
            at = scans[-1].end
        if len(segments) > _MOST_SEGMENTS or len(scans) > _MOST_SCANS:
            raise TooMany
    if frame is None or not scans:
        raise ItemError("damaged: a JPEG without a picture")
    return Jpeg(tuple(segments), frame, tuple(scans), restart, segment.end, segment.start)


class TooMany(ItemError):
    """A JPEG of more segments or scans than any honest one; decoders would be busy with it for hours."""

    def __init__(self) -> None:
        super().__init__(
            f"a JPEG of more than {_MOST_SCANS} scans or {_MOST_SEGMENTS:,} segments is not read", Cause.NOT_SUPPORTED
        )


def check(data: bytes) -> None:
    """Raise `ItemError` where a file has too many scans, or is lossless; of other damage the decoders speak.

    Lossless pictures are decoded, but their colours are not turned into RGB.
    """
    if frame_header(data)[0] in LOSSLESS:
        raise ItemError("lossless JPEG is not supported; save it as TIFF", Cause.NOT_SUPPORTED)
    found = sum(1 for _ in islice(_SCANS.finditer(data), _MOST_SCANS + 1))
    if found > _MOST_SCANS:  # in metadata, too: so they are counted properly
        try:
            parse(data)
        except TooMany:
            raise
        except ItemError:
            return


def frame_header(data: bytes) -> tuple[int, bytes]:
    """Return marker and parameters of the first frame header, JPEG-LS's too; 0 where a scan or nothing comes first."""
    for marker, at, end in _headers(data):
        if marker in _FRAMES or marker == SOF_LS:
            return marker, data[at + 4 : end]
    return 0, b""


def first_scan(data: bytes) -> int:
    """Return where the first scan of the picture begins, not that of a thumbnail in its EXIF; -1 where none does."""
    return data.find(b"\xff\xda", max((end for *_, end in _headers(data)), default=2))


def _headers(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, beginning and end of each segment before the first scan, or before what is none."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] not in (SOS, _EOI):
        if data[at + 1] == 0xFF:  # a fill byte (B.1.1.2)
            at += 1
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        yield data[at + 1], at, end
        at = end


def _segment(data: bytes, at: int) -> Segment:
    """Return the segment that begins at or after `at`."""
    found = _MARKER.search(data, at)
    if found is None:
        raise ItemError(TRUNCATED)
    start, at, marker = at, found.end(), data[found.end() - 1]
    if marker == _EOI:
        return Segment(marker, start, at, at)
    if marker in _UNDECODED:
        raise ItemError(f"{_UNDECODED[marker]} is not supported; save it as TIFF")
    if marker not in _KNOWN:
        raise ItemError(f"damaged: a JPEG with the marker {marker:02X}, which has no meaning there")
    end = at + int.from_bytes(data[at : at + 2], "big")
    if end > len(data) or at + 2 > len(data):
        raise ItemError(TRUNCATED)
    if end < at + 2:
        raise ItemError("damaged: a JPEG segment without a length")
    return Segment(marker, start, at + 2, end)


def _frame(data: bytes, segment: Segment) -> Frame:
    body = data[segment.body : segment.end]
    if len(body) < 9 or len(body) != 6 + 3 * body[5]:
        raise ItemError("damaged: a JPEG whose frame header has the wrong length")
    bits, height, width = body[0], int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    if height == 0:
        raise ItemError(f"{_UNDECODED[_DNL]} is not supported; save it as TIFF")
    if width == 0 or body[5] > 4:
        raise ItemError("damaged: a JPEG whose frame header makes no sense")
    components = tuple(
        Component(body[at], body[at + 1] >> 4, body[at + 1] & 15, body[at + 2]) for at in range(6, len(body), 3)
    )
    sound = all(1 <= part.across <= 4 and 1 <= part.down <= 4 and part.table <= 3 for part in components)
    if not sound or len({part.id for part in components}) < len(components):
        raise ItemError("damaged: a JPEG whose frame header makes no sense")
    return Frame(segment, bits, height, width, components)


def _restart(data: bytes, segment: Segment) -> int:
    if segment.end - segment.body != 2:
        raise ItemError("damaged: a JPEG whose restart interval has the wrong length")
    return int.from_bytes(data[segment.body : segment.end], "big")


def _scan(data: bytes, segment: Segment, frame: Frame) -> Scan:
    body = data[segment.body : segment.end]
    if len(body) < 6 or len(body) != 4 + 2 * body[0]:
        raise ItemError("damaged: a JPEG whose scan header has the wrong length")
    components = tuple(body[1 : 1 + 2 * body[0] : 2])
    first, last, high, low = body[-3], body[-2], body[-1] >> 4, body[-1] & 15
    known = {part.id for part in frame.components}
    if not known.issuperset(components) or len(set(components)) < len(components):
        raise ItemError("damaged: a JPEG scan of a component that is not there")
    if frame.progressive and not (first <= last <= 63 and low <= 13 and high in (0, low + 1)):
        raise ItemError("damaged: a JPEG scan of coefficients that are not there")
    return Scan(segment, _data_end(data, segment.end), components, first, last, high, low)


def _data_end(data: bytes, start: int) -> int:
    found = _MARKER.search(data, start)
    if found is None:
        raise ItemError(TRUNCATED)
    end = found.start()
    while end > start and data[end - 1] == 0xFF:
        end -= 1
    return end


def unusual(jpeg: Jpeg) -> str:
    """Return what a picture's coding is that its luma cannot be taken from, as a phrase; usually nothing."""
    if jpeg.frame.bits != 8:
        return f"{jpeg.frame.bits}-bit JPEG"
    usual = jpeg.frame.segment.marker in (SOF0, SOF0 + 1, SOF2)
    return "" if usual else "neither baseline nor progressive"


def incomplete(jpeg: Jpeg) -> str:
    """Return what is missing of the first component of a progressive picture, as a phrase; usually nothing.

    Decoders smooth a picture whose last bits are missing, and other scans beside it might change how.
    """
    bits, component = [-1] * 64, jpeg.frame.components[0].id
    for scan in jpeg.scans:
        if component in scan.components:
            for number in range(scan.first, scan.last + 1):
                if bits[number] != (scan.high if scan.high else -1):
                    return "progressive scans that do not follow one another"
                bits[number] = scan.low
    return "progressive, but not complete" if any(bits) else ""


def behind(data: bytes) -> bytes:
    """Return what stands behind the end of a JPEG, such as a telephone's film; nothing where no end is found."""
    try:
        return data[parse(data).end :]
    except ItemError:
        return b""


def is_index(data: bytes, segment: Segment) -> bool:
    """Say whether a segment tells where further pictures lie behind the first (CIPA DC-007, MPF)."""
    return segment.marker == APP0 + 2 and data.startswith(b"MPF\0", segment.body)


def body_of(data: bytes, segment: Segment) -> bytes:
    """Return a segment's parameters, without marker and length."""
    return data[segment.body : segment.end]

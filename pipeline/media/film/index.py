"""What a scan finds out about a film, in a few bytes a frame; written to a file and read back."""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import asdict, dataclass, fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from pipeline.ground.errors import Cause, ItemError

FORMAT: Final = 1
KINDS: Final = ("neutral", "toned", "color")


@dataclass(frozen=True, slots=True)
class Geometry:
    """A film's pictures as they are stored.

    Attributes:
        width, height: of the frames, in samples.
        pix_fmt: FFmpeg's name of the decoder's format.
        codec: FFmpeg's name of the source's codec.
        frame_range: 1 limited, 2 full; settled.
        range_said, matrix_said, primaries, transfer: as the film says (FFmpeg's numbers, 2 or 0: unspecified).
        matrix: settled.
        rotation: degrees counter-clockwise by which a player turns the picture, a multiple of 90.
        display_matrix: the nine numbers behind it; empty: none.
        aspect: of a sample, "1/1"-like; empty: not said.
        field_order: 0 unknown, 1 progressive, 2 top first (TT), 3 bottom first (BB), 4 TB, 5 BT.
        interlaced: some frames are.
    """

    width: int
    height: int
    pix_fmt: str
    codec: str
    frame_range: int = 1
    range_said: int = 0
    matrix: int = 5
    matrix_said: int = 2
    primaries: int = 2
    transfer: int = 2
    rotation: int = 0
    display_matrix: tuple[int, ...] = ()
    aspect: str = ""
    field_order: int = 0
    interlaced: bool = False


@dataclass(frozen=True, slots=True)
class Stretch:
    """One of the stretches of a film that an excerpt holds; times in units of the film's time base, as in the film.

    Attributes:
        first: number of its first frame in the excerpt.
        before: frames of the film ahead of it; -1 where it was found by a seek, and nobody has counted.
        start, stop: from its first frame's beginning to its last one's end.
        shift: is subtracted from its times, so that the excerpt begins at 0 and has no gaps.
    """

    first: int
    before: int
    start: int
    stop: int
    shift: int


@dataclass(frozen=True, slots=True)
class Index:
    """A film, frame by frame, as one pass over it found it.

    Attributes:
        geometry: of its pictures.
        container: FFmpeg's name of the source's format, such as "mov,mp4,m4a,3gp,3g2,mj2".
        time_base: unit of the timestamps, in seconds.
        rate: frames a second, as the encoder is told.
        start_time: of the whole file, in microseconds; subtracted from every stream at the join.
        timestamps: int64 (n,), strictly ascending, in units of `time_base`.
        checksums: uint32 (n,): CRC-32 of each frame's luma.
        last_duration: of the last frame, in units of `time_base`.
        shots: int64 (s,): first frame of each shot; begins with 0.
        kinds: uint8 (s,): what colour each shot holds, an index into `KINDS`.
        chroma: float32 (s,): mean chroma of each shot in Lab units.
        faults: packets that did not decode, and frames that the decoder marked as damaged.
        mended: frames whose timestamp was missing or out of order.
        by_dts: the timestamps are those of decoding.
        restarts: where the film's clock starts again, what is added to its times from there on; see `clock`.
        changes: what changes in the middle, and what is made of it, as phrases for a person.
        cut_short: the file stops in the middle of something that it began.
        streams: one line for each stream of the file, for people: "1 audio aac 48000 Hz 5.1 (eng)".
        stretches: of an excerpt; empty for a whole film.
    """

    geometry: Geometry
    container: str
    time_base: Fraction
    rate: Fraction
    start_time: int
    timestamps: NDArray[np.int64]
    checksums: NDArray[np.uint32]
    last_duration: int
    shots: NDArray[np.int64]
    kinds: NDArray[np.uint8]
    chroma: NDArray[np.float32]
    faults: int = 0
    mended: int = 0
    by_dts: bool = False
    restarts: tuple[int, ...] = ()
    changes: tuple[str, ...] = ()
    cut_short: bool = False
    streams: tuple[str, ...] = ()
    stretches: tuple[Stretch, ...] = ()

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.timestamps)

    @property
    def seconds(self) -> float:
        """From the first frame's beginning to the last one's end, gaps of an excerpt left out."""
        if self.stretches:
            return float(sum(each.stop - each.start for each in self.stretches) * self.time_base)
        return float((int(self.timestamps[-1]) - int(self.timestamps[0]) + self.last_duration) * self.time_base)

    @property
    def verdict(self) -> str:
        """What most frames are: "neutral", "toned" or "color"."""
        lengths = np.diff(np.append(self.shots, self.frames))
        weights = np.bincount(self.kinds, lengths, len(KINDS))
        return KINDS[int(weights.argmax())]

    @property
    def all_color(self) -> bool:
        """True where every shot is in colour already: such a film is copied, not coloured."""
        return bool((self.kinds == KINDS.index("color")).all())

    def stretch_of(self, frame: int) -> Stretch | None:
        """Return the stretch of an excerpt that holds `frame`; None in a whole film."""
        return next((each for each in reversed(self.stretches) if each.first <= frame), None)

    def ahead(self, frame: int) -> int:
        """Return how many frames of the film lie ahead of this one; -1 where nobody has counted."""
        stretch = self.stretch_of(frame)
        if stretch is None:
            return frame
        return -1 if stretch.before < 0 else stretch.before + frame - stretch.first

    def runs(self, wanted: range) -> list[range]:
        """Cut a range of frames where the film has a gap."""
        gaps = [each.first for each in self.stretches if wanted.start < each.first < wanted.stop]
        return [range(*each) for each in zip([wanted.start, *gaps], [*gaps, wanted.stop], strict=True)]

    def shot_of(self, frame: int) -> range:
        """Return the frames of the shot that holds `frame`."""
        number = int(np.searchsorted(self.shots, frame, side="right")) - 1
        end = int(self.shots[number + 1]) if number + 1 < len(self.shots) else self.frames
        return range(int(self.shots[number]), end)

    def kind_of(self, frame: int) -> str:
        """Return what colour the shot of `frame` holds."""
        return KINDS[int(self.kinds[int(np.searchsorted(self.shots, frame, side="right")) - 1])]


_ARRAYS: Final = {
    "timestamps": np.int64,
    "checksums": np.uint32,
    "shots": np.int64,
    "kinds": np.uint8,
    "chroma": np.float32,
}


def save(index: Index, path: Path) -> None:
    """Write an index; the same index gives the same bytes. The caller gives it its name once it is whole."""
    head: dict[str, Any] = {
        each.name: getattr(index, each.name) for each in fields(index) if each.name not in (*_ARRAYS, "geometry")
    }
    head["stretches"] = [asdict(each) for each in index.stretches]
    head |= {"geometry": asdict(index.geometry), "time_base": str(index.time_base), "rate": str(index.rate)}
    head["format"] = FORMAT
    text = np.frombuffer(json.dumps(head, sort_keys=True).encode(), np.uint8)
    with path.open("wb") as file:
        np.savez_compressed(file, head=text, **{name: getattr(index, name) for name in _ARRAYS})


# What numpy, zipfile and json raise on damaged files, as found by damaging some.
_DAMAGE: Final = (
    ValueError, LookupError, TypeError, AttributeError, EOFError, OSError, ArithmeticError, RuntimeError, MemoryError,
    BadZipFile, zlib.error, struct.error,
)  # fmt: skip


def load(path: Path) -> Index:
    """Read an index back.

    Raises:
        ItemError: the file is damaged or of another version; scanning anew makes a fresh one.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            head = json.loads(file["head"].tobytes())
            arrays = {name: file[name].astype(dtype, copy=False) for name, dtype in _ARRAYS.items()}
        if head.pop("format") != FORMAT:
            raise ValueError("another version")
        geometry = head.pop("geometry")
        geometry["display_matrix"] = tuple(geometry["display_matrix"])
        for name in ("streams", "restarts", "changes"):
            head[name] = tuple(head.get(name, ()))
        head["stretches"] = tuple(Stretch(**each) for each in head.get("stretches", ()))
        time_base, rate = Fraction(head.pop("time_base")), Fraction(head.pop("rate"))
        return Index(geometry=Geometry(**geometry), time_base=time_base, rate=rate, **head, **arrays)
    except _DAMAGE as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise ItemError("the film's index cannot be read back; it is made anew when scanned") from None


def scaled(index: Index, width: int) -> Index:
    """Return the index of the same film at another size, both sides even; 0 and its own width change nothing.

    Raises:
        ItemError: the film is interlaced: its lines must stay what they are.
    """
    geometry = index.geometry
    if width in (0, geometry.width):
        return index
    if geometry.interlaced:
        raise ItemError("an interlaced film cannot be scaled, unless it is deinterlaced", Cause.FORMAT_LIMIT)
    wide = width - width % 2
    high = max(2, 2 * round(geometry.height * wide / geometry.width / 2))
    return replace(index, geometry=replace(geometry, width=wide, height=high))


def spans(index: Index, length: int = 240) -> list[tuple[int, int]]:
    """Cut a film into pieces [start, stop) of at most about `length` frames, for several workers.

    Depends on the film alone, never on the number of workers. Pieces are about equal, and an even number: none waits
    long for another's last one. Borders fall on cuts where one is near: a piece that begins with a shot need not look
    back.
    """
    count = 1 if index.frames <= length // 2 else 2 * -(-index.frames // (2 * length))
    reach = index.frames / count / 8
    borders = [0]
    for wished in (round(index.frames * number / count) for number in range(1, count)):
        near = index.shots[np.abs(index.shots - wished) <= reach]
        borders.append(int(near[np.abs(near - wished).argmin()]) if near.size else wished)
    return list(zip(borders, [*borders[1:], index.frames], strict=True))

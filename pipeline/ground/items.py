"""What the whole house speaks of: items, the units of work they are cut into, and what became of them.

An item is a row of frames; a photograph has one. Its work is `Verb.MAKE` (whole, in one unit), or `Verb.SCAN` (what
spans does it have), `Verb.PIECE` (one span into a part file) and `Verb.JOIN` (the parts to the output).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from pipeline.ground.errors import Cause, ColorizeError
from pipeline.ground.hints import NO_HINTS, Hints

if TYPE_CHECKING:  # `colorize status` and every --help come by here, and need no arrays
    import numpy as np
    from numpy.typing import NDArray


class Kind(StrEnum):
    """What something that was found is."""

    PHOTO = "photo"
    PAGES = "pages"  # a file of several pictures that belong together
    FILM = "film"
    OTHER = "other"  # neither picture nor film
    EXCLUDED = "excluded"  # by a setting
    UNREADABLE = "unreadable"
    VANISHED = "vanished"  # gone when it was opened


PICTURED = frozenset({Kind.PHOTO, Kind.PAGES, Kind.FILM})


class Status(StrEnum):
    """What became of an item; the manifest's `status`."""

    DONE = "done"
    COPIED = "copied"
    EDITED = "edited"
    GONE = "gone"
    REJECTED = "rejected"
    SKIPPED = "skipped"
    UNSUPPORTED = "unsupported"
    FAILED = "failed"
    CRASHED = "crashed"
    VANISHED = "vanished"


MADE = frozenset({Status.DONE, Status.COPIED})
# What an output of ours lies in OUTPUT for, or lay there.
KEPT = MADE | {Status.EDITED, Status.GONE}
PROBLEMS = frozenset({Status.FAILED, Status.CRASHED})


class Verb(StrEnum):
    """What a worker does with a unit."""

    MAKE = "make"
    SCAN = "scan"
    PIECE = "piece"
    JOIN = "join"
    LOOK = "look"  # hash the source: another one has its size
    REPEAT = "repeat"  # copy what was made of another source of the same bytes


# Stands in the reason of an item whose verdict on colour may well be wrong; see `Seen.unsure`.
DOUBTFUL = " (doubtful)"

Depth = TypeVar("Depth", "np.uint8", "np.uint16")


@dataclass(frozen=True, slots=True)
class Picture(Generic[Depth]):
    """One decoded frame.

    Attributes:
        pixels: uint8 or uint16, grey (H, W) or BGR (H, W, 3), sRGB, full range, upright.
        alpha: of the same dtype, (H, W), the dtype's maximum is opaque; None when there is none or all is opaque.
        depth: bits of a sample in the source: 1, 8, 12, 16, 32 ...
        profile: the source's ICC profile; empty where it has none.
        note: what a person should know, such as "first of 3 pages"; usually empty.
        page: number of the directory of a TIFF that it, or what it lies in, was read from, from 0.
        whole: height and width of a picture so large that `pixels` hold the half of it, rounded up; else None.
        end: where the data end of a JPEG that lacks the marker of its end; 0 for any other.
    """

    pixels: NDArray[Depth]
    alpha: NDArray[Depth] | None
    depth: int
    profile: bytes = b""
    note: str = ""
    page: int = 0
    whole: tuple[int, int] | None = None
    end: int = 0

    @property
    def height(self) -> int:
        """Rows."""
        return self.whole[0] if self.whole else int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return self.whole[1] if self.whole else int(self.pixels.shape[1])


@dataclass(frozen=True, slots=True)
class Span:
    """A run of frames of an item that is worked on in one unit.

    Attributes:
        number: of the span within its item, from 0.
        start, stop: frames, half open, counted as the medium counts them.
    """

    number: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Viewing:
    """Which stretches of a film are worked on, and how they are shown; as it stands, all of it, in colour alone.

    Attributes:
        start, stop: in seconds of the film, as players count them.
        sample: seconds in all, taken in short stretches from places spread evenly between these; 0: everything there.
        beside: the grey picture stands beside the coloured one.
    """

    start: float = 0.0
    stop: float = math.inf
    sample: float = 0.0
    beside: bool = False

    @property
    def partial(self) -> bool:
        """Whether less than the whole film is wanted."""
        return self.start > 0 or self.stop < math.inf or self.sample > 0


WHOLE = Viewing()


class Forecast(NamedTuple):
    """What colouring a film will take, as its header lets one estimate.

    Attributes:
        seconds: that are shown. frames: in them, about.
        width, height: of what is written, in pixels.
        work: seconds of one worker.
        size: bytes of the output.
    """

    seconds: float
    frames: int
    width: int
    height: int
    work: float
    size: int


@dataclass(frozen=True, slots=True)
class Filed:
    """A file that was written.

    Attributes:
        place: its path, relative to OUTPUT, as the system spells it, with "/" between parts.
        size: in bytes.
        sha256: in hexadecimal.
        dated: it has the times that it was to have.
        mtime_ns: its time, where who wrote it has looked; else 0.
    """

    place: str
    size: int
    sha256: str
    dated: bool = True
    mtime_ns: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """What a worker saw of a source; the defaults say that it was not seen.

    Attributes:
        source_size, source_mtime_ns: as the worker found the file.
        source_sha256: of its bytes.
        verdict: neutral, toned or color.
        chroma: mean chroma in Lab units.
        width, height: of the upright picture, in pixels.
        bits: of a sample.
        frames: pages or frames; 0 for what has but one picture.
        doubt: of the net's answer, 0..100; of a film that to its most doubtful shot. None where it was not asked.
        unsure: the verdict may well be wrong, and no person has said which it is.
    """

    source_size: int = 0
    source_mtime_ns: int = 0
    source_sha256: str = ""
    verdict: str = ""
    chroma: float | None = None
    width: int = 0
    height: int = 0
    bits: int = 0
    frames: int = 0
    doubt: int | None = None
    unsure: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """What became of one span.

    Attributes:
        span: it.
        status: done, copied or skipped; decided for this span alone.
        filed: the part file.
        seen: of the span's first frame.
        seconds: time in the worker.
    """

    span: Span
    status: Status
    filed: Filed
    seen: Seen
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Twin:
    """A finished item whose source has the same bytes as another's; fields as in `Result`, `filed` is its output."""

    key: str
    filed: Filed
    seen: Seen
    model: str
    engine: str
    reason: str = ""
    metadata: str = ""


Stamp = tuple[int, int]  # size and time in nanoseconds of a file, as its storage says them
StoodAt = tuple[Stamp | None, Stamp | None]  # at an item's output and at its copy's name; None: nothing


@dataclass(frozen=True, slots=True)
class Unit:
    """What a worker is given: a few hundred bytes, never pixels.

    Attributes:
        verb: what is to be done.
        key: the item's key in the journal (its `source` in the manifest).
        kind: of the item, as it was found.
        source: the original, opened read-only.
        output: where a colorized item goes, relative to OUTPUT, as the system spells it.
        copy_output: where a byte-for-byte copy goes: the same name with the source's own suffix.
        size, mtime_ns: of the source as it was found.
        parts_place: folder of the item's part files, relative to OUTPUT; empty where it has none.
        span: of a piece.
        parts: of a join, in their order.
        on_color: what a person's list says of this item, a choice of the setting of that name; empty: nothing.
        viewing: of a film.
        twin: of a repeat, whose output is copied.
        alone: no other worker is at work meanwhile: it may take all the memory.
        hints: what a person says of this picture.
        stood: what the plan saw at `output` and at `copy_output`, where OUTPUT lies in a storage; None: nothing.
    """

    verb: Verb
    key: str
    kind: Kind
    source: Path
    output: str
    copy_output: str
    size: int = 0
    mtime_ns: int = 0
    parts_place: str = ""
    span: Span | None = None
    parts: tuple[Part, ...] = ()
    on_color: str = ""
    viewing: Viewing = WHOLE
    twin: Twin | None = None
    alone: bool = False
    hints: Hints = NO_HINTS
    stood: StoodAt = (None, None)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a unit; of a unit that ends its item, what became of the item.

    Attributes:
        key: the item's.
        status: see `Status`; of a scan, done.
        cause: why it is not done, for the program; see `Cause`.
        reason: why, for a person; empty when all went well.
        filed: what was written; None if nothing was.
        seen: of the source.
        model, engine: the net's name and e.g. "opencv/float32"; empty when no net ran.
        seconds: time in the worker.
        metadata: what could not be carried over from the source.
        spans: what a scan found.
    """

    key: str
    status: Status
    cause: Cause = Cause.NONE
    reason: str = ""
    filed: Filed | None = None
    seen: Seen = field(default_factory=Seen)
    model: str = ""
    engine: str = ""
    seconds: float = 0.0
    metadata: str = ""
    spans: tuple[Span, ...] = ()


def part_of(unit: Unit, result: Result) -> Part:
    """Return the part that a finished piece left."""
    assert unit.span is not None, "a piece has a span"
    assert result.filed is not None, "a piece leaves a part"
    return Part(unit.span, result.status, result.filed, result.seen, result.seconds)


@dataclass(frozen=True, slots=True)
class Halt:
    """No unit can succeed any more (the disk is full, the net is gone): the run ends with this error."""

    error: ColorizeError


@dataclass(frozen=True, slots=True)
class Alone:
    """A unit was not done: it needs more memory than its worker's share, and is to be given again with `Unit.alone`."""


Answer = Result | Halt | Alone

"""Colour of films: how steady it is, and where the film is in colour, how near to it.

PyAV is an extra: nothing of `pipeline.media.film` is imported before a film is there.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.archive import discover
from pipeline.archive.discover import Found, examine
from pipeline.archive.places import check_places
from pipeline.colour.colourfulness import colourfulness
from pipeline.colour.reference import lab_of
from pipeline.ground.errors import InputError, SettingsError
from pipeline.ground.items import Kind
from pipeline.ground.settings import field_of
from pipeline.measure import figures
from pipeline.measure.figures import Floats, Pixels
from pipeline.media.reels import INSTALLED, NEEDED
from pipeline.nets.net import Net

if TYPE_CHECKING:
    from pipeline.media.film.index import Index
    from pipeline.media.film.steady import Seen

# Each frame by itself is what steady colour is compared with.
STEADINESS: Final[tuple[str, ...]] = field_of("steady").metadata["choices"]
FRAMES: Final = 120
_WIDTH: Final = 256
# Frames apart at which colour histograms are compared: Liu et al., "Temporally consistent video colorization" (2021).
_APART: Final = (1, 2, 4)


@dataclass(frozen=True, slots=True)
class ClipRow:
    """One film at one steadiness; "truth" is the film's own colour.

    Attributes:
        film: its name.
        steady: off, normal, strong, or truth.
        frames: measured.
        flicker: mean change of ab along the motion from frame to frame, in Lab units; see `flicker`.
        cdc: colour distribution consistency, times 100; see `cdc`.
        colourfulness: mean of Hasler and Suesstrunk's M3.
        psnr: against the film's own colour, in dB; None where it has none.
    """

    film: str
    steady: str
    frames: int
    flicker: float
    cdc: float
    colourfulness: float
    psnr: float | None = None


@dataclass(frozen=True, slots=True)
class _Clip:
    """A stretch of a film in memory: small pictures and what the net is shown, and the shots' first frames."""

    seen: list[Seen]
    pictures: list[Pixels]
    shots: list[range]
    in_colour: bool
    rotation: int


def films(place: Path) -> list[tuple[str, Path]]:
    """List name and path of a film, or of the films under a folder.

    Raises:
        SettingsError: the extra is missing.
        InputError: there is none.
    """
    if not INSTALLED:
        raise SettingsError(NEEDED)
    if place.is_file():
        status = place.stat()
        kind = examine(Found(str(place), place.name, place.name, None, status.st_size, status.st_mtime_ns)).kind
        found = [(place.name, place)] if kind is Kind.FILM else []
    else:
        output = place / ".colorize"
        walked = discover.pictures(check_places([place], output), output)
        found = [(each.key, each.source) for each in walked if each.kind is Kind.FILM]
    if not found:
        raise InputError(f"{place} holds no films.")
    return found


def measure_film(name: str, path: Path, net: Net, keyframes: int = 8, frames: int = FRAMES) -> list[ClipRow]:
    """Measure the first frames of a film at each steadiness, and the film's own colour where it has any.

    Raises:
        ItemError: it cannot be read as a film.
    """
    from pipeline.media.film.paint import upright
    from pipeline.media.film.steady import plan, steadied

    clip = _read(path, net.spec.input_size, frames)
    known: dict[bytes, Any] = {}
    shown = upright(net.predict, clip.rotation)

    def predict(lightness: Floats) -> Floats:
        key = lightness.tobytes()
        if key not in known:
            known[key] = shown(lightness)
        answer: Floats = known[key]
        return answer

    rows = []
    for steady in STEADINESS:
        colours: list[Floats] = []
        for shot in clip.shots:
            work = plan(shot, shot, steady, keyframes)
            colours += [ab for _, ab in steadied(work, clip.seen[shot.start : shot.stop], predict)]
        rows.append(_row(name, steady, clip, [_painted(*pair) for pair in zip(clip.pictures, colours, strict=True)]))
    return [*rows, _row(name, "truth", clip, clip.pictures)] if clip.in_colour else rows


def _read(path: Path, size: int, most: int) -> _Clip:
    from pipeline.ground.items import Viewing
    from pipeline.media.film.excerpt import scan_part
    from pipeline.media.film.scan import scan

    index = scan(path)
    if index.frames > most:
        index = scan_part(path, Viewing(stop=most / float(index.rate)))
    seen, pictures = [], []
    for each, picture in _frames(path, index, size):
        seen.append(each)
        pictures.append(picture)
    borders = [*(int(each) for each in index.shots), index.frames]
    shots = [range(*each) for each in itertools.pairwise(borders)]
    return _Clip(seen, pictures, shots, index.verdict == "color", index.geometry.rotation)


def _frames(path: Path, index: Index, size: int) -> Iterator[tuple[Seen, Pixels]]:
    from pipeline.media.film.encoders import fed_format, settle_encoder
    from pipeline.media.film.options import FilmOptions
    from pipeline.media.film.paint import canvas, lightness_of
    from pipeline.media.film.planes import luma_of
    from pipeline.media.film.reading import frames_of
    from pipeline.media.film.steady import Seen, small_luma

    picture = canvas(index.geometry, fed_format(index, settle_encoder(FilmOptions())[1]), 1, 1.0)
    height = max(2, round(_WIDTH * index.geometry.height / index.geometry.width))
    for number, frame in frames_of(path, index, range(index.frames)):
        small: Any = frame.reformat(_WIDTH, height, "bgr24", interpolation="AREA", threads=1).to_ndarray()
        luma = small_luma(luma_of(frame, picture.layout), picture.layout.bits)
        yield Seen(number, luma, lightness_of(frame, size, picture)), small


def _painted(picture: Pixels, ab: Floats) -> Pixels:
    height, width = picture.shape[:2]
    large: Any = cv2.resize(ab, (width, height), interpolation=cv2.INTER_LINEAR)
    return figures.picture_of(lab_of(picture)[:, :, 0], large)


def _row(name: str, steady: str, clip: _Clip, pictures: Sequence[Pixels]) -> ClipRow:
    truth = steady != "truth" and clip.in_colour
    pairs = zip(pictures, clip.pictures, strict=True)
    return ClipRow(
        film=name,
        steady=steady,
        frames=len(pictures),
        flicker=flicker(pictures, clip.shots),
        cdc=100 * cdc(pictures, clip.shots),
        colourfulness=float(np.mean([colourfulness(each) for each in pictures])),
        psnr=float(np.mean([figures.psnr(*pair) for pair in pairs])) if truth else None,
    )


def flicker(pictures: Sequence[Pixels], shots: Sequence[range]) -> float:
    """Return how much ab changes from frame to frame along the motion, in Lab units; cuts are left out.

    The motion is DIS's (medium) between the pictures' luma. Where that does not carry the luma over, by more than a few
    levels, nothing is told of the colour and the pixel counts less.

    Args:
        pictures: of a stretch, uint8 BGR (H, W, 3), all of one size.
        shots: numbers of those of each shot.
    """
    finder = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)  # type: ignore[attr-defined]
    total = weights = 0.0
    for shot in shots:
        for number in shot[1:]:
            change, weight = _change(finder, pictures[number - 1], pictures[number])
            total += float((change * weight).sum())
            weights += float(weight.sum())
    return total / weights if weights else 0.0


def _change(finder: Any, before: Pixels, after: Pixels) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return how far ab moved at each pixel of the later picture, and how much that pixel counts."""
    earlier, later = (cv2.cvtColor(each, cv2.COLOR_BGR2GRAY) for each in (before, after))
    flow = finder.calc(later, earlier, None)
    height, width = later.shape
    across, down = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    there = (across + flow[:, :, 0], down + flow[:, :, 1])
    carried = cv2.remap(lab_of(before), *there, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    lab: Any = lab_of(after)
    change = np.hypot(*np.moveaxis(carried[:, :, 1:] - lab[:, :, 1:], 2, 0))
    miss = cv2.blur(np.abs(carried[:, :, 0] - lab[:, :, 0]), (5, 5))
    return change, np.exp(-np.square(np.asarray(miss) / 4.0))


def cdc(pictures: Sequence[Pixels], shots: Sequence[range]) -> float:
    """Return the mean Jensen-Shannon divergence of the channels' histograms 1, 2 and 4 frames apart, inside shots.

    Arguments as `flicker`.
    """
    bins = [_histograms(each) for each in pictures]
    means = []
    for apart in _APART:
        found = [_divergence(bins[n], bins[n + apart]) for shot in shots for n in shot if n + apart < shot.stop]
        means += [float(np.mean(found))] if found else []
    return float(np.mean(means)) if means else 0.0


def _histograms(picture: Pixels) -> NDArray[np.float64]:
    counts = [np.bincount(picture[:, :, channel].ravel(), minlength=256) for channel in range(3)]
    shares: NDArray[np.float64] = np.array(counts, np.float64) / (picture.shape[0] * picture.shape[1])
    return shares


def _divergence(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    middle = (one + other) / 2

    def relative(p: NDArray[np.float64]) -> NDArray[np.float64]:
        inside = p > 0
        terms = np.zeros_like(p)
        terms[inside] = p[inside] * np.log(p[inside] / middle[inside])
        summed: NDArray[np.float64] = terms.sum(axis=1)
        return summed

    return float(((relative(one) + relative(other)) / 2).mean())


def clip_lines(rows: Sequence[ClipRow]) -> Iterator[str]:
    """Yield the rows, and their means by steadiness, as a table for a person."""
    yield f"{'steady':<8} {'frames':>6} {'flicker':>8} {'CDC x100':>9} {'colour':>7} {'PSNR dB':>8}  film"
    for row in rows:
        yield _line(row)
    for steady in dict.fromkeys(row.steady for row in rows):
        yield _line(mean_row([row for row in rows if row.steady == steady]))


def mean_row(rows: Sequence[ClipRow]) -> ClipRow:
    """Return the mean of some films at one steadiness."""

    def mean(name: str) -> float:
        return float(np.mean([getattr(row, name) for row in rows]))

    psnr = [row.psnr for row in rows if row.psnr is not None]
    return ClipRow(
        f"mean of {len(rows)}",
        rows[0].steady,
        sum(row.frames for row in rows),
        mean("flicker"),
        mean("cdc"),
        mean("colourfulness"),
        psnr=float(np.mean(psnr)) if psnr else None,
    )


def _line(row: ClipRow) -> str:
    psnr = "-" if row.psnr is None else f"{row.psnr:.2f}"
    figures_of = f"{row.flicker:>8.3f} {row.cdc:>9.3f} {row.colourfulness:>7.1f} {psnr:>8}"
    return f"{row.steady:<8} {row.frames:>6,} {figures_of}  {row.film}"


def clips_json(rows: Sequence[ClipRow], failed: dict[str, str]) -> dict[str, Any]:
    """Return the rows and what could not be read, for JSON."""
    return {"clips": [asdict(row) for row in rows], "failed": failed}

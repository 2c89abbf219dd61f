"""Colour against the truth: photographs are greyed, colorized and compared, one after another."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.colour import recipe
from pipeline.colour.colourfulness import colourfulness
from pipeline.colour.reference import lab_of
from pipeline.ground import resources
from pipeline.ground.errors import OutputError
from pipeline.ground.files import words, write_whole
from pipeline.measure import figures
from pipeline.measure.estimate import Estimate, mean, ratio
from pipeline.measure.faults import Faults, faults
from pipeline.measure.figures import Floats, Pixels
from pipeline.nets.net import Net
from pipeline.nets.points import read_points

GREY = 0.0

# The figures of one saturation, in the order of the tables: name -> (heading, decimals, sign shown).
FIGURES: dict[str, tuple[str, int, bool]] = {
    "psnr": ("PSNR dB", 2, True),
    "ciede2000": ("CIEDE2000", 2, True),
    "colourfulness": ("colour %", 0, False),
    "auc": ("AuC", 1, True),
    "rebalanced_auc": ("rebal. AuC", 1, True),
    "shift": ("shift", 2, False),
    "blur": ("blur", 2, False),
    "flat_gradient": ("flat grad.", 2, False),
    "cast_free_psnr": ("PSNR dB", 2, True),
    "cast_free_ciede2000": ("CIEDE2000", 2, True),
    "cast_free_auc": ("AuC", 1, True),
    "strong": ("strong %", 1, False),
    "strong_wrong": ("of it wrong %", 1, False),
    "red": ("red %", 2, False),
    "plane_spread": ("plane spread", 2, False),
    "plane_ratio": ("of truth's", 2, False),
}
# These are given as differences to the grey picture.
AGAINST_GREY = (
    "psnr", "ciede2000", "auc", "rebalanced_auc", "cast_free_psnr", "cast_free_ciede2000", "cast_free_auc",
)  # fmt: skip
# Where nothing is strongly coloured, or no surface is plain, nothing is wrong with it.
_NONE = 1e-9


@dataclass(frozen=True, slots=True)
class Row:
    """One picture at one saturation (0: grey).

    Attributes:
        psnr: in dB. ciede2000: mean over the pixels. colourfulness: Hasler and Suesstrunk's M3.
        shares: float64 (bins,), sum over the pixels of each true bin of the share of thresholds not exceeded.
        cast_free: PSNR, CIEDE2000 and AuC (0..1) with the mean ab of guess and truth taken out of each.
        faults: what embarrasses.
    """

    psnr: float
    ciede2000: float
    colourfulness: float
    shares: NDArray[np.float64]
    cast_free: tuple[float, float, float]
    faults: Faults


@dataclass(frozen=True, slots=True)
class Measured:
    """One picture through one net.

    Attributes:
        name: the picture's path inside the folder.
        rows: by saturation, grey among them.
        colourfulness: of the truth.
        counts: float64 (bins,), true pixels in each bin at 64 x 64.
        shift, blur: mean change of ab, in Lab units, at saturation 1.
        flat: sums of the chroma gradient where lightness is flat: guess (at saturation 1) and truth.
        plane_spread: of the truth.
    """

    name: str
    rows: Mapping[float, Row]
    colourfulness: float
    counts: NDArray[np.float64]
    shift: float
    blur: float
    flat: tuple[float, float]
    plane_spread: float


@dataclass(frozen=True, slots=True)
class Result:
    """A net's figures over all pictures.

    Attributes:
        model, engine, sha256, input_size: of the net.
        grey: figure -> estimate, of the grey pictures themselves.
        saturations: saturation -> figure -> estimate; PSNR, CIEDE2000 and both AuC are differences to grey,
            colourfulness is in percent of the truth's, flat gradient and plane ratio in the truth's.
    """

    model: str
    engine: str
    sha256: str
    input_size: int
    grey: Mapping[str, Estimate]
    saturations: Mapping[float, Mapping[str, Estimate]]


def measure_picture(
    name: str, picture: Pixels, net: Net, saturations: Sequence[float], table: NDArray[np.intp]
) -> Measured:
    """Grey, colorize and compare one photograph at the net's own input size.

    Args:
        name: what the picture is called.
        picture: the truth, uint8 BGR (H, W, 3).
        net: what colorizes.
        saturations: factors on the predicted ab.
        table: from `figures.bin_table`.
    """
    side = net.spec.input_size
    small: Any = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    truth = _truth_of(small, table)
    ab = figures.enlarge(recipe.predict(small, net), side)

    def predict(shown: Floats) -> Floats:
        return figures.enlarge(net.predict(np.ascontiguousarray(shown)), side)

    return Measured(
        name=name,
        rows={factor: _row(truth, ab * np.float32(factor)) for factor in dict.fromkeys((GREY, *saturations))},
        colourfulness=colourfulness(truth.picture),
        counts=np.bincount(truth.bins, minlength=truth.bin_count).astype(np.float64),
        shift=figures.change_under_shift(ab, predict(figures.moved(truth.lightness))),
        blur=figures.change_under_blur(ab, predict(figures.blurred(truth.lightness))),
        flat=figures.chroma_gradient_where_flat(truth.lightness, ab, truth.ab),
        plane_spread=faults(truth.lightness, truth.ab).spread,
    )


@dataclass(frozen=True, slots=True)
class _Truth:
    """A photograph at the net's size: lightness (S, S), ab (S, S, 2), both joined again, without cast, and its bins."""

    lightness: Floats
    ab: Floats
    picture: Pixels
    cast_free: Pixels
    bins: NDArray[np.intp]
    bin_count: int


def _truth_of(small: Pixels, table: NDArray[np.intp]) -> _Truth:
    lab = lab_of(small)
    lightness, ab = np.ascontiguousarray(lab[:, :, 0]), np.ascontiguousarray(lab[:, :, 1:])
    return _Truth(
        lightness,
        ab,
        figures.picture_of(lightness, ab),
        figures.picture_of(lightness, figures.without_cast(ab)),
        figures.nearest_bins(figures.at_common_size(ab), table).ravel(),
        int(table.max()) + 1,
    )


def _row(truth: _Truth, ab: Floats) -> Row:
    guess = figures.picture_of(truth.lightness, ab)
    shares = figures.shares_within(figures.at_common_size(ab), figures.at_common_size(truth.ab)).ravel()
    return Row(
        *_distance(guess, truth.picture),
        colourfulness(guess),
        np.bincount(truth.bins, weights=shares, minlength=truth.bin_count).astype(np.float64),
        _cast_free(truth, figures.without_cast(ab)),
        faults(truth.lightness, ab, truth.ab),
    )


def _distance(guess: Pixels, truth: Pixels) -> tuple[float, float]:
    return figures.psnr(guess, truth), float(figures.ciede2000(lab_of(guess), lab_of(truth)).mean())


def _cast_free(truth: _Truth, ab: Floats) -> tuple[float, float, float]:
    small, true_small = figures.at_common_size(ab), figures.at_common_size(figures.without_cast(truth.ab))
    auc = float(figures.shares_within(small, true_small).mean())
    return *_distance(figures.picture_of(truth.lightness, ab), truth.cast_free), auc


def summarise(net: Net, pictures: Sequence[Measured], saturations: Sequence[float]) -> Result:
    """Put the pictures of one net together."""
    weights = figures.rarity_weights(np.sum([each.counts for each in pictures], axis=0))
    grey = _of_saturation(pictures, GREY, weights)
    found: dict[float, dict[str, Estimate]] = {}
    for saturation in saturations:
        row = _of_saturation(pictures, saturation, weights)
        row |= {name: row[name] - grey[name] for name in AGAINST_GREY}
        found[saturation] = {name: row[name] for name in FIGURES}
    return Result(net.spec.name, str(net.engine), net.spec.sha256, net.spec.input_size, grey, found)


def _of_saturation(
    pictures: Sequence[Measured], saturation: float, weights: NDArray[np.float64]
) -> dict[str, Estimate]:
    def each(value: Callable[[Measured], float]) -> NDArray[np.float64]:
        return np.array([value(picture) for picture in pictures], np.float64)

    def row(picture: Measured) -> Row:
        return picture.rows[saturation]

    pixels = each(lambda p: p.counts.sum())
    return {
        "psnr": mean(each(lambda p: row(p).psnr)),
        "ciede2000": mean(each(lambda p: row(p).ciede2000)),
        "colourfulness": ratio(each(lambda p: row(p).colourfulness), each(lambda p: p.colourfulness)) * 100,
        "auc": ratio(each(lambda p: row(p).shares.sum()), pixels) * 100,
        "rebalanced_auc": ratio(
            each(lambda p: float(row(p).shares @ weights)), each(lambda p: float(p.counts @ weights))
        )
        * 100,
        "shift": mean(each(lambda p: p.shift)) * saturation,
        "blur": mean(each(lambda p: p.blur)) * saturation,
        "flat_gradient": ratio(each(lambda p: p.flat[0]), each(lambda p: p.flat[1])) * saturation,
        "cast_free_psnr": mean(each(lambda p: row(p).cast_free[0])),
        "cast_free_ciede2000": mean(each(lambda p: row(p).cast_free[1])),
        "cast_free_auc": mean(each(lambda p: row(p).cast_free[2])) * 100,
        "strong": mean(each(lambda p: row(p).faults.strong)) * 100,
        "strong_wrong": ratio(each(lambda p: row(p).faults.wrong), each(lambda p: row(p).faults.strong) + _NONE) * 100,
        "red": mean(each(lambda p: row(p).faults.red)) * 100,
        "plane_spread": ratio(each(lambda p: row(p).faults.spread), each(lambda p: row(p).faults.planes) + _NONE),
        "plane_ratio": ratio(each(lambda p: row(p).faults.spread), each(lambda p: p.plane_spread) + _NONE),
    }


def difference(first: Result, second: Result) -> dict[float, dict[str, Estimate]]:
    """Return saturation -> figure -> first minus second, paired picture by picture."""
    return {
        saturation: {name: row[name] - second.saturations[saturation][name] for name in FIGURES}
        for saturation, row in first.saturations.items()
    }


def points_table() -> NDArray[np.intp]:
    """Return the table of nearest bins of the 313 centres that travel with the program."""
    return figures.bin_table(read_points(resources.models_dir() / "pts_in_hull.npy"))


CSV_COLUMNS = (
    "picture", "model", "saturation", "psnr", "psnr_grey", "ciede2000", "ciede2000_grey", "colourfulness",
    "colourfulness_truth", "auc", "auc_grey", "rebalanced_auc", "rebalanced_auc_grey", "shift", "blur",
    "flat_gradient", "flat_gradient_truth", "cast_free_psnr", "cast_free_psnr_grey", "cast_free_ciede2000",
    "cast_free_ciede2000_grey", "cast_free_auc", "cast_free_auc_grey", "strong", "strong_wrong", "red", "planes",
    "plane_spread", "plane_spread_truth",
)  # fmt: skip


def csv_text(measured: Iterable[tuple[str, Sequence[Measured]]]) -> str:
    """Return RFC 4180 text, one row for each picture, model and saturation; numbers as measured, not differences.

    Args:
        measured: each model's name and its pictures. The rebalanced AuC weighs colours by the whole set's prior; the
            flat gradients are sums over the plain part divided by all pixels, plane spreads likewise; shares are in
            percent of the picture.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(CSV_COLUMNS)
    for model, pictures in measured:
        if not pictures:  # all of them were without a truth
            continue
        weights = figures.rarity_weights(np.sum([each.counts for each in pictures], axis=0))
        for picture in pictures:
            writer.writerows(_csv_rows(model, picture, weights))
    return text.getvalue()


def _csv_rows(model: str, picture: Measured, weights: NDArray[np.float64]) -> Iterator[list[str]]:
    grey = picture.rows[GREY]
    pixels, weight = picture.counts.sum(), picture.counts @ weights
    area = figures.COMMON_SIDE**2
    for saturation, row in picture.rows.items():
        if row is grey:
            continue
        numbers = (
            *(row.psnr, grey.psnr, row.ciede2000, grey.ciede2000, row.colourfulness, picture.colourfulness),
            *(100 * row.shares.sum() / pixels, 100 * grey.shares.sum() / pixels),
            *(100 * (row.shares @ weights) / weight, 100 * (grey.shares @ weights) / weight),
            *(picture.shift * saturation, picture.blur * saturation),
            *(picture.flat[0] * saturation / area, picture.flat[1] / area),
            *(each for pair in zip(row.cast_free[:2], grey.cast_free[:2], strict=True) for each in pair),
            *(100 * row.cast_free[2], 100 * grey.cast_free[2]),
            *(100 * share for share in (row.faults.strong, row.faults.wrong, row.faults.red, row.faults.planes)),
            *(row.faults.spread, picture.plane_spread),
        )
        yield [picture.name, model, f"{saturation:g}", *(f"{number:.4f}" for number in numbers)]


def write_csv(path: Path, text: str) -> None:
    """Write the rows as UTF-8; a file that is there is replaced when the new one is whole.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        write_whole(path, text)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {words(error)}.") from None

"""Colour against the truth: photographs are greyed, colorized and compared, one after another."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.colour.reference import lab_of
from pipeline.ground import resources
from pipeline.ground.errors import OutputError
from pipeline.ground.files import words, write_whole
from pipeline.measure import figures
from pipeline.measure.estimate import Estimate, mean, ratio
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
}


@dataclass(frozen=True, slots=True)
class Row:
    """One picture at one saturation (0: grey).

    Attributes:
        psnr: in dB. ciede2000: mean over the pixels. colourfulness: Hasler and Suesstrunk's M3.
        shares: float64 (bins,), sum over the pixels of each true bin of the share of thresholds not exceeded.
    """

    psnr: float
    ciede2000: float
    colourfulness: float
    shares: NDArray[np.float64]


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
    """

    name: str
    rows: Mapping[float, Row]
    colourfulness: float
    counts: NDArray[np.float64]
    shift: float
    blur: float
    flat: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Result:
    """A net's figures over all pictures.

    Attributes:
        model, engine, sha256, input_size: of the net.
        grey: figure -> estimate, of the grey pictures themselves.
        saturations: saturation -> figure -> estimate; PSNR, CIEDE2000 and both AuC are differences to grey,
            colourfulness is in percent of the truth's, the flat gradient in the truth's.
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
    lab = lab_of(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA))  # type: ignore[arg-type]
    lightness, true_ab = np.ascontiguousarray(lab[:, :, 0]), np.ascontiguousarray(lab[:, :, 1:])
    truth = figures.picture_of(lightness, true_ab)
    true_lab, true_small = lab_of(truth), figures.at_common_size(true_ab)
    bins = figures.nearest_bins(true_small, table).ravel()
    bin_count = int(table.max()) + 1

    def predict(shown: Floats) -> Floats:
        return figures.enlarge(net.predict(np.ascontiguousarray(shown)), side)

    def row(ab: Floats) -> Row:
        guess = figures.picture_of(lightness, ab)
        shares = figures.shares_within(figures.at_common_size(ab), true_small).ravel()
        return Row(
            figures.psnr(guess, truth),
            float(figures.ciede2000(lab_of(guess), true_lab).mean()),
            figures.colourfulness(guess),
            np.bincount(bins, weights=shares, minlength=bin_count).astype(np.float64),
        )

    ab = predict(lightness)
    return Measured(
        name=name,
        rows={saturation: row(ab * np.float32(saturation)) for saturation in dict.fromkeys((GREY, *saturations))},
        colourfulness=figures.colourfulness(truth),
        counts=np.bincount(bins, minlength=bin_count).astype(np.float64),
        shift=figures.change_under_shift(ab, predict(figures.moved(lightness))),
        blur=figures.change_under_blur(ab, predict(figures.blurred(lightness))),
        flat=figures.chroma_gradient_where_flat(lightness, ab, true_ab),
    )


def summarise(net: Net, pictures: Sequence[Measured], saturations: Sequence[float]) -> Result:
    """Put the pictures of one net together."""
    weights = figures.rarity_weights(np.sum([each.counts for each in pictures], axis=0))
    grey = _of_saturation(pictures, GREY, weights)
    found: dict[float, dict[str, Estimate]] = {}
    for saturation in saturations:
        row = _of_saturation(pictures, saturation, weights)
        row |= {name: row[name] - grey[name] for name in ("psnr", "ciede2000", "auc", "rebalanced_auc")}
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
    "flat_gradient", "flat_gradient_truth",
)  # fmt: skip


def csv_text(measured: Iterable[tuple[str, Sequence[Measured]]]) -> str:
    """Return RFC 4180 text, one row for each picture, model and saturation; numbers as measured, not differences.

    Args:
        measured: each model's name and its pictures. The rebalanced AuC weighs colours by the whole set's prior; the
            flat gradients are sums over the plain part divided by all pixels.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(CSV_COLUMNS)
    for model, pictures in measured:
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

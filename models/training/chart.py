"""Fit the palettes' charts: `python -m models.training.chart ANSWERS.npz --out pipeline/colour/charts.npz`.

A chart (`pipeline/colour/chart.py`) moves each colour that the net answers, by how sure it is. For each cell of (a, b,
spread) the truth's colours there are counted, and of all colours the one is taken that costs least: CIEDE2000, squared
error (as PSNR of its picture), rebalanced AuC, strongly coloured and wrong, and that again where it is red, less what
it adds to colourfulness. PSNR and colourfulness are no sums over pixels: they are taken as linear about the answer of
the round before. What the terms weigh (`WEIGHTS`) was chosen on held-out photographs.

ANSWERS.npz is written by `python -m models.training.answers`.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from models.training.answers import Answers, load
from pipeline.colour.chart import FARTHEST, SPREADS, STEP, charted
from pipeline.colour.colourfulness import colourfulness
from pipeline.colour.palette import PALETTES
from pipeline.colour.palette import SPREADS as STEPS
from pipeline.measure import figures
from pipeline.measure.evaluation import points_table
from pipeline.measure.faults import REDS, STRONG, WRONG

Floats = npt.NDArray[np.float32]

ROUNDS = 3
# Spreads between which an answer counts for one of the chart's `SPREADS`.
EDGES = (7.0, 9.0, 11.0, 13.0, 16.0, 20.0, 24.0)


@dataclass(frozen=True)
class Weights:
    """What a dB of PSNR, a point of rebalanced AuC, a percent of strong-and-wrong area, a percent of colourfulness and
    a percent of area that is strong, wrong and red weigh beside one unit of CIEDE2000.
    """

    psnr: float
    rebalanced: float
    wrong: float
    colour: float
    red: float


WEIGHTS = {
    "natural": Weights(psnr=1.2, rebalanced=0.7, wrong=0.11, colour=0.062, red=0.1),
    "restrained": Weights(psnr=1.2, rebalanced=0.52, wrong=0.43, colour=0.056, red=0.5),
    "vivid": Weights(psnr=1.0, rebalanced=0.7, wrong=0.08, colour=0.09, red=0.05),
}


@dataclass(frozen=True)
class Modesty:
    """The steps that a chart took the place of: chroma c becomes c (c / 15) ** 0.2, then less where the net is unsure.

    At each of `pipeline.colour.palette.SPREADS`: the gain, and what is left of chroma above the knee.
    """

    gain: tuple[float, ...]
    knee: float
    left: tuple[float, ...]

    def added(self) -> Floats:
        """As a chart."""
        colours = COLOURS.reshape(SIDE, SIDE, 2)
        chroma = np.hypot(colours[..., 0], colours[..., 1])
        curved = (np.maximum(chroma, 1e-3) / 15) ** 0.2
        layers = []
        for spread in SPREADS:
            gain, left = (np.interp(spread, STEPS, each) for each in (self.gain, self.left))
            strong = np.maximum(chroma * curved * gain, self.knee)
            factor = curved * gain * (1 - (1 - left) * (1 - self.knee / strong))
            layers.append(colours * (factor - 1)[..., None])
        return np.stack(layers).astype(np.float32)


# A palette here has the mean of its chart and of those steps: seen blindly it is better than the chart alone.
HALF = {
    "restrained": Modesty(
        gain=(1.12, 1.02, 0.98, 0.93, 0.84, 0.8, 0.7), knee=15.0, left=(1.0, 1.0, 1.0, 0.9, 0.8, 0.5, 0.1)
    )
}

# The fitted chart moves what of a sky is bluest farthest, in glaring patches, and a point of colour costs more PSNR
# there than anywhere. So blues go most of the way back to the steps before, and other hues get the colour that this
# takes; yellow and its greens do not, where it costs nearly as much. In degrees: nothing, all, all, nothing.
BLUES = (-150.0, -130.0, -60.0, -40.0)
YELLOWS = (72.0, 80.0, 105.0, 115.0)
# Chroma from which the others get more, and from which on they get all of it: pale ones would cost CIEDE2000.
STRONGER = (5.0, 16.0)
QUIETER = {
    "natural": (Modesty(gain=(0.88,) * len(STEPS), knee=15.0, left=(1.0,) * len(STEPS)), 0.6, 0.14),
    "vivid": (Modesty(gain=(1.04,) * len(STEPS), knee=15.0, left=(1.0,) * len(STEPS)), 0.8, 0.1),
}

AXIS = np.arange(-FARTHEST, FARTHEST + STEP / 2, STEP, dtype=np.float32)
SIDE = len(AXIS)
COLOURS = np.stack(np.meshgrid(AXIS, AXIS, indexing="ij"), -1).reshape(-1, 2)


def cell_of(ab: Floats) -> npt.NDArray[np.intp]:
    """Which of `COLOURS` is nearest."""
    place = np.clip(np.rint((ab + FARTHEST) / STEP), 0, SIDE - 1).astype(np.intp)
    return place[..., 0] * SIDE + place[..., 1]


def _costs() -> dict[str, Floats]:
    """What an answer (first axis) costs where the truth is another colour (second axis), per pixel."""
    distance = np.hypot(*np.moveaxis(COLOURS[:, None] - COLOURS, 2, 0))
    lab = np.column_stack([np.full(len(COLOURS), 60), COLOURS]).astype(np.float32)
    apart = np.stack([figures.ciede2000(np.broadcast_to(each, lab.shape), lab) for each in lab])
    chroma, hue = np.hypot(*COLOURS.T), np.degrees(np.arctan2(COLOURS[:, 1], COLOURS[:, 0]))
    wrong = 100.0 * ((chroma > STRONG)[:, None] & (distance > WRONG))
    costs = {
        "apart": apart,
        "missed": 100 * np.ceil(distance) / (figures.AUC_LIMIT + 1),
        "wrong": wrong,
        "red": wrong * ((hue >= REDS[0]) & (hue <= REDS[1]))[:, None],
    }
    return {name: cost.astype(np.float32) for name, cost in costs.items()}


class Cells:
    """What photographs have where the net answers alike: sums over (spreads, a, b) cells that hold any."""

    def __init__(self, answers: Answers, ab: Floats, spread: Floats) -> None:
        layers = np.digitize(spread, EDGES)
        self.cells, self.of = np.unique(layers * SIDE * SIDE + cell_of(ab), return_inverse=True)
        self.of = self.of.ravel()
        self.truth = cell_of(answers.truth).ravel()
        self.count = np.bincount(self.of).astype(np.float32)
        self.answers = answers

    def histogram(self, weight: Floats) -> Floats:
        """Weights of the pixels, by cell and true colour: (cells, colours)."""
        wide = len(COLOURS)
        counts = np.bincount(self.of * wide + self.truth, weight.ravel(), minlength=len(self.cells) * wide)
        return self.borrowed(counts.reshape(len(self.cells), wide).astype(np.float32))

    def sums(self, *values: Floats) -> Floats:
        """Sums over the pixels of each cell: (cells, values)."""
        of_cells = [np.bincount(self.of, each.ravel(), minlength=len(self.cells)) for each in values]
        return self.borrowed(np.stack(of_cells, 1).astype(np.float32))

    def squared(self, weight: Floats) -> Floats:
        """What each colour's squared distance from the truth sums to, less what is the same for all of them."""
        truth = self.answers.truth
        mass, *pull = self.sums(weight, weight * truth[..., 0], weight * truth[..., 1]).T
        return mass[:, None] * (COLOURS**2).sum(1) - 2 * np.stack(pull, 1) @ COLOURS.T

    def borrowed(self, sums: Floats) -> Floats:
        """Add to each cell a share of what its neighbours in a, b and spread hold: (cells, any)."""
        where = np.full((len(SPREADS) + 2, SIDE + 2, SIDE + 2), -1)
        layer, row, column = np.unravel_index(self.cells, (len(SPREADS), SIDE, SIDE))
        where[layer + 1, row + 1, column + 1] = np.arange(len(self.cells))
        total = np.zeros_like(sums)
        for up, down, right in np.ndindex(3, 3, 3):
            share = 0.15 ** abs(up - 1) * 0.4 ** (abs(down - 1) + abs(right - 1))
            other = where[layer + up, row + down, column + right]
            total[other >= 0] += share * sums[other[other >= 0]]
        return total

    def field(self, best: Floats) -> Floats:
        """What is added, (spreads, SIDE, SIDE, 2), from the best colour of each cell; empty cells take others'."""
        shape = (len(SPREADS), SIDE, SIDE)
        added, mass = np.zeros((*shape, 2), np.float32), np.zeros(shape, np.float32)
        weight = self.count / self.count.sum() + 1e-7
        place = np.unravel_index(self.cells, shape)
        added[place] = (best - COLOURS[self.cells % (SIDE * SIDE)]) * weight[:, None]
        mass[place] = weight
        for layer, of_layer in zip(added, mass, strict=True):
            layer[:] = _wide(layer) / np.maximum(_wide(of_layer), 1e-14)[:, :, None]
        return added


def _wide(sums: Floats) -> Floats:
    """A narrow blur, with a trace of wider ones for where there is nothing near."""
    parts = [share * cv2.GaussianBlur(sums, (0, 0), sigma) for share, sigma in ((1, 0.8), (1e-3, 3), (1e-6, 9))]
    return np.sum(parts, axis=0, dtype=np.float32)


def psnr_weights(answers: Answers, ab: Floats) -> Floats:
    """How many dB of mean PSNR a unit of squared ab distance at each pixel takes, about the answer `ab`."""
    squared = ((answers.pixels(ab) - answers.shown) ** 2).mean(-1)
    of_picture = np.maximum(squared.mean((1, 2), keepdims=True), 3e-5)
    slope = squared.sum() / ((ab - answers.truth) ** 2).sum()
    return np.broadcast_to(10 / np.log(10) * slope / of_picture / squared.size, squared.shape).astype(np.float32)


def colour_slopes(answers: Answers, ab: Floats) -> Floats:
    """By how many percent of the truth's a unit of a and of b at each pixel adds to colourfulness: (..., 2)."""
    here = _opponents(answers.pixels(ab))
    centre = here.mean((1, 2), keepdims=True)
    spread = np.sqrt(here.var((1, 2), keepdims=True).sum(-1, keepdims=True)) + 0.3
    size = np.sqrt((centre**2).sum(-1, keepdims=True)) + 0.3
    pull = (here - centre) / spread + 0.3 * centre / size
    slopes = []
    for step in np.eye(2, dtype=np.float32):
        slopes.append((pull * (_opponents(answers.pixels(ab + step)) - here)).sum(-1))
    pixels = here.shape[1] * here.shape[2]
    whole = sum(colourfulness(each) for each in (answers.shown * 255))
    return (np.stack(slopes, -1) * 100 / pixels / whole).astype(np.float32)


def _opponents(bgr: Floats) -> Floats:
    """Red less green, yellow less blue, 0..255 (..., 2)."""
    blue, green, red = np.moveaxis(bgr * 255, -1, 0)
    return np.stack([red - green, (red + green) / 2 - blue], -1)


def rarity(answers: Answers) -> Floats:
    """What each pixel weighs in the rebalanced AuC; they sum to 1."""
    table = points_table()
    bins = figures.nearest_bins(answers.truth.reshape(-1, answers.truth.shape[2], 2), table)
    counts = np.bincount(bins.ravel(), minlength=int(table.max()) + 1).astype(np.float64)
    weight = figures.rarity_weights(counts)[bins]
    return (weight / weight.sum()).astype(np.float32)


def fit(answers: Answers, cast: float) -> dict[str, Floats]:
    """A chart for each of `WEIGHTS`."""
    ab, spread = answers.ab - cast * answers.mean[:, None, None], answers.spread
    cells, costs = Cells(answers, ab, spread), _costs()
    plain = cells.histogram(np.full(spread.shape, 1 / spread.size, np.float32))
    common = {name: plain @ costs[name].T for name in ("apart", "wrong", "red")}
    common["missed"] = cells.histogram(rarity(answers)) @ costs["missed"].T
    charts = {}
    for name, weights in WEIGHTS.items():
        now = ab * np.float32(0.9)
        for _ in range(ROUNDS):
            squared = cells.squared(psnr_weights(answers, now))
            gain = cells.sums(*np.moveaxis(colour_slopes(answers, now), -1, 0))
            cost = (
                common["apart"] + weights.psnr * squared + weights.rebalanced * common["missed"]
                + weights.wrong * common["wrong"] + weights.red * common["red"] - weights.colour * gain @ COLOURS.T
            )  # fmt: skip
            charts[name] = cells.field(COLOURS[cost.argmin(1)])
            now = np.stack([charted(*each, charts[name]) for each in zip(ab, spread, strict=True)])
    return charts


def quieter_blues(added: Floats, steps: Modesty, share: float, more: float) -> Floats:
    """A chart with that share of its blues by `steps`, and so much more chroma where it is neither blue nor yellow."""
    colours = COLOURS.reshape(SIDE, SIDE, 2)
    hue = np.degrees(np.arctan2(colours[..., 1], colours[..., 0]))
    blue, yellow = (np.interp(hue, hues, (0, 1, 1, 0))[..., None] for hues in (BLUES, YELLOWS))
    moved = colours + added + share * blue * (steps.added() - added)
    strong = np.interp(np.hypot(moved[..., 0], moved[..., 1]), STRONGER, (0, 1))[..., None]
    return (moved * (1 + more * strong * (1 - blue) * (1 - yellow)) - colours).astype(np.float32)


def main(words: list[str] | None = None) -> None:
    """Parse the command line, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("answers", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args(words)
    charts = fit(load(arguments.answers), PALETTES["natural"].cast)
    charts |= {name: quieter_blues(charts[name], *how) for name, how in QUIETER.items()}
    charts |= {name: np.float32(0.5) * (charts[name] + steps.added()) for name, steps in HALF.items()}
    with arguments.out.open("wb") as file:
        np.savez_compressed(
            file, allow_pickle=False, **{name: each.astype(np.float16) for name, each in charts.items()}
        )


if __name__ == "__main__":
    main()

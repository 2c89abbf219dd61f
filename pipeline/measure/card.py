"""The figures of an evaluation as the model card prints them, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isnan
from typing import Any

from pipeline.measure.estimate import Estimate
from pipeline.measure.evaluation import AGAINST_GREY, FIGURES, Result, difference
from pipeline.measure.faults import Faults

# The tables' headings and columns.
_TABLES = {
    "against grey, colour in % of the truth's": ("psnr", "ciede2000", "colourfulness", "auc", "rebalanced_auc"),
    "calm (mean ab change), and against the truth": ("shift", "blur", "flat_gradient"),
    "against grey, with each picture's mean ab taken out": ("cast_free_psnr", "cast_free_ciede2000", "cast_free_auc"),
    "strong colour, red or purple of it, and planes": ("strong", "strong_wrong", "red", "plane_spread", "plane_ratio"),
}
_WIDTH = 13


def card_lines(results: Sequence[Result], count: int) -> Iterator[str]:
    """Yield the tables, at most 80 columns wide: each net's figures, then the first minus the second.

    Args:
        results: one, or two of the same pictures.
        count: number of pictures.
    """
    if count == 1:
        yield "1 photograph, which says nothing about others: no intervals."
    else:
        yield f"{count:,} photographs; +- is half a 95 % interval (normal, over photographs)."
    for result in results:
        grey = result.grey
        yield ""
        yield f"{result.model} ({result.engine}) at {result.input_size} x {result.input_size}"
        yield (
            f"  grey itself: PSNR {grey['psnr'].value:.2f} dB, CIEDE2000 {grey['ciede2000'].value:.2f}, "
            f"AuC {grey['auc'].value:.1f}, rebalanced {grey['rebalanced_auc'].value:.1f}"
        )
        for title, names in _TABLES.items():
            yield from _table(title, result.saturations, names)
    if len(results) == 2:
        first, second = results
        rows = difference(first, second)
        yield ""
        yield f"{first.model} minus {second.model}, paired"
        for title, names in _TABLES.items():
            yield from _table(title, rows, names, signed=True)


def bare_lines(models: Sequence[str], bare: Sequence[Mapping[float, Sequence[Faults]]]) -> Iterator[str]:
    """Yield what can be said of pictures without a truth, such as old photographs.

    Args:
        models: names of the nets.
        bare: of each net: factor on ab -> what was found in each picture; not empty.
    """
    count = len(next(iter(bare[0].values())))
    yield ""
    yield f"{count:,} without any colour to compare with: shares of their area, spread in Lab units"
    yield (
        "  saturation" + "".join(f"{heading:>{_WIDTH}}" for heading in ("strong %", "red %", "plane spread")) + "  net"
    )
    for model, rows in zip(models, bare, strict=True):
        for saturation, found in rows.items():
            numbers = bare_figures(found)
            cells = "".join(f"{number:>{_WIDTH}.2f}" for number in numbers.values())
            yield f"  {saturation:<10g}{cells}  {model}"


def bare_figures(found: Sequence[Faults]) -> dict[str, float]:
    """Return strong and red share in percent of the pictures' area, and the spread of ab on their planes."""
    strong, red, planes, spread = (
        sum(getattr(each, name) for each in found) / max(len(found), 1)
        for name in ("strong", "red", "planes", "spread")
    )
    return {"strong": 100 * strong, "red": 100 * red, "plane_spread": spread / planes if planes else 0.0}


def _table(
    title: str, rows: Mapping[float, Mapping[str, Estimate]], names: Sequence[str], *, signed: bool = False
) -> Iterator[str]:
    yield f"  {title}"
    yield "  saturation" + "".join(f"{FIGURES[name][0]:>{_WIDTH}}" for name in names)
    for saturation, row in rows.items():
        yield f"  {saturation:<10g}" + "".join(f"{_cell(row[name], name, signed):>{_WIDTH}}" for name in names)


def _cell(estimate: Estimate, name: str, signed: bool) -> str:
    _, decimals, sign = FIGURES[name]
    value = f"{estimate.value:{'+' if sign or signed else ''}.{decimals}f}"
    # a single picture has no interval
    return value if isnan(estimate.interval) else f"{value} +-{estimate.interval:.{decimals}f}"


def card_json(
    results: Sequence[Result],
    count: int,
    *,
    grey: Sequence[str],
    failed: Mapping[str, str],
    bare: Sequence[Mapping[float, Sequence[Faults]]] = (),
) -> dict[str, Any]:
    """Return everything as a dictionary for JSON; every figure has `value` and `interval` (half of 95 %)."""
    found: dict[str, Any] = {
        "photographs": count,
        "interval": "half the width of the normal 95 % interval over photographs (delta method)",
        "without_colour": list(grey),
        "without_truth": [{f"{key:g}": bare_figures(found) for key, found in rows.items()} for rows in bare],
        "failed": dict(failed),
        "models": [
            {
                "model": result.model,
                "engine": result.engine,
                "sha256": result.sha256,
                "input_size": result.input_size,
                "grey": _numbers({name: result.grey[name] for name in AGAINST_GREY}),
                "against_grey": {f"{key:g}": _numbers(row) for key, row in result.saturations.items()},
            }
            for result in results
        ],
    }
    if len(results) == 2:
        found["first_minus_second"] = {f"{key:g}": _numbers(row) for key, row in difference(*results).items()}
    return found


def _numbers(row: Mapping[str, Estimate]) -> dict[str, dict[str, float | None]]:
    # JSON knows no NaN, which the interval of a single picture is.
    return {name: {"value": _finite(each.value), "interval": _finite(each.interval)} for name, each in row.items()}


def _finite(number: float) -> float | None:
    return round(number, 5) if number - number == 0 else None

"""The figures of an evaluation as the model card prints them, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isnan
from typing import Any

from pipeline.measure.estimate import Estimate
from pipeline.measure.evaluation import FIGURES, Result, difference

# The first table's columns; the rest make the second one.
_COLOUR = ("psnr", "ciede2000", "colourfulness", "auc", "rebalanced_auc")
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
        yield from _table("against grey, colour in % of the truth's", result.saturations, _COLOUR)
        yield from _table("calm (mean ab change), and against the truth", result.saturations, _rest())
    if len(results) == 2:
        first, second = results
        rows = difference(first, second)
        yield ""
        yield f"{first.model} minus {second.model}, paired"
        yield from _table("", rows, _COLOUR, signed=True)
        yield from _table("", rows, _rest(), signed=True)


def _rest() -> tuple[str, ...]:
    return tuple(name for name in FIGURES if name not in _COLOUR)


def _table(
    title: str, rows: Mapping[float, Mapping[str, Estimate]], names: Sequence[str], *, signed: bool = False
) -> Iterator[str]:
    if title:
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
    results: Sequence[Result], count: int, *, grey: Sequence[str], failed: Mapping[str, str]
) -> dict[str, Any]:
    """Return everything as a dictionary for JSON; every figure has `value` and `interval` (half of 95 %)."""
    found: dict[str, Any] = {
        "photographs": count,
        "interval": "half the width of the normal 95 % interval over photographs (delta method)",
        "without_colour": list(grey),
        "failed": dict(failed),
        "models": [
            {
                "model": result.model,
                "engine": result.engine,
                "sha256": result.sha256,
                "input_size": result.input_size,
                "grey": _numbers(result.grey, skip=("colourfulness", "shift", "blur", "flat_gradient")),
                "against_grey": {f"{key:g}": _numbers(row) for key, row in result.saturations.items()},
            }
            for result in results
        ],
    }
    if len(results) == 2:
        found["first_minus_second"] = {f"{key:g}": _numbers(row) for key, row in difference(*results).items()}
    return found


def _numbers(row: Mapping[str, Estimate], skip: Sequence[str] = ()) -> dict[str, dict[str, float | None]]:
    # JSON knows no NaN, which the interval of a single picture is.
    return {
        name: {"value": _finite(each.value), "interval": _finite(each.interval)}
        for name, each in row.items()
        if name not in skip
    }


def _finite(number: float) -> float | None:
    return round(number, 5) if number - number == 0 else None

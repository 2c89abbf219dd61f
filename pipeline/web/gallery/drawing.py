"""Charts as SVG that stands in a page: bars over time, histograms, stacked bars; colours come from the page's style."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from pipeline.web.gallery.words import escaped

WIDTH: Final = 720
_LEFT: Final = 56
_FOOT: Final = 26
_TOP: Final = 10
_ROW: Final = 22
_LABEL: Final = 180


def bars(title: str, values: Sequence[tuple[str, float]], *, unit: str, height: int = 200, labels: int = 8) -> str:
    """Draw a bar for each value, from 0; every so many of them with its label below.

    Args:
        title: what a screen reader says of it.
        values: label and amount, not below 0.
        unit: of the amounts, for the tooltip.
        height: of the bars, in pixels.
        labels: that stand below, at most.
    """
    top = nice(max((amount for _, amount in values), default=0))
    across = (WIDTH - _LEFT) / max(1, len(values))
    every = max(1, math.ceil(len(values) / labels))
    parts = [_grid(top, height)]
    for at, (label, amount) in enumerate(values):
        tall = height * amount / top
        x = _LEFT + at * across
        parts.append(
            f'<rect class="bar" x="{x + across * 0.08:.1f}" y="{_TOP + height - tall:.1f}" width="{across * 0.84:.1f}" '
            f'height="{tall:.1f}"><title>{escaped(label)}: {number(amount)} {escaped(unit)}</title></rect>'
        )
        if at % every == 0:
            parts.append(f'<text x="{x:.1f}" y="{_TOP + height + 17}">{escaped(label)}</text>')
    return _svg(title, height + _TOP + _FOOT, parts)


def _grid(top: float, height: int) -> str:
    lines = []
    for part in (0, 0.5, 1):
        y = _TOP + height * (1 - part)
        lines.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>')
        lines.append(f'<text class="end" x="{_LEFT - 8}" y="{y + 4:.1f}">{number(top * part)}</text>')
    return "".join(lines)


def stacked(title: str, rows: Sequence[tuple[str, Mapping[str, int]]], order: Sequence[str]) -> str:
    """Draw a bar for each row, as long as it counts, parted by kind.

    Args:
        title: what a screen reader says of it.
        rows: label, and counts by kind.
        order: of the kinds; each is drawn in the style's class of its name.
    """
    most = max((sum(counts.values()) for _, counts in rows), default=0) or 1
    room = WIDTH - _LABEL - 70
    parts = []
    for at, (label, counts) in enumerate(rows):
        y, x = _TOP + at * _ROW, float(_LABEL)
        parts.append(f'<text class="end" x="{_LABEL - 8}" y="{y + 14}">{escaped(_short(label))}</text>')
        for kind in order:
            wide = room * counts.get(kind, 0) / most
            if wide:
                tip = f"{escaped(label)}: {counts[kind]:,} {kind}"
                parts.append(
                    f'<rect class="is-{kind}" x="{x:.1f}" y="{y}" width="{max(wide, 1):.1f}" height="{_ROW - 6}">'
                    f"<title>{tip}</title></rect>"
                )
                x += wide
        parts.append(f'<text x="{x + 6:.1f}" y="{y + 14}">{sum(counts.values()):,}</text>')
    return _svg(title, 2 * _TOP + len(rows) * _ROW, parts)


def _short(label: str) -> str:
    return label if len(label) <= 26 else f"{label[:14]}…{label[-11:]}"


def _svg(title: str, height: float, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escaped(title)}">\n'
        + "\n".join(parts)
        + "\n</svg>"
    )


def nice(amount: float) -> float:
    """Return the least of 1, 2, 3, 4, 5, 6, 8, 10, 20, ... (and 0.1, ...) that is not below an amount; 1 for 0."""
    if amount <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(amount))
    return next(step * power for step in (1, 2, 3, 4, 5, 6, 8, 10) if step * power >= amount * (1 - 1e-9))


def number(amount: float) -> str:
    """Return an amount in few digits: "1,234", "2.5", "0.04"."""
    return f"{amount:,.0f}" if amount >= 100 or amount == int(amount) else f"{amount:.3g}"

"""The page of statistics: how fast the night was, what became of what, what is biggest and slowest."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote

from pipeline.archive.journal import Journal
from pipeline.archive.schema import Run
from pipeline.web.gallery.data import STATUSES
from pipeline.web.gallery.drawing import bars, number, stacked
from pipeline.web.gallery.figures import Figures, Top
from pipeline.web.gallery.pages import head
from pipeline.web.gallery.words import escaped

_POLICY: Final = "default-src 'none'; style-src 'self' file:; base-uri 'none'; form-action 'none'"
_BINS: Final = 60
_SPANS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)  # seconds


def statistics_page(figures: Figures, journal: Journal, name: str, back: str) -> str:
    """Return the page.

    Args:
        figures: of all items.
        journal: open.
        name: of OUTPUT.
        back: link to the gallery's page; empty where this one is a part of it.
    """
    body = "\n".join(_sections(figures, journal.runs(), back))
    title = f"Statistics of {escaped(name)}"
    link = f'<p><a href="{back}">Back to the pictures</a></p>' if back else ""
    parts = head(_POLICY, '<link rel="stylesheet" href="gallery.css">')
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="color-scheme" content="light dark">\n{parts}\n<title>{title}</title>\n</head>\n'
        f'<body class="statistics">\n<main>\n<h1>{title}</h1>\n{link}\n{body}\n</main>\n</body>\n</html>\n'
    )


def _sections(figures: Figures, runs: dict[str, Run], back: str) -> Iterator[str]:
    yield _counts(figures)
    night = _night(figures)
    if night:
        yield _speed(figures.moments[night], runs.get(night))
    order = [status for status in STATUSES if any(status in counts for counts in figures.folders.values())]
    rows = list(figures.by_folder())
    if rows:
        legend = "".join(f'<li><i class="is-{each}"></i>{each}</li>' for each in order)
        chart = stacked("Items by folder and status", rows, order)
        yield _section("Status by folder", f'{chart}<ul class="legend">{legend}</ul>{_folder_table(rows, order)}')
    if figures.colourful.counts:
        chart = bars("Outputs by colourfulness", figures.colourful.bars(), unit="outputs")
        yield _section("Colourfulness of the outputs", f"{chart}<p>{_COLOURFUL}</p>")
    if figures.doubts.counts:
        yield _section("Doubt", bars("Items by doubt", figures.doubts.bars(), unit="items"))
    megapixels: Callable[[float], str] = lambda amount: f"{number(amount / 1e6)} MP"  # noqa: E731
    megabytes: Callable[[float], str] = lambda amount: f"{number(amount / 1e6)} MB"  # noqa: E731
    yield _tops("Biggest, in pixels", figures.pixels, megapixels, back)
    yield _tops("Biggest outputs, in bytes", figures.heavy, megabytes, back)
    yield _tops("Slowest, in a worker's time", figures.slow, lambda amount: f"{number(amount)} s", back)


_COLOURFUL: Final = (
    "M3 of Hasler and Süsstrunk, of the thumbnails: 0 is grey, 15 slightly, 33 moderately, 59 quite, 109 extremely "
    "colourful."
)


def _section(title: str, body: str) -> str:
    return f"<section>\n<h2>{escaped(title)}</h2>\n{body}\n</section>"


def _counts(figures: Figures) -> str:
    counts = sum(figures.folders.values(), Counter[str]())
    cells = "".join(f"<div><dt>{each}</dt><dd>{counts[each]:,}</dd></div>" for each in STATUSES if counts[each])
    return f'<dl class="counts">{cells}<div><dt>in all</dt><dd>{counts.total():,}</dd></div></dl>'


def _night(figures: Figures) -> str:
    """Return the run that is drawn: the last one that did at least a tenth of what the busiest did."""
    most = max((counts.total() for counts in figures.moments.values()), default=0)
    busy = [run for run, counts in figures.moments.items() if counts.total() * 10 >= most]
    return max(busy, default="")


def _speed(moments: Counter[str], run: Run | None) -> str:
    times = {_seconds(text): count for text, count in moments.items()}
    first = min(min(times), _seconds(run.started_at[:19]) if run and run.started_at else min(times))
    last = max(times)
    span = next((each for each in _SPANS if (last - first + 1) / each <= _BINS), _SPANS[-1])
    bins = Counter[int]()
    for at, count in times.items():
        bins[int((at - first) // span)] += count
    values = [(_clock(first + at * span, span), bins[at] / span) for at in range(int((last - first) // span) + 1)]
    rate = moments.total() / max(1.0, last - first)
    title = "Items finished a second over the run"
    began = datetime.fromtimestamp(first, UTC).strftime("%Y-%m-%d %H:%M UTC")
    told = f"{moments.total():,} items in {_length(last - first)} from {began}: {number(rate)} a second."
    return _section("Items a second", f"<p>{told} A bar is {_length(span)}.</p>{bars(title, values, unit='a second')}")


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def _clock(seconds: float, span: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%S" if span < 60 else "%H:%M")


def _length(seconds: float) -> str:
    return str(timedelta(seconds=math.ceil(seconds))) if seconds >= 120 else f"{number(seconds)} s"


def _folder_table(rows: Sequence[tuple[str, Counter[str]]], order: Sequence[str]) -> str:
    heads = "".join(f'<th scope="col">{each}</th>' for each in order)
    lines = "".join(
        f'<tr><th scope="row">{escaped(folder)}</th>'
        + "".join(f"<td>{counts[each]:,}</td>" for each in order)
        + "</tr>"
        for folder, counts in rows
    )
    table = f'<table><thead><tr><th scope="col">folder</th>{heads}</tr></thead><tbody>{lines}</tbody></table>'
    return f'<details><summary>As a table</summary><div class="scrolls" tabindex="0">{table}</div></details>'


def _tops(title: str, tops: list[Top], spell: Callable[[float], str], back: str) -> str:
    lines = "".join(
        f'<li><a href="{back}#{quote(top.key.encode("utf-8", "replace"), safe="")}">{escaped(top.key)}</a> '
        f"<span>{spell(top.amount)}</span></li>"
        for top in sorted(tops, key=lambda top: (-top.amount, top.key))
    )
    return _section(title, f'<ol class="tops">{lines}</ol>') if lines else ""

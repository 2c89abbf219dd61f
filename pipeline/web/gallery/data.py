"""What a page loads: the items in columns, page by page, and what else is known of each, asked for one by one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pipeline.archive.row import Row
from pipeline.ground.items import Kind, Status
from pipeline.ground.storage import Origin
from pipeline.web.gallery.facts import Fact
from pipeline.web.gallery.items import File, Item
from pipeline.web.gallery.studio import name_of
from pipeline.web.gallery.words import ADVICE, link, script

ROWS: Final = 2000  # items in a page of columns
MORE: Final = 250  # items in a page of what else is known
_FOLDERS: Final = 3000  # that the filter offers
_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".avif", ".bmp"})
_FILMS: Final = frozenset({".mp4", ".m4v", ".webm", ".mov", ".mkv", ".ogv"})
STATUSES: Final = tuple(str(each) for each in Status)
VERDICTS: Final = ("", "neutral", "toned", "color")


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large pictures are shown, in pixels of their longest side.

    Attributes:
        thumb: in the grid.
        view: of what no browser can show itself; 0: the thumbnail.
        every: make the larger one of each, since no file of the archive is at hand.
    """

    thumb: int = 320
    view: int = 1600
    every: bool = False

    def of(self, file: File) -> tuple[int, ...]:
        """Return the sizes in which a file is made."""
        if not file.shown:
            return ()
        own = file.film or (browsable(file.path) and not self.every)
        return (self.thumb,) if own or not self.view else (self.thumb, self.view)


def doubt_of(row: Row) -> float | None:
    """Return how doubtful an item's colours are, 0..100; None where its journal does not say."""
    doubt = getattr(row, "doubt", None)
    return None if doubt is None or not math.isfinite(doubt) else round(float(doubt), 1)


def browsable(path: Path) -> bool:
    """Tell whether a browser shows a picture at this place itself."""
    return not isinstance(path, Origin) and path.suffix.lower() in _SUFFIXES


@dataclass(slots=True)
class Columns:
    """Gathers items into pages of columns; the names of the columns are short, for there are many rows."""

    facts: Mapping[str, Fact]
    sizes: Sizes
    doubt: bool = False
    folders: dict[str, int] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    count: int = 0

    def add(self, item: Item) -> dict[str, Any]:
        """Return an item's values by column."""
        row = item.row
        self.count += 1
        folder = row.key.rpartition("/")[0]
        self.folders[folder] = self.folders.get(folder, 0) + 1
        self.statuses[row.status] = self.statuses.get(row.status, 0) + 1
        doubt = doubt_of(row)
        self.doubt = self.doubt or doubt is not None
        return {
            "key": row.key,
            "status": STATUSES.index(row.status) if row.status in STATUSES else -1,
            "verdict": VERDICTS.index(row.verdict) if row.verdict in VERDICTS else 0,
            "film": self._film(item),
            "width": row.width,
            "height": row.height,
            "bytes": item.source.size if item.source else max(row.source_size, 0),
            "seconds": round(row.seconds, 3),
            "doubt": doubt,
            "reason": row.reason,
            "before": self.thumb(item.source),
            "after": self.thumb(item.output),
        }

    def _film(self, item: Item) -> int:
        """Return 0 for a picture, 1 for a film, 2 for one that has a loop."""
        if item.row.kind != Kind.FILM:
            return 0
        file = item.output or item.source
        fact = self.facts.get(name_of(file, self.sizes.thumb)) if file else None
        return 1 + bool(fact and fact.loop)

    def thumb(self, file: File | None) -> str:
        """Return the name of a file's thumbnail; empty where none could be made."""
        return self._made(file, self.sizes.thumb)

    def _made(self, file: File | None, side: int) -> str:
        if file is None or not file.shown:
            return ""
        name = name_of(file, side)
        fact = self.facts.get(name)
        return name if fact is not None and fact.width else ""

    def more(self, item: Item) -> dict[str, Any]:
        """Return what else is known of an item."""
        row = item.row
        fact = self.facts.get(name_of(item.output, self.sizes.thumb)) if item.output else None
        said = fact.said if fact else None
        return {
            "sha256": row.source_sha256,
            "output": row.output,
            "before": self._side(item.source, lambda path: path.absolute().as_uri()),
            "after": self._side(item.output, lambda path: f"../{link(item.place)}"),
            "kind": row.kind,
            "bits": row.bits,
            "frames": row.frames,
            "model": row.model,
            "engine": row.engine,
            "metadata": row.metadata,
            "finished": row.finished_at,
            "advice": ADVICE.get(row.cause, ""),
            "was": row.was,
            "colourfulness": round(fact.colourfulness, 1) if fact and fact.width else None,
            "said": None
            if said is None
            else [said.invented, said.software, said.model, said.model_sha256, said.source_sha256],
        }

    def _side(self, file: File | None, url_of: Callable[[Path], str]) -> dict[str, Any] | None:
        if file is None:
            return None
        away = self.sizes.every or isinstance(file.path, Origin)
        thumb = name_of(file, self.sizes.thumb)
        fact = self.facts.get(thumb)
        plays = file.film and file.path.suffix.lower() in _FILMS
        shows = plays or (not file.film and browsable(file.path))
        return {
            "url": "" if away else url_of(file.path),
            "own": bool(shows and not away),
            "view": self._made(file, self.sizes.view) if self.sizes.view and not file.film else "",
            "loop": bool(fact and fact.loop),
            "problem": fact.problem if fact else "",
        }


def table(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return rows as columns; texts that repeat are named once."""
    columns = {name: [row[name] for row in rows] for name in rows[0]} if rows else {}
    reasons = list(dict.fromkeys(columns.get("reason", [])))
    places = {text: at for at, text in enumerate(reasons)}
    if columns:
        columns["reason"] = [places[text] for text in columns["reason"]]
        columns["reasons"] = reasons
    return columns


def call(name: str, *values: Any) -> str:
    """Return a script that hands values to the page."""
    return f"Gallery.{name}({', '.join(map(script, values))});\n"


def folders(columns: Columns) -> list[str]:
    """Return the folders that the filter offers: all, or where these are many, those nearest to the root."""
    found = {part for folder in columns.folders for part in _above(folder)}
    return sorted(sorted(found, key=lambda each: (each.count("/"), each))[:_FOLDERS])


def _above(folder: str) -> Iterator[str]:
    parts = folder.split("/") if folder else []
    for end in range(1, len(parts) + 1):
        yield "/".join(parts[:end])

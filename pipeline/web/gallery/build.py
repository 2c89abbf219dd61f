"""Makes the gallery of an OUTPUT: its thumbnails, its data, its pages, each written whole, the first page last."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pipeline.archive.journal import Journal
from pipeline.archive.lock import is_held
from pipeline.archive.own import FOLDER, GALLERY
from pipeline.ground import shelf
from pipeline.ground.errors import SettingsError
from pipeline.web.gallery import pages
from pipeline.web.gallery.data import MORE, ROWS, Columns, Sizes, call, folders, table
from pipeline.web.gallery.facts import Facts
from pipeline.web.gallery.figures import Figures
from pipeline.web.gallery.items import items_of
from pipeline.web.gallery.place import DATA, NAME, THUMBS, Place, check_page, held
from pipeline.web.gallery.statistics import statistics_page
from pipeline.web.gallery.studio import DIED, Desk, Task, loop_of, make_missing, name_of

_MEGAPIXELS: Final = 500.0  # where no run says otherwise
SINGLE_ITEMS: Final = 300
SINGLE_BYTES: Final = 100_000_000
_SINGLE: Final = Sizes(thumb=320, view=1024, every=True)


@dataclass(frozen=True, slots=True)
class Options:
    """What is made.

    Attributes:
        name: of the folder in OUTPUT.
        view: longest side, in pixels, of what no browser shows itself; 0: the thumbnail alone.
        workers: processes.
        single: one file beside the folder instead, with all pictures in it.
    """

    name: str = NAME
    view: int = 1600
    workers: int = os.cpu_count() or 1
    single: bool = False


@dataclass(frozen=True, slots=True)
class Gallery:
    """What was made.

    Attributes:
        page: the file to open in a browser.
        items: on it.
        made: thumbnails that were not there before.
        unseen: items that have no picture on the page.
        bytes: of the one file; 0 for a folder.
    """

    page: Path
    items: int
    made: int
    unseen: int
    bytes: int = 0


def make_gallery(
    output: Path,
    options: Options,
    on_planned: Callable[[int], None] = lambda count: None,
    on_made: Callable[[int], None] = lambda count: None,
) -> Gallery:
    """Make the gallery of OUTPUT, or make it anew; what is as it was is not looked at again.

    Nothing but the gallery's folder, and what is known of it in OUTPUT's own folder, is written; originals and outputs
    are read. A run may work on OUTPUT meanwhile: what it has finished by now is shown.

    Args:
        output: OUTPUT.
        options: what is made.
        on_planned: told how many thumbnails there are to make.
        on_made: told how many were made since.

    Raises:
        OutputError: OUTPUT holds no journal, or can't be written, or something else is in the folder's place; or its
            storage can't be read.
        SettingsError: the folder's name is none; too many items for one file.
        LockedError: another call works on it.
    """
    sizes = _SINGLE if options.single else Sizes(view=options.view)
    with Journal(output, read_only=True) as journal:
        facts, wanted = Facts.read(output), _wanted(journal, sizes)
        _check_single(options, wanted.items)
        with held(output, options.name, wanted.taken, folder=not options.single) as place:
            thumbs = f"{FOLDER}/{GALLERY}/tmp/{THUMBS}" if options.single else f"{options.name}/{THUMBS}"
            there = set[str]() if options.single else place.thumbs()
            tasks = [task for name, task in wanted.tasks.items() if _is_due(name, facts, there)]
            on_planned(len(tasks))
            desk = Desk(place.room, thumbs, _megapixels(journal))
            make_missing(tasks, facts, desk, options.workers, on_made)
            page = _Page(journal, place, facts, sizes)
            made = page.single(output / thumbs) if options.single else page.folder()
            return replace(made, made=sum(bool(facts.known[task.name].width) for task in tasks))


@dataclass(frozen=True, slots=True)
class _Wanted:
    tasks: dict[str, Task]
    taken: set[str]
    items: int


def _wanted(journal: Journal, sizes: Sizes) -> _Wanted:
    tasks: dict[str, Task] = {}
    taken, items = set[str](), 0
    for item in items_of(journal, journal.runs()):
        items += 1
        if item.place:
            taken.add(item.place.partition("/")[0])
        for file in (item.source, item.output):
            for side in sizes.of(file) if file else ():
                name = name_of(file, side) if file else ""
                if file:
                    tasks.setdefault(name, Task(name, file, side))
    return _Wanted(tasks, taken, items)


def _is_due(name: str, facts: Facts, there: set[str]) -> bool:
    """Tell whether a thumbnail is to be made: it never was, is gone, or failed for what may have passed."""
    fact = facts.known.get(name)
    if fact is None or not fact.width:
        return fact is None or fact.problem != DIED
    return name not in there or (fact.loop and loop_of(name) not in there)


def _megapixels(journal: Journal) -> float:
    run = journal.last_run()
    said = run.settings.get("max_megapixels") if run else None
    return float(said) if isinstance(said, int | float) else _MEGAPIXELS


def _check_single(options: Options, items: int) -> None:
    if options.single and items > SINGLE_ITEMS:
        raise SettingsError(
            f"--single-file takes up to {SINGLE_ITEMS} items, and this archive has {items:,}: "
            "without it a folder is made that takes any number."
        )


class _Page:
    """Writes the data and the pages."""

    def __init__(self, journal: Journal, place: Place, facts: Facts, sizes: Sizes) -> None:
        self._journal, self._place, self._facts, self._sizes = journal, place, facts, sizes
        self._generation = f"{time.time_ns():x}"
        self._columns = Columns(facts.known, sizes)
        self._figures = Figures()
        self._used = set[str]()
        self._unseen = 0

    def folder(self) -> Gallery:
        """Write all files of the folder."""
        for name, text in self._data():
            self._place.write(f"{DATA}/{self._generation}/{name}.js", text)
        script = pages.script()
        self._place.write("gallery.js", script)
        self._place.write("gallery.css", pages.style())
        self._place.write("statistics.html", self._statistics("index.html"))
        self._place.write("index.html", pages.index(f"{DATA}/{self._generation}/about.js"))
        self._place.sweep(self._used, self._generation)
        self._facts.keep(self._place.room, {name for name in self._used if name.endswith(".jpg")} | self._deadly())
        return Gallery(self._place.folder / "index.html", self._columns.count, 0, self._unseen)

    def single(self, thumbs: Path) -> Gallery:
        """Write one file that holds all of it, its pictures from the folder where they were made."""
        data = [text for _, text in self._data()]
        path = self._place.output / f"{self._place.name}.html"
        check_page(path)
        pictures = call("pictures", pages.pictures(thumbs, sorted(self._used)))
        text = pages.single([pages.script(), pictures, *data], self._statistics(""))
        size = len(text.encode("utf-8", "backslashreplace"))
        if size > SINGLE_BYTES:
            raise SettingsError(
                f"One file would hold {size / 1e6:,.0f} MB, and --single-file takes up to "
                f"{SINGLE_BYTES / 1e6:,.0f}: without it a folder is made that takes any number."
            )
        self._place.write_beside(path.name, text)
        return Gallery(path, self._columns.count, 0, self._unseen, size)

    def _deadly(self) -> set[str]:
        return {name for name, fact in self._facts.known.items() if fact.problem == DIED}

    def _statistics(self, back: str) -> str:
        return statistics_page(self._figures, self._journal, _title(self._place.output), back)

    def _data(self) -> Iterator[tuple[str, str]]:
        """Yield name and text of each data file; what tells of them all comes last."""
        rows: list[dict[str, Any]] = []
        more: list[dict[str, Any]] = []
        parts, more_parts = 0, 0
        for item in items_of(self._journal, self._journal.runs()):
            row = self._columns.add(item)
            detail = self._columns.more(item)
            self._note(row, detail)
            self._figures.add(item.row, item.place, item.output, detail["colourfulness"])
            rows.append(row)
            more.append(detail)
            if len(rows) == ROWS:
                yield f"rows-{parts}", call("rows", parts, table(rows))
                rows, parts = [], parts + 1
            if len(more) == MORE:
                yield f"more-{more_parts}", call("more", more_parts, more)
                more, more_parts = [], more_parts + 1
        if rows:
            yield f"rows-{parts}", call("rows", parts, table(rows))
        if more:
            yield f"more-{more_parts}", call("more", more_parts, more)
        yield "about", call("about", self._about())

    def _note(self, row: dict[str, Any], detail: dict[str, Any]) -> None:
        self._unseen += not (row["before"] or row["after"])
        for side in ("before", "after"):
            self._used.update(name for name in (row[side], (detail[side] or {}).get("view", "")) if name)
            if row[side] and (detail[side] or {}).get("loop"):
                self._used.add(loop_of(row[side]))

    def _about(self) -> dict[str, Any]:
        columns = self._columns
        run = self._journal.last_run()
        return {
            "id": _identity(self._journal),
            "title": _title(self._place.output),
            "generation": self._generation,
            "single": self._sizes.every,
            "total": columns.count,
            "rows": ROWS,
            "more": MORE,
            "statuses": columns.statuses,
            "folders": folders(columns),
            "doubt": columns.doubt,
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "running": is_held(self._place.output),
            "version": run.version if run else "",
        }


def _title(output: Path) -> str:
    there = shelf.of(output)
    return there.address.name if there else output.resolve().name


def _identity(journal: Journal) -> str:
    """Return what a browser keeps a person's decisions under: the same as long as the archive is the same."""
    first = next(iter(journal.runs()), "")
    return hashlib.sha256(first.encode()).hexdigest()[:16]

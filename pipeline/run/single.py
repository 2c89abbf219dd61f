"""One picture, outside any archive: no journal, no manifest, the same worker."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from pipeline.archive.discover import Found, examine
from pipeline.errors import InputError, OutputError, SettingsError
from pipeline.items import Halt, Kind, Part, Result, Status, Unit, Verb
from pipeline.media.medium import Job
from pipeline.media.table import first_verb
from pipeline.photo.write import FORMATS
from pipeline.run.assembly import Assembly
from pipeline.run.engine import settle
from pipeline.run.worker import Worker
from pipeline.settings import Settings


def colorize_picture(source: Path, destination: Path, settings: Settings, *, force: bool = False) -> Result:
    """Colorize one picture.

    Args:
        source: the original, only read.
        destination: where the copy goes; its suffix chooses the format.
        settings: `format` is taken from the suffix instead. Pages beyond the first need a destination that holds them.
        force: replace what lies at `destination`.

    Raises:
        SettingsError: a suffix that says no known format.
        InputError: the picture is not there or cannot be read.
        OutputError: `destination` is in the way, or cannot be written.
        ModelError: no usable net.
    """
    written = FORMATS.get(destination.suffix.lower())
    if written is None:
        raise SettingsError(f"{destination}: end the name in one of {', '.join(FORMATS)}; it chooses the format.")
    _check(source, destination, force=force)
    # A copy byte for byte under another format's suffix would lie.
    cannot_copy = settings.on_color == "copy" and FORMATS.get(source.suffix.lower()) != written
    settings = replace(settings, format=written, on_color="skip" if cannot_copy else settings.on_color)
    if written != "tif":
        settings = replace(settings, pages="first")
    net, choice = settle(settings)
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(prefix=".colorize-", dir=destination.parent)
    except OSError as error:
        raise OutputError(f"{destination.parent} cannot be written: {error.strerror}.") from None
    with folder as tmp:
        worker = Worker(Job(settings, net, choice.engine, destination.parent, Path(tmp)))
        result = _whole(worker, _unit(source, destination, settings, Path(tmp)))
    if result.status in (Status.FAILED, Status.VANISHED):
        raise InputError(f"{source}: {result.reason}.")
    if cannot_copy and result.status is Status.SKIPPED:
        raise InputError(
            f"{source} is already in colour, and a copy cannot be named {destination.name}: "
            f"give it the suffix {source.suffix}, or colorize it anew with --on-color recolor."
        )
    return result


def _check(source: Path, destination: Path, *, force: bool) -> None:
    if not source.exists():
        raise InputError(f"{source} is not there.")
    if not source.is_file():
        raise InputError(f"{source} is {'a folder: `colorize run` takes those' if source.is_dir() else 'not a file'}.")
    if destination.exists():
        if destination.is_dir():
            raise OutputError(f"{destination} is a folder; name a file.")
        if destination.samefile(source):
            raise OutputError(f"{destination} is the original itself; originals are never written.")
        if not force:
            raise OutputError(f"{destination} is there already; --force replaces it.")


def _unit(source: Path, destination: Path, settings: Settings, tmp: Path) -> Unit:
    status = source.stat()
    found = examine(Found(str(source), source.name, source.name, None, status.st_size, status.st_mtime_ns))
    kind = Kind.PAGES if found.kind is Kind.PAGES else Kind.PHOTO  # what is none, its reader says
    name = destination.name
    return Unit(
        verb=first_verb(kind, settings),
        key=str(source),
        kind=kind,
        source=source,
        output=name,
        copy_output=name,
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
        parts_place=tmp.name,
    )


def _whole(worker: Worker, first: Unit) -> Result:
    """Do all units of an item, one after another."""
    result = _done(worker, first)
    if first.verb is Verb.MAKE or result.status is not Status.DONE:
        return result
    assembly = Assembly(first, result.spans, seconds=result.seconds)
    units = assembly.units()
    while units:
        unit = units.pop(0)
        result = _done(worker, unit)
        if unit.verb is Verb.JOIN:
            return assembly.finished(result)
        if unit.span is None or result.filed is None:
            return result
        units += assembly.add(Part(unit.span, result.status, result.filed, result.seen, result.seconds))
    return result


def _done(worker: Worker, unit: Unit) -> Result:
    answer = worker.do(unit)
    if isinstance(answer, Halt):
        raise answer.error
    return answer

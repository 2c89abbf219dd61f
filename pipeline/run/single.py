"""One picture, outside any archive: no journal, no manifest, the same worker code."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path

from pipeline.errors import InputError, OutputError, SettingsError
from pipeline.run.engine import settle_engine
from pipeline.settings import Settings
from pipeline.work import Job, Outcome, Task, prepare, process

SUFFIXES = {".jpg": "jpg", ".jpeg": "jpg", ".png": "png", ".tif": "tif", ".tiff": "tif", ".webp": "webp"}


def colorize_picture(source: Path, destination: Path, settings: Settings, *, force: bool = False) -> Outcome:
    """Colorize one picture.

    Args:
        source: the original, only read.
        destination: where the copy goes; its suffix chooses the format.
        settings: `format` is taken from the suffix instead.
        force: replace what lies at `destination`.

    Raises:
        SettingsError: a suffix that says no known format.
        InputError: the picture is not there or cannot be read.
        OutputError: `destination` is in the way, or cannot be written.
        ModelError: no usable net.
    """
    written = SUFFIXES.get(destination.suffix.lower())
    if written is None:
        raise SettingsError(f"{destination}: end the name in one of {', '.join(SUFFIXES)}; it chooses the format.")
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
    # A copy byte for byte under another format's suffix would lie.
    cannot_copy = settings.on_color == "copy" and SUFFIXES.get(source.suffix.lower()) != written
    settings = replace(settings, format=written, on_color="skip" if cannot_copy else settings.on_color)
    settings, net = settle_engine(settings)
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(prefix=".colorize-", dir=destination.parent)
    except OSError as error:
        raise OutputError(f"{destination.parent} cannot be written: {error.strerror}.") from None
    with folder as tmp:
        prepare(Job(settings, net, Path(tmp), os.getpid()))
        outcome = process(Task(str(source), source, destination, destination))
    if outcome.halt is not None:
        raise outcome.halt
    if outcome.status in ("failed", "vanished"):
        raise InputError(f"{source}: {outcome.reason}.")
    if cannot_copy and outcome.status == "skipped":
        raise InputError(
            f"{source} is already in colour, and a copy cannot be named {destination.name}: "
            f"give it the suffix {source.suffix}, or colorize it anew with --on-color recolor."
        )
    return outcome

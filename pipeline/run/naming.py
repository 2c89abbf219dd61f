"""How the copy of a single picture is called where nobody has said so."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path
from typing import Final

from pipeline.archive.discover import Found, examine
from pipeline.ground.errors import InputError, OutputError
from pipeline.ground.files import words
from pipeline.ground.items import Kind
from pipeline.ground.settings import Settings
from pipeline.media.table import suffix

# What is put behind the name of a picture whose copy lies beside it.
BESIDE: Final = "-colour"


def kind_of(source: Path) -> Kind | None:
    """Return what a file is, by its content; None: neither picture nor film. Raises `InputError`."""
    try:
        status = source.stat()
    except FileNotFoundError:
        raise InputError(f"{source} is not there.") from None
    except OSError as error:
        raise InputError(f"{source} cannot be read: {words(error)}.") from None
    return examine(Found(str(source), source.name, source.name, None, status.st_size, status.st_mtime_ns)).kind


def destination_of(source: Path, wanted: Path | None, settings: Settings, *, force: bool = False) -> Path:
    """Return where the copy of a picture goes.

    Args:
        source: the picture, a file that is there.
        wanted: a file's name, which is taken as it is; a folder that is there, in which the copy is called as the
            picture is; None: beside the picture, with "-colour" behind its name.
        settings: `format` says how the name ends, as in an archive.
        force: a name that is taken already may be given; else the first that is free, numbered from 2.

    Raises:
        InputError: `source` is not there.
        OutputError: the folder cannot be looked into.
    """
    if wanted is not None and not wanted.is_dir():
        return wanted
    kind = kind_of(source)
    ending = suffix(Kind.PAGES if kind is Kind.PAGES else Kind.PHOTO, source.suffix, settings)
    folder = source.parent if wanted is None else wanted
    mark = BESIDE if folder.resolve() == source.parent.resolve() else ""
    names = (f"{source.stem}{mark}{'' if number == 1 else f'-{number}'}{ending}" for number in count(1))
    try:
        return next(folder / name for name in names if force or not os.path.lexists(folder / name))
    except OSError as error:
        raise OutputError(f"{folder} cannot be looked into: {words(error)}.") from None

"""A variant that was chosen becomes a hint of the archive that the picture belongs to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.archive.hinting import decide
from pipeline.archive.journal import Journal
from pipeline.archive.own import resolved
from pipeline.archive.places import keys_of
from pipeline.archive.spelling import escape
from pipeline.ground import shelf
from pipeline.ground.errors import InputError, SettingsError
from pipeline.web.gallery.items import item_of
from pipeline.web.review.compare import Variant
from pipeline.web.review.preview import settings_of


def choose(source: Path, number: int, wanted: list[Variant], output: Path) -> str:
    """Write the net, the palette and the saturation of a variant into OUTPUT's hints; return the key of the picture.

    What is the archive's own anyway is not written down.

    Args:
        source: the picture, a source of OUTPUT.
        number: of the variant, from 1.
        wanted: all of them.
        output: OUTPUT.

    Raises:
        SettingsError: there is no such variant.
        InputError: OUTPUT does not know the picture.
        OutputError: OUTPUT has no journal, or cannot be written.
    """
    if not 1 <= number <= len(wanted):
        raise SettingsError(f"--choose {number}: there are variants 1 to {len(wanted)}.")
    chosen, output = wanted[number - 1], resolved(output)
    with Journal(output, read_only=True) as journal:
        key = _key(journal, source)
        run = journal.last_run()
    own = settings_of(run.settings if run else {})
    change: dict[str, Any] = {
        "model": None if chosen.model == own.model else _lasting(chosen.model),
        "palette": None if chosen.palette == own.palette else chosen.palette,
        "saturation": None if chosen.saturation == own.saturation else chosen.saturation,
    }
    decide(key, "", change, output)
    return key


def _lasting(model: str) -> str:
    """Return a net as hints name it: a file by its whole path, whatever folder the next run is called in."""
    path = Path(model).expanduser()
    return str(path.absolute()) if path.is_file() or "/" in model else model


def _key(journal: Journal, source: Path) -> str:
    """Return what a journal calls a file; also where that is named as the manifest does."""
    if journal.row(escape(str(source))) is not None:
        return escape(str(source))
    real = source.resolve()
    for key in keys_of(source, reversed(journal.runs().values()), journal.output):
        item = item_of(journal, key)
        if item is not None and item.source is not None and item.source.path.resolve() == real:
            return key
    raise InputError(f"{source}: no item of {shelf.name(journal.output)} is made of it.")

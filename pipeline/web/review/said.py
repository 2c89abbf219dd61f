"""What is said of pictures, as the page knows it, and as a run would take it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pipeline.archive.hints import NAME, Entry, entries_of, written_hints
from pipeline.ground.errors import SettingsError
from pipeline.ground.files import words
from pipeline.ground.hints import Hints, hints_of
from pipeline.web.gallery.entries import Entry as Item

# What the page shows and changes; what else stands in an entry (strokes, polygons, a quality) stays as it is.
_SHOWN: Final = ("decision", "rating", "points", "saturation", "warmth", "palette", "note")


def said_of_all(output: Path) -> list[dict[str, Any]]:
    """Return what OUTPUT's hints say of pictures by path, a table for each, as `colorize-decisions` has them.

    Raises:
        SettingsError: the hints there make no sense.
    """
    return [
        {"key": key, "sha256": entry.get("sha256", ""), **{name: entry[name] for name in _SHOWN if name in entry}}
        for key, entry in written_hints(output).items()
        if not key.startswith("sha256:")
    ]


def hints_for(item: Item, told: Mapping[str, Any], output: Path, roots: Sequence[Path]) -> Hints:
    """Return the hints that a run would take for an item if this were written down.

    Args:
        item: of the journal.
        told: what the page says; null takes back what is written.
        output: OUTPUT, whose hints are read.
        roots: INPUTs, in whose folders hints may stand, too.

    Raises:
        SettingsError: one of them makes no sense.
    """
    key = item.row.key
    written = dict(written_hints(output).get(key, {}))
    for name in _SHOWN:
        if name in told:
            written.pop(name, None)
            if told[name] not in (None, "", []):
                written[name] = told[name]
    beside = _beside(item, roots)
    digest = f"sha256:{item.row.source_sha256}"
    return hints_of({**beside, **written_hints(output).get(digest, {}), **written}, key)


def _beside(item: Item, roots: Sequence[Path]) -> Entry:
    """Return what the files of hints in INPUT say, from its folder down to the picture's own."""
    if item.source is None:
        return {}
    path = item.source.path
    said = dict[str, Any]()
    for folder in reversed(path.parents):
        if any(root == folder or root in folder.parents for root in roots):
            said |= _read(folder / NAME).get(path.relative_to(folder).as_posix(), {})
    return said


def _read(path: Path) -> Mapping[str, Entry]:
    try:
        return entries_of(path.read_bytes(), str(path))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {words(error)}.") from None

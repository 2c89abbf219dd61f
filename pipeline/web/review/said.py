"""What is said of pictures, as the page knows it, and as a run would take it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pipeline.archive.hints import NAME, Entry, entries_of, written_hints
from pipeline.archive.journal import Journal
from pipeline.archive.row import hints_in
from pipeline.archive.series import chosen
from pipeline.ground.errors import SettingsError
from pipeline.ground.files import words
from pipeline.ground.hints import Exemplar, Hints, hints_of, own_mark
from pipeline.ground.items import Kind, Status
from pipeline.web.gallery.entries import Entry as Item
from pipeline.web.gallery.entries import entry_of

# What the page shows and changes; what else stands in an entry (strokes, polygons, a quality) stays as it is.
_SHOWN: Final = ("decision", "rating", "points", "saturation", "warmth", "palette", "model", "note")


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


@dataclass(frozen=True, slots=True)
class Book:
    """What is said of the pictures of an OUTPUT, read once, as a run would take it.

    Attributes:
        written: the entries of OUTPUT's hints.
        roots: INPUTs, in whose folders hints may stand, too.
        completed: puts to hints what a person does not say; see `Hints.net` and `Hints.chart`.
    """

    written: Mapping[str, Entry]
    roots: Sequence[Path]
    completed: Callable[[Hints], Hints]

    def hints_for(self, item: Item, told: Mapping[str, Any]) -> Hints:
        """Return the hints that a run would take for an item if this were written down.

        Args:
            item: of the journal.
            told: what the page says; null takes back what is written.

        Raises:
            SettingsError: one of them makes no sense.
        """
        key, digest = item.row.key, f"sha256:{item.row.source_sha256}"
        written = dict(self.written.get(key, {}))
        for name in _SHOWN:
            if name in told:
                written.pop(name, None)
                if told[name] not in (None, "", []):
                    written[name] = told[name]
        return self.completed(hints_of({**_beside(item, self.roots), **written, **self.written.get(digest, {})}, key))

    def steering(self, journal: Journal, item: Item) -> tuple[Exemplar, ...]:
        """Return the approved pictures of an item's folder that a run with `--series folder` would steer it by."""
        folder = item.row.key.rpartition("/")[0]
        keys = [key for key, said in self.written.items() if said.get("decision") == "approved"]
        keys = [key for key in keys if key != item.row.key and key.rpartition("/")[0] == folder]
        items = [entry_of(journal, key) for key in keys]
        found = [each for each in items if each and each.row.kind != Kind.FILM and each.row.status == Status.DONE]
        return chosen(
            [
                Exemplar(str(each.source.path), each.source.digest, each.place, each.output.digest)
                for each in found
                if each.source and each.output
                and own_mark(hints_in(each.row.fingerprint)) == own_mark(self.hints_for(each, {}).mark)
                and (each.source.digest, each.output.digest) == (each.row.source_sha256, each.row.output_sha256)
            ]
        )  # fmt: skip


def _beside(item: Item, roots: Sequence[Path]) -> Entry:
    """Return what the files of hints in INPUT say, from its folder down to the picture's own."""
    if item.source is None:
        return {}
    path = item.source.path
    said, by_content = dict[str, Any](), dict[str, Any]()
    for folder in reversed(path.parents):
        if any(root == folder or root in folder.parents for root in roots):
            entries = _read(folder / NAME)
            said |= entries.get(path.relative_to(folder).as_posix(), {})
            by_content |= entries.get(f"sha256:{item.row.source_sha256}", {})
    return said | by_content


def _read(path: Path) -> Mapping[str, Entry]:
    try:
        return entries_of(path.read_bytes(), str(path))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {words(error)}.") from None

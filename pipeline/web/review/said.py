"""What is said of pictures, as the page knows it, and as a run would take it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.archive.discover import Found
from pipeline.archive.hinting import TOLD
from pipeline.archive.hints import NAME, Entry, HintBook, written_hints
from pipeline.archive.journal import Journal
from pipeline.archive.row import hints_in
from pipeline.archive.series import chosen
from pipeline.archive.spelling import unescape
from pipeline.ground.hints import Exemplar, Hints, own_mark
from pipeline.ground.items import Kind, Status
from pipeline.web.gallery.items import Item, item_of


def said_of_all(output: Path) -> list[dict[str, Any]]:
    """Return what OUTPUT's hints say of pictures by path, a table for each, as `colorize-decisions` has them.

    Raises:
        SettingsError: the hints there make no sense.
    """
    return [
        {"key": key, "sha256": entry.get("sha256", ""), **{name: entry[name] for name in TOLD if name in entry}}
        for key, entry in written_hints(output).items()
        if not key.startswith("sha256:")
    ]


class Book:
    """What is said of the pictures of an OUTPUT, read once, as a run would take it."""

    def __init__(
        self, written: Mapping[str, Entry], roots: Sequence[Path], completed: Callable[[Hints], Hints]
    ) -> None:
        """Take the entries of OUTPUT's hints.

        Args:
            written: them.
            roots: INPUTs, in whose folders hints may stand, too.
            completed: puts to hints what a person does not say; see `Hints.net` and `Hints.chart`.
        """
        self._written, self._roots = written, roots
        self._hints = HintBook(written)
        self._hints.complete_by(completed)
        self._looked = set[Path]()

    def hints_for(self, item: Item, told: Mapping[str, Any]) -> Hints:
        """Return the hints that a run would take for an item if this were written down.

        Args:
            item: of the journal.
            told: what the page says; null takes back what is written.

        Raises:
            SettingsError: one of them makes no sense.
        """
        key, path = item.row.key, item.source.path if item.source else Path()
        shown = {name: told[name] for name in TOLD if name in told}
        if shown:
            written = {name: value for name, value in self._written.get(key, {}).items() if name not in shown}
            said = {name: value for name, value in shown.items() if value not in (None, "", [])}
            self._hints.write(key, written | said)
        self._read_beside(path, key)
        return self._hints.meet(Found(str(path), unescape(key), key, None), item.row.source_sha256)

    def _read_beside(self, path: Path, key: str) -> None:
        """Read the files of hints in INPUT that may speak of a picture, from INPUT's own down to its folder's."""
        for folder, place in reversed(list(zip(path.parents, PurePosixPath(unescape(key)).parents, strict=False))):
            inside = any(root == folder or root in folder.parents for root in self._roots)
            if inside and folder not in self._looked and (folder / NAME).is_file():
                self._hints.take(folder / NAME, "" if str(place) == "." else str(place))
            self._looked.add(folder)

    def steering(self, journal: Journal, item: Item) -> tuple[Exemplar, ...]:
        """Return the approved pictures of an item's folder that a run with `--series folder` would steer it by."""
        folder = item.row.key.rpartition("/")[0]
        keys = [key for key, said in self._written.items() if said.get("decision") == "approved"]
        keys = [key for key in keys if key != item.row.key and key.rpartition("/")[0] == folder]
        items = [item_of(journal, key) for key in keys]
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

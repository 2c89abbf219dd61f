"""Which finished items go along with their sources: those that were renamed, moved, swapped, or shifted in a series.

A source is known by its sha256. What leaves its key (nothing, or something else is found there now) goes to where its
bytes are found and nothing, or again something else, was known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from pipeline.archive.journal import Journal, Known
from pipeline.archive.names import ending
from pipeline.archive.outputs import State
from pipeline.archive.row import HINTED, hints_in
from pipeline.archive.wishes import Wishes
from pipeline.ground import files
from pipeline.ground.errors import Cause
from pipeline.ground.items import Kind, Status

_STAYS: Final = frozenset({Status.EDITED, Status.REJECTED})


class Leaving(NamedTuple):
    """A finished item whose source is not, or not any more, found under its key.

    Attributes:
        row: it.
        fate: what it is wherever it goes; None: to be made anew.
        displaced: another source is found under its key.
        edited: somebody has changed its output.
    """

    row: Known
    fate: Status | None
    displaced: bool
    edited: bool

    @property
    def stays(self) -> bool:
        """Whether its output, or that there is none, is a person's word."""
        return self.fate in _STAYS

    @property
    def blocks(self) -> bool:
        """Whether nothing may be moved to its place: what may go is replaced by a worker, when it is made."""
        return self.stays or self.edited


def is_unwanted(row: Known) -> bool:
    """Tell whether a person does not want an item, be its source there or gone."""
    return row.status == Status.REJECTED or (row.status == Status.GONE and row.cause == Cause.NOT_WANTED)


def fate_of(row: Known, state: State, wishes: Wishes) -> Status | None:
    """Return what a finished item is wherever its source goes, or None where it is to be made anew."""
    if is_unwanted(row):
        return Status.REJECTED
    if state is State.EDITED:
        return None if wishes.replace_edited else Status.EDITED
    if state is State.MISSING and wishes.deleted_outputs == "rejected":
        return Status.REJECTED
    plain = row.fingerprint.partition(HINTED)[0]  # what hints say is known when it is known where it goes
    current = plain in wishes.fingerprints.get(Kind(row.kind or Kind.OTHER), ())
    return Status.DONE if current and state is State.OURS else None


class Renames:
    """Looks for sources by their bytes; none is read twice for that."""

    def __init__(self, journal: Journal, wishes: Wishes) -> None:
        """Take the journal, in which all that is to be done is claimed by then."""
        self._journal, self._wishes = journal, wishes
        self._hashed: dict[str, str] = {}

    def know(self, key: str, sha256: str) -> None:
        """Take the hash of a source that was read already."""
        self._hashed[key] = sha256

    def homes(self, leaving: Iterable[Leaving], blocked: Mapping[str, str]) -> list[tuple[Leaving, str]]:
        """Return to which key each item goes; empty where there is none.

        Args:
            leaving: all of them.
            blocked: keys whose names in OUTPUT another item's have, which are not to be replaced, and its key.
        """
        by_key = {each.row.key: each for each in leaving}
        self._journal.displace(key for key, each in by_key.items() if each.displaced)
        homes: dict[str, str] = {}
        guests: dict[str, str] = {}
        for key, each in by_key.items():
            home = self._home(each.row) if each.fate is not None or not each.displaced else ""
            if home and not self._is_alike(each, home):
                by_key[key] = each = each._replace(fate=None)
            if home and (each.fate is not None or not each.displaced):
                homes[key], guests[home] = home, key
                self._journal.house(home)
        closed = {key for key, owner in blocked.items() if owner not in homes}
        full = [*(key for key, each in by_key.items() if each.displaced and key not in homes), *closed]
        while full:  # what a person made stays, and then what was to come there cannot
            key = full.pop()
            guest = by_key.get(guests.get(key, ""))
            if guest is not None and (key in closed or by_key[key].blocks or guest.fate is None):
                del homes[guest.row.key], guests[key]
                shut = {each for each, owner in blocked.items() if owner == guest.row.key}
                closed |= shut
                full += [*shut, *([guest.row.key] if guest.displaced else [])]
        return [(each, homes.get(key, "")) for key, each in by_key.items()]

    def _is_alike(self, each: Leaving, home: str) -> bool:
        """Tell whether an item may stay as it is under another key, whose hints and whose format are to be its own."""
        hints = self._wishes.hints.follow(home, each.row.source_sha256)
        if each.row.status == Status.REJECTED and each.row.cause == Cause.BY_HINT:
            return hints.decision == "rejected"
        if each.fate is not Status.DONE:
            return True
        wanted = self._journal.claimed(home)[each.row.made_as == Status.COPIED]
        mark = self._wishes.hints.mark(home, Kind(each.row.kind))
        return ending(wanted) == ending(each.row.output) and mark == hints_in(each.row.fingerprint)

    def _home(self, row: Known) -> str:
        name = row.key.rpartition("/")[2]
        if row.source_sha256:
            for alike in self._journal.homeless(row.source_size, row.source_mtime_ns):
                alike.sort(key=lambda key: key.rpartition("/")[2] != name)  # of doubles each keeps its own
                for key in alike:
                    if self._sha256_of(key) == row.source_sha256:
                        return key
        return ""

    def _sha256_of(self, key: str) -> str:
        if key not in self._hashed:
            try:
                self._hashed[key] = files.sha256(self._wishes.source_of(key))
            except OSError:
                self._hashed[key] = ""
        return self._hashed[key]

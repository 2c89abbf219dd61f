"""What the journal knows and the walk did not find: gone, renamed, or never done."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.archive.decision import Action, Decision, marked, settled
from pipeline.archive.discover import Found
from pipeline.archive.journal import Journal, Known
from pipeline.archive.outputs import Outputs, State
from pipeline.archive.row import HINTED
from pipeline.archive.wishes import Wishes
from pipeline.ground import files
from pipeline.ground.errors import Cause
from pipeline.ground.items import PICTURED, PROBLEMS, Kind, Result, Status

_KINDS: Final = {str(kind): kind for kind in Kind}
T = TypeVar("T")


class Absent:
    """Remembers what a walk found, eight bytes each, and decides on the rest when it is over."""

    def __init__(self, journal: Journal, wishes: Wishes, of_these_inputs: Callable[[str], bool]) -> None:
        """Take what is known, and which runs had the INPUTs of this one."""
        self._journal, self._wishes, self._of_these_inputs = journal, wishes, of_these_inputs
        self._outputs = Outputs(journal.output)
        self._seen: array[int] = array("q")  # hashes of the keys found
        self._closed: list[str] = []
        self._hashed: dict[str, str] = {}  # of what may be a renamed source, by key: nothing is read twice for that

    def see(self, found: Found) -> None:
        """Remember one thing that was found."""
        self._seen.append(hash(found.key))
        if found.kind is Kind.UNREADABLE and found.key.endswith("/"):
            self._closed.append(found.key)

    def decisions(self, *, misses_made: bool) -> Iterator[Decision]:
        """Decide on rows and claims of what is gone; what lies in a folder that can't be read now is left alone."""
        for row in self._not_found(self._journal.unsettled(), lambda row: (row.key, row.run_id)):
            lost = Found("", "", row.key, Kind.VANISHED)
            if row.status in PROBLEMS and row.kind in PICTURED:
                reason = f"gone since it {row.status}: {row.reason}"
                yield settled(lost, Status.VANISHED, Cause.NONE, reason)
            else:
                yield Decision(lost, None, Action.FORGET, f"gone; {row.status} before: {row.reason}")
        for key, _ in self._not_found(self._journal.never_recorded(), lambda claim: claim):
            lost = Found("", "", key, Kind.VANISHED)
            yield settled(lost, Status.VANISHED, Cause.NONE, "gone before its turn came")
        if misses_made:
            for row in self._not_found(self._journal.made(), lambda row: (row.key, row.run_id)):
                lost = Found("", "", row.key, Kind.VANISHED)
                renamed = self._renamed(row)
                if renamed:
                    action = Action.MOVE if self._stays_as_it_is(row) else Action.RENEW
                    yield Decision(lost, None, action, f"renamed to {renamed}", Result(renamed, Status.DONE))
                    continue
                yield marked(lost, row, Status.GONE, "its source is no longer there")

    def _renamed(self, row: Known) -> str:
        """Return the key under which the source of a finished item was found anew, or nothing."""
        if not row.source_sha256:
            return ""
        for key in self._journal.unknown_alike(row.source_size, row.source_mtime_ns):
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

    def _stays_as_it_is(self, row: Known) -> bool:
        """Tell whether the output of a renamed source goes along unchanged: it is current, or somebody's work."""
        plain = row.fingerprint.partition(HINTED)[0]  # hints by sha256 go along, those by path stay behind
        if plain in self._wishes.fingerprints.get(_KINDS.get(row.kind, Kind.OTHER), ()):
            return True
        edited = self._outputs.look(row, sure=True).state is State.EDITED
        return edited and not self._wishes.replace_edited

    @cached_property
    def _hashes(self) -> NDArray[np.int64]:
        """What was found, sorted; asked for when the walk is over.

        Two keys of one 64-bit hash would hide that a file is gone, once in millions of archives, and lose nothing.
        """
        if not self._seen:
            return np.empty(0, np.int64)
        hashes = np.frombuffer(self._seen, np.int64)
        hashes.sort()  # in place: a million take eight megabytes, and no copy
        return hashes

    def _not_found(self, known: Iterator[T], of: Callable[[T], tuple[str, str]]) -> list[T]:
        closed = tuple(self._closed)

        def is_gone(each: T) -> bool:
            hashes = self._hashes
            key, run_id = of(each)
            at = int(np.searchsorted(hashes, hash(key)))
            found = at < len(hashes) and int(hashes[at]) == hash(key)
            return not found and not key.startswith(closed) and self._of_these_inputs(run_id)

        return [each for each in known if is_gone(each)]

"""What the journal knows and the walk did not find, or found something else in place of: gone, renamed, or kept."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.archive.decision import Action, Because, Decision, marked, settled
from pipeline.archive.discover import Found
from pipeline.archive.journal import Journal, Known
from pipeline.archive.obstacles import Contest
from pipeline.archive.outputs import EDITED_REASON, Outputs, State
from pipeline.archive.renames import Leaving, Renames, fate_of, is_unwanted
from pipeline.archive.wishes import Wishes
from pipeline.ground.errors import Cause
from pipeline.ground.items import PICTURED, PROBLEMS, Kind, Result, Status

REJECTED_REASON = "its output was deleted; `colorize reject --undo` brings it back"
_AGAIN = "not wanted, as before its source was gone"
_GONE = "its source is no longer there"
OTHER_NOW = "another source has its name now"
_OF_OTHERS = "what somebody has made of {} is in the way: {}"
T = TypeVar("T")


class Absent:
    """Remembers what a walk found, eight bytes each, and decides on the rest when it is over."""

    def __init__(self, journal: Journal, wishes: Wishes, of_these_inputs: Callable[[str], bool]) -> None:
        """Take what is known, and which runs had the INPUTs of this one."""
        self._journal, self._wishes, self._of_these_inputs = journal, wishes, of_these_inputs
        self._outputs = Outputs(journal.output, journal.elsewhere)
        self._seen: array[int] = array("q")  # hashes of the keys found
        self._closed: list[str] = []
        self._displaced: list[tuple[Known, bool]] = []
        self.renames = Renames(journal, wishes)

    def see(self, found: Found) -> None:
        """Remember one thing that was found."""
        self._seen.append(hash(found.key))
        if found.kind is Kind.UNREADABLE and found.key.endswith("/"):
            self._closed.append(found.key)

    def displace(self, row: Known, *, begun: bool) -> None:
        """Remember a finished item in whose place another source was found, which is claimed to be done."""
        self._displaced.append((row, begun))

    def decisions(self, contests: Sequence[Contest], *, misses_made: bool) -> Iterator[Decision]:
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
        if misses_made or self._displaced or contests:
            yield from self._of_leaving(list(self._leaving(misses_made)), contests)

    def _leaving(self, misses_made: bool) -> Iterator[Leaving]:
        for row, begun in self._displaced:
            leaving = self._looked_at(row, begun, displaced=True)
            if begun and leaving.edited:  # a run was killed, and may have written it, of what is there now
                leaving = leaving._replace(row=row._replace(source_sha256=""))
            yield leaving
        if misses_made:
            gone = self._not_found(self._journal.made(), lambda row: (row.key, row.run_id))
            begun_before = self._journal.pending_runs([row.key for row in gone])
            for row in gone:
                yield self._looked_at(row, row.key in begun_before, displaced=False)

    def _looked_at(self, row: Known, begun: bool, *, displaced: bool) -> Leaving:
        state = self._outputs.look(row, begun=begun, sure=True).state
        return Leaving(row, fate_of(row, state, self._wishes), displaced, state is State.EDITED)

    def _of_leaving(self, leaving: list[Leaving], contests: Sequence[Contest]) -> Iterator[Decision]:
        blocked = {each.found.key: each for each in contests if self._is_somebodys(each.owner)}
        went = set[str]()
        for each, home in self.renames.homes(leaving, {key: each.owner for key, each in blocked.items()}):
            row = each.row
            lost = Found("", "", row.key, Kind.VANISHED)
            if home:
                went.add(row.key)
                action = Action.RENEW if each.fate is None else Action.MOVE
                because = Because.EDITED if each.fate is Status.EDITED else Because.OTHER
                cause = Cause(row.cause) if is_unwanted(row) and row.status == Status.REJECTED else Cause.NONE
                result = Result(home, each.fate or Status.DONE, cause, reason_of(row, each.fate))
                yield Decision(lost, None, action, f"renamed to {home}", result, because=because)
            elif each.stays and each.displaced:
                reason = f"{reason_of(row, each.fate)}; {OTHER_NOW}"
                yield marked(lost, row, each.fate or Status.EDITED, reason)
            elif not each.displaced:
                yield self._gone(lost, row)
        for contest in blocked.values():
            if contest.owner not in went:
                reason = _OF_OTHERS.format(contest.owner, contest.place)
                yield settled(contest.found._replace(path=""), Status.FAILED, Cause.IN_THE_WAY, reason)

    def _is_somebodys(self, key: str) -> bool:
        """Tell whether an item's output is a person's work, which is not to be replaced."""
        row = self._journal.known([key]).get(key)
        if row is None or self._wishes.replace_edited:
            return False
        return self._outputs.look(row, sure=True).state is State.EDITED

    def _gone(self, lost: Found, row: Known) -> Decision:
        if not is_unwanted(row):
            return marked(lost, row, Status.GONE, _GONE)
        if row.cause == Cause.BY_HINT:  # which says it again of what comes back
            if not row.output or self._outputs.look(row).state is State.MISSING:
                return Decision(lost, None, Action.FORGET, f"gone; {row.status} before: {row.reason}")
            return marked(lost, row, Status.GONE, _GONE)
        return marked(lost, row, Status.GONE, f"{_GONE}, and it is not wanted", Cause.NOT_WANTED)

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


def reason_of(row: Known, fate: Status | None) -> str:
    """Return what is said of an item wherever its source is."""
    if fate is Status.EDITED:
        return EDITED_REASON
    if fate is not Status.REJECTED:
        return ""
    if row.status == Status.GONE:
        return _AGAIN
    return row.reason.removesuffix(f"; {OTHER_NOW}") if row.status == Status.REJECTED else REJECTED_REASON

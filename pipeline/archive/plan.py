"""What a run has to do, item by item, and why: drawn from what is found and what the journal knows. It only decides."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.archive.census import Census, OtherArchive
from pipeline.archive.discover import Folder, Found, examine
from pipeline.archive.hints import BY_HINT, HintBook
from pipeline.archive.journal import Journal, Known
from pipeline.archive.names import Names, Naming
from pipeline.archive.obstacles import Obstacles
from pipeline.archive.outputs import Outputs, State
from pipeline.archive.row import HINTED, RECOVERED, UNKNOWN_SIZE, hints_in, marked
from pipeline.archive.schema import Run
from pipeline.archive.spelling import unescape
from pipeline.ground import files
from pipeline.ground.errors import Cause
from pipeline.ground.items import KEPT, MADE, PICTURED, PROBLEMS, Forecast, Kind, Result, Seen, Status

# The settings that may undo a failure: where one has changed since, the item is tried again.
REMEDIES: Final[Mapping[str, tuple[str, ...]]] = {
    Cause.TOO_LARGE: ("max_megapixels",),
    Cause.FORMAT_LIMIT: ("format", "container", "encoder", "width", "deinterlace"),
    Cause.TIME: ("item_timeout",),
    Cause.DAMAGED: ("on_damage",),
    Cause.MEMORY: ("jobs", "max_megapixels"),
}
# What another version of the program may be able to do.
_OF_A_VERSION: Final = frozenset({Cause.NOT_SUPPORTED, Cause.FAULT})
# What may have passed since, or what the plan sees for itself.
_PASSING: Final = frozenset({Cause.SYSTEM, Cause.IN_THE_WAY})

# Rows whose source was there when it was last looked for, and that have an output.
_STAYING: Final = KEPT - {Status.GONE}
_EDITED: Final = (Status.EDITED, "changed by somebody since it was written; --replace-edited makes it anew")
_REJECTED: Final = (Status.REJECTED, "its output was deleted; `colorize reject --undo` brings it back")
_WHY: Final = {
    State.MISSING: "output missing",
    State.EDITED: "edited; made anew as asked",
    State.UNFINISHED: "unfinished",
}
_KINDS: Final = {str(kind): kind for kind in Kind}
T = TypeVar("T")


class Action(StrEnum):
    """What is to be done with one thing that was found."""

    TODO = "todo"  # by a worker
    RECORD = "record"  # known without one: `Decision.result`
    DONE = "done"  # finished before
    KEEP = "keep"  # settled before, and not tried again
    MARK = "mark"  # its row stays and gets a status: `Decision.result`
    MOVE = "move"  # its source was renamed: `Decision.result` has the new key
    FORGET = "forget"  # its row says nothing any more


class Decision(NamedTuple):
    """What is to be done with one thing that was found, or that the journal knows and is gone.

    Attributes:
        found: it; for what is gone, only its key and kind.
        names: where its output goes; None for what is no picture.
        action: see `Action`.
        why: a phrase for a person, such as "new", "source changed", "failed before: ...".
        result: what is recorded.
        adopt: the time of its output, where times are to be taken over: the contents are the same.
        forecast: of a film that is to be done, what it will take; put in by the run.
    """

    found: Found
    names: Names | None
    action: Action
    why: str
    result: Result | None = None
    adopt: int | None = None
    forecast: Forecast | None = None


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a plan goes by besides the files and the journal.

    Attributes:
        inputs: INPUTs of this run as `input_spelling` gives them: rows of others are left alone.
        settings: by name; compared with those of the runs that recorded failures.
        fingerprints: by kind, those under which an output is as it would be made now.
        listed: by key, the fingerprints of single items of which a person has said something.
        version: of the program.
        workable: kinds that can be worked on here.
        unworkable: what is said of the others.
        verify: compare finished sources by sha256 (reads them all) instead of time.
        retry_failed: failed and crashed items are to be done again.
        replace_edited: so are outputs that somebody has changed.
        accept_gone: most sources may be gone.
        hints: what a person says of single pictures; filled by the plan.
        source_of: from a key to where the source lies.
        deleted_outputs: "redo" or "rejected": what is done with an output that is not there any more.
    """

    inputs: tuple[str, ...]
    settings: Mapping[str, Any]
    fingerprints: Mapping[Kind, tuple[str, ...]]
    version: str
    workable: frozenset[Kind]
    unworkable: str
    verify: bool = False
    retry_failed: bool = False
    replace_edited: bool = False
    accept_gone: bool = False
    deleted_outputs: str = "redo"
    source_of: Callable[[str], Path] = Path
    listed: Mapping[str, Mapping[Kind, tuple[str, ...]]] = field(default_factory=dict)
    hints: HintBook = field(default_factory=HintBook)

    def are_met_by(self, row: Known, kind: Kind) -> bool:
        """Tell whether an output is as it would be made now."""
        wanted, mark = self.listed.get(row.key, self.fingerprints).get(kind, ()), self.hints.mark(row.key, kind)
        return row.fingerprint in (marked(each, mark) for each in wanted)

    def approve(self, row: Known, kind: Kind) -> bool:
        """Tell whether a person has approved of an output that was made under the hints of now."""
        approved = self.hints.of(row.key).decision == "approved"
        return approved and hints_in(row.fingerprint) == self.hints.mark(row.key, kind)


class Plan:
    """Compares an archive with its journal; iterating gives one `Decision` after another, once.

    Raises while it is iterated:
        OutputError: OUTPUT holds the pictures of another archive under the same names.
        InputError: most of what the journal knows is not there.
    """

    def __init__(self, folders: Iterator[Folder], naming: Naming, journal: Journal, wishes: Wishes) -> None:
        self._folders, self._naming, self._journal, self._wishes = folders, naming, journal, wishes
        self._obstacles = Obstacles(journal, self._of_these_inputs)
        self._others = OtherArchive()
        self._outputs = Outputs(journal.output)
        self._same_inputs: dict[str, bool] = {}
        self._seen: array[int] = array("q")  # hashes of the keys found: eight bytes each, for a million of them
        self._closed: list[str] = []
        self._census = Census(wishes.inputs)

    def __iter__(self) -> Iterator[Decision]:
        self._census.begin(self._journal, self._of_these_inputs)
        for folder in self._folders:
            yield from self._of_folder(folder)
        self._others.refuse(self._journal.output)
        if not self._wishes.accept_gone:
            self._census.refuse_loss()
        yield from self._gone()

    def _of_folder(self, folder: Folder) -> Iterator[Decision]:
        self._wishes.hints.read(folder)
        keys = [found.key for found in folder.files]
        known = self._journal.known(keys)
        begun = self._journal.pending_runs(keys) if self._census.pending else {}
        folder.files = [self._examined(found, known.get(found.key)) for found in folder.files]
        names = self._naming.names(folder)
        for found in folder.files:
            self._seen.append(hash(found.key))
            row = known.get(found.key)
            here = row is not None and row.status in _STAYING and self._of_these_inputs(row.run_id)
            self._census.see(found.key, made=here)
            if found.kind is Kind.UNREADABLE and found.key.endswith("/"):
                self._closed.append(found.key)
            yield self._decision(found, names.get(found.key), row, found.key in begun)

    def _examined(self, found: Found, row: Known | None) -> Found:
        same = row is not None and (found.size, found.mtime_ns) == (row.source_size, row.source_mtime_ns)
        self._wishes.hints.meet(found, row.source_sha256 if row is not None and same else "")
        return self._wishes.hints.see(examine(self._recall(found, row)))

    def _recall(self, found: Found, row: Known | None) -> Found:
        """Put in what an earlier run found a file to be: saves opening it.

        What failed is looked at again: permissions change neither size nor time. So is what is to be done anew:
        colorize 0.1 took files of several pages for photographs.
        """
        if found.kind is not None or row is None or row.status in PROBLEMS or row.kind not in PICTURED:
            return found
        if (found.size, found.mtime_ns) != (row.source_size, row.source_mtime_ns):
            return found
        kind = _KINDS[row.kind]
        return found._replace(kind=kind) if self._wishes.are_met_by(row, kind) else found

    @cached_property
    def _runs(self) -> dict[str, Run]:
        return self._journal.runs()

    def _of_these_inputs(self, run_id: str) -> bool:
        """Tell whether a run had the same INPUTs as this one."""
        if run_id not in self._same_inputs:
            run = self._runs.get(run_id)
            self._same_inputs[run_id] = run is not None and run.inputs == self._wishes.inputs
        return self._same_inputs[run_id]

    def _decision(self, found: Found, names: Names | None, row: Known | None, begun: bool) -> Decision:
        made = row is not None and row.status in KEPT and found.kind is not Kind.EXCLUDED
        if made and row is not None and row.source_size != UNKNOWN_SIZE and not self._of_these_inputs(row.run_id):
            self._others.compare(found, row)
        decision = self._decide(found, names, row, begun)
        if decision.action is Action.TODO and names is not None:
            blocked = self._obstacles.before(found.key, names)
            if blocked:
                return _settled(found, names, Status.FAILED, Cause.IN_THE_WAY, blocked)
        return decision

    def _decide(self, found: Found, names: Names | None, row: Known | None, begun: bool) -> Decision:
        def say(action: Action, why: str) -> Decision:
            return Decision(found, names, action, why)

        same = row is not None and self._is_unchanged(found, row)
        unwanted = self._wishes.hints.of(found.key).decision == "rejected"
        if row is not None and row.status == Status.REJECTED:
            if unwanted or row.reason != BY_HINT:
                return say(Action.KEEP, f"rejected: {row.reason}")
            return say(Action.TODO, "no longer rejected")
        if unwanted and found.kind in PICTURED:
            return self._reject(found, names, row)
        if found.kind is Kind.EXCLUDED and row is not None and row.status in KEPT:
            return say(Action.KEEP, f"{found.reason}; made by an earlier run")
        settled = self._settled_by(found, made_before=same and row is not None and row.status in KEPT)
        if settled is not None:
            return self._settle(found, names, row if same else None, *settled)
        if row is None:
            return say(Action.TODO, "unfinished" if begun else "new")
        if row.status in PROBLEMS:
            again = not same or self._may_do_better(row)
            why = f"{row.status} before: {row.reason}" if same else "source changed"
            return say(Action.TODO if again else Action.KEEP, why)
        if row.status in KEPT:
            return self._of_made(found, names, row, begun=begun, same=same)
        if not same:
            return say(Action.TODO, "found again" if row.status == Status.VANISHED else "source changed")
        if row.kind not in PICTURED or row.status in (Status.VANISHED, Status.UNSUPPORTED):
            return say(Action.TODO, f"{row.status} before: {row.reason}")
        if not self._wishes.are_met_by(row, found.kind or Kind.OTHER):
            return say(Action.TODO, "settings changed")
        return say(Action.DONE, f"{row.status}: {row.reason}")

    def _of_made(self, found: Found, names: Names | None, row: Known, *, begun: bool, same: bool) -> Decision:
        """Decide on what has an output; what somebody made of that is kept."""
        outdated = self._outdated(found, names, row, same)
        approved = bool(outdated) and self._wishes.approve(row, found.kind or Kind.OTHER)
        output = self._outputs.look(row, begun=begun, sure=bool(outdated))
        kept = output.state is State.EDITED and not self._wishes.replace_edited
        lost = output.state is State.MISSING and self._wishes.deleted_outputs == "rejected" and not begun
        if kept or lost:
            return self._mark(found, names, row, *_EDITED if kept else _REJECTED)
        if approved and output.state is State.OURS:
            return Decision(found, names, Action.DONE, f"approved, though {outdated}")
        if outdated or output.state is not State.OURS:
            return Decision(found, names, Action.TODO, outdated or _WHY[output.state])
        times = (row.source_size, row.source_mtime_ns, row.output_mtime_ns)
        stale = times != (found.size, found.mtime_ns, output.mtime_ns) or row.status not in MADE
        return Decision(found, names, Action.DONE, "done before", adopt=output.mtime_ns if stale else None)

    def _outdated(self, found: Found, names: Names | None, row: Known, same: bool) -> str:
        """Return why a finished item would be made otherwise now, or nothing."""
        if not same:
            return "source changed"
        kind = found.kind or Kind.OTHER
        if row.fingerprint != RECOVERED and not self._wishes.are_met_by(row, kind):
            hinted = hints_in(row.fingerprint) != self._wishes.hints.mark(row.key, kind)
            return "hints changed" if hinted else "settings changed"
        wanted = names and (names.copy_output if row.made_as == Status.COPIED else names.output)
        return "its output has another name now" if wanted not in (None, unescape(row.output)) else ""

    def _reject(self, found: Found, names: Names | None, row: Known | None) -> Decision:
        if row is not None and row.status in KEPT:
            return self._mark(found, names, row, Status.REJECTED, BY_HINT)
        return _settled(found, names, Status.REJECTED, Cause.NONE, BY_HINT)

    def _mark(self, found: Found, names: Names | None, row: Known, status: Status, reason: str) -> Decision:
        if row.status == status:
            return Decision(found, names, Action.KEEP, f"{status}: {reason}")
        result = Result(found.key, status, Cause.NONE, reason)
        return Decision(found, names, Action.MARK, f"{status}: {reason}", result)

    def _settled_by(self, found: Found, *, made_before: bool) -> tuple[Status, Cause, str] | None:
        """Return what is known of a thing without a worker, or None."""
        if found.kind is Kind.EXCLUDED:
            return Status.SKIPPED, Cause.NONE, found.reason
        if found.kind is Kind.OTHER:
            return Status.UNSUPPORTED, Cause.NO_PICTURE, found.reason
        if made_before:  # it need not be read again
            return None
        if found.reason:
            status = Status.VANISHED if found.kind is Kind.VANISHED else Status.FAILED
            return status, Cause.SYSTEM, found.reason
        if found.kind not in self._wishes.workable:
            return Status.UNSUPPORTED, Cause.NOT_SUPPORTED, self._wishes.unworkable
        return None

    def _settle(
        self, found: Found, names: Names | None, row: Known | None, status: Status, cause: Cause, reason: str
    ) -> Decision:
        if row is not None and (row.status, row.reason, row.kind) == (status, reason, found.kind):
            return Decision(found, names, Action.KEEP, f"{status}: {reason}")
        return _settled(found, names, status, cause, reason)

    def _may_do_better(self, row: Known) -> bool:
        """Tell whether what failed may succeed now."""
        if self._wishes.retry_failed or row.cause in _PASSING:
            return True
        run = self._runs.get(row.run_id)
        if run is None:
            return False
        if row.cause in _OF_A_VERSION:
            return run.version != self._wishes.version
        names = REMEDIES.get(row.cause, ())
        return any(run.settings.get(name) != self._wishes.settings.get(name) for name in names)

    def _is_unchanged(self, found: Found, row: Known) -> bool:
        if found.size != row.source_size and row.source_size != UNKNOWN_SIZE:
            return False
        if found.mtime_ns == row.source_mtime_ns and not self._wishes.verify:
            return True
        if row.source_sha256 and found.kind in PICTURED:  # copies without times are the same still
            try:
                return files.sha256(found.source) == row.source_sha256
            except OSError:
                return False
        return found.mtime_ns == row.source_mtime_ns

    def _gone(self) -> Iterator[Decision]:
        """Decide on rows and claims of what is gone; what lies in a folder that can't be read now is left alone."""
        for row in self._not_found(self._journal.unsettled(), lambda row: (row.key, row.run_id)):
            lost = Found("", "", row.key, Kind.VANISHED)
            if row.status in PROBLEMS and row.kind in PICTURED:
                reason = f"gone since it {row.status}: {row.reason}"
                yield _settled(lost, None, Status.VANISHED, Cause.NONE, reason)
            else:
                yield Decision(lost, None, Action.FORGET, f"gone; {row.status} before: {row.reason}")
        for key, _ in self._not_found(self._journal.never_recorded(), lambda claim: claim):
            lost = Found("", "", key, Kind.VANISHED)
            yield _settled(lost, None, Status.VANISHED, Cause.NONE, "gone before its turn came")
        if self._census.misses_made:
            for row in self._not_found(self._journal.made(), lambda row: (row.key, row.run_id)):
                lost = Found("", "", row.key, Kind.VANISHED)
                renamed = self._renamed(row)
                if renamed:
                    yield Decision(lost, None, Action.MOVE, f"renamed to {renamed}", Result(renamed, Status.DONE))
                    continue
                yield self._mark(lost, None, row, Status.GONE, "its source is no longer there")

    def _renamed(self, row: Known) -> str:
        """Return the key under which the source of a finished item was found anew, or nothing."""
        kind = _KINDS.get(row.kind, Kind.OTHER)
        plain = row.fingerprint.partition(HINTED)[0]
        current = plain in self._wishes.fingerprints.get(kind, ()) or row.status == Status.EDITED
        if not current or not row.source_sha256:
            return ""
        for key in self._journal.unknown_of_size(row.source_size):
            try:
                if files.sha256(self._wishes.source_of(key)) == row.source_sha256:
                    return key
            except OSError:
                continue
        return ""

    @cached_property
    def _hashes(self) -> NDArray[np.int64]:
        """What was found, sorted; asked for when the walk is over.

        Two keys of one 64-bit hash would hide that a file is gone, once in millions of archives, and lose nothing.
        """
        return np.unique(np.frombuffer(self._seen, np.int64)) if len(self._seen) else np.empty(0, np.int64)

    def _not_found(self, known: Iterator[T], of: Callable[[T], tuple[str, str]]) -> list[T]:
        hashes, closed = self._hashes, tuple(self._closed)

        def is_gone(each: T) -> bool:
            key, run_id = of(each)
            at = int(np.searchsorted(hashes, hash(key)))
            found = at < len(hashes) and int(hashes[at]) == hash(key)
            return not found and not key.startswith(closed) and self._of_these_inputs(run_id)

        return [each for each in known if is_gone(each)]


def _settled(found: Found, names: Names | None, status: Status, cause: Cause, reason: str) -> Decision:
    seen = Seen(source_size=found.size, source_mtime_ns=found.mtime_ns)
    result = Result(found.key, status, cause, reason, seen=seen)
    why = reason if cause is Cause.IN_THE_WAY else f"{status}: {reason}"
    return Decision(found, names, Action.RECORD, why, result)

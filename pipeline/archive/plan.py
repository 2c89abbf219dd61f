"""What a run has to do, item by item, and why: drawn from what is found and what the journal knows. It only decides."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Final

from pipeline.archive.absent import OTHER_NOW, REJECTED_REASON, Absent, reason_of
from pipeline.archive.census import Census
from pipeline.archive.decision import Action, Because, Decision, anew, marked, settled
from pipeline.archive.discover import Folder, Found, examined
from pipeline.archive.hints import NOT_WANTED
from pipeline.archive.journal import Journal, Known
from pipeline.archive.names import Names, Naming
from pipeline.archive.obstacles import Obstacles, OtherArchive
from pipeline.archive.outputs import EDITED_REASON, Outputs, State
from pipeline.archive.overlap import refuse_overlap
from pipeline.archive.renames import is_unwanted
from pipeline.archive.row import RECOVERED, UNKNOWN_SIZE, hints_in
from pipeline.archive.schema import Run
from pipeline.archive.series import steer
from pipeline.archive.spelling import unescape
from pipeline.archive.wishes import Wishes
from pipeline.ground import files
from pipeline.ground.errors import Cause
from pipeline.ground.hints import said_mark
from pipeline.ground.items import KEPT, MADE, PICTURED, PROBLEMS, Kind, Status
from pipeline.ground.shelf import Sight

# Rows whose source was there when it was last looked for, and that have an output, or are not to have one.
_STAYING: Final = (KEPT | {Status.REJECTED}) - {Status.GONE}
_EDITED: Final = (Status.EDITED, EDITED_REASON)
_REJECTED: Final = (Status.REJECTED, REJECTED_REASON)
_WHY: Final = {
    State.MISSING: "output missing",
    State.UNSEEN: "output cannot be looked at",
    State.EDITED: "edited; made anew as asked",
    State.UNFINISHED: "unfinished",
}


class Plan:
    """Compares an archive with its journal; iterating gives one `Decision` after another, once.

    Raises while it is iterated:
        OutputError: OUTPUT holds the pictures of another archive under the same names.
        InputError: most of what the journal knows is not there.
    """

    def __init__(self, folders: Iterator[Folder], naming: Naming, journal: Journal, wishes: Wishes) -> None:
        self._folders, self._naming, self._journal, self._wishes = folders, naming, journal, wishes
        self._outputs = Outputs(journal.output, journal.elsewhere, sight=Sight(journal.output, listing=True))
        self._obstacles = Obstacles(
            journal, self._outputs, self._of_these_inputs, replaces_edited=wishes.replace_edited
        )
        self._others = OtherArchive()
        self._same_inputs: dict[str, bool] = {}
        self._absent = Absent(journal, wishes, self._of_these_inputs)
        self._census = Census(wishes.inputs)

    def __iter__(self) -> Iterator[Decision]:
        refuse_overlap(self._journal, self._wishes.inputs)
        self._census.begin(self._journal, self._of_these_inputs)
        for folder in self._folders:
            yield from self._of_folder(folder)
        self._others.refuse(self._journal.output)
        if not self._wishes.accept_gone:
            self._census.refuse_loss()
        yield from self._absent.decisions(self._obstacles.contests, misses_made=self._census.misses_made)

    def moved(self) -> list[tuple[str, ...]]:
        """Return, when it was iterated, INPUTs of earlier runs that lie where this run's do now."""
        return self._others.moved(self._wishes.inputs)

    def _of_folder(self, folder: Folder) -> Iterator[Decision]:
        self._wishes.hints.read(folder)
        self._census.walk(folder)
        keys = [found.key for found in folder.files]
        known = self._journal.known(keys)
        begun = self._journal.pending_runs(keys) if self._census.pending else {}
        if not self._wishes.hints.silent:
            for found in folder.files:
                self._meet(found, known.get(found.key))
        if self._wishes.series:
            steer([(found, known.get(found.key)) for found in folder.files], self._wishes.hints, self._outputs)
        recalled = [self._recall(found, known.get(found.key)) for found in folder.files]
        folder.files = [self._seen(found) for found in examined(recalled)]
        names = self._naming.names(folder)
        for found in folder.files:
            self._absent.see(found)
            row = known.get(found.key)
            here = row is not None and row.status in _STAYING and self._of_these_inputs(row.run_id)
            self._census.see(found.key, made=here)
            yield self._sighted(self._decision(found, names.get(found.key), row, found.key in begun), row)

    def _sighted(self, decision: Decision, row: Known | None) -> Decision:
        """Say of what is to be done in a storage what stands at its names: a worker writes over nothing else.

        What an earlier run has made and a listing does not show, or not yet, is ours still.
        """
        sight, names = self._outputs.sight, decision.names
        if not sight.far or names is None or decision.action not in (Action.TODO, Action.HOLD):
            return decision
        ours = {unescape(row.output): (row.output_size, row.output_mtime_ns)} if row is not None else {}
        output, copy = (sight.stamp(name) or ours.get(name) for name in (names.output, names.copy_output))
        return decision._replace(stood=(output, copy))

    def _meet(self, found: Found, row: Known | None) -> None:
        same = row is not None and (found.size, found.mtime_ns) == (row.source_size, row.source_mtime_ns)
        self._wishes.hints.meet(found, row.source_sha256 if row is not None and same else "")

    def _seen(self, found: Found) -> Found:
        return self._wishes.hints.see(found) if found.kind is Kind.FILM else found

    def _recall(self, found: Found, row: Known | None) -> Found:
        """Put in what an earlier run found a file to be: saves opening it.

        What failed is looked at again: permissions change neither size nor time. So is what is to be done anew:
        colorize 0.1 took files of several pages for photographs.
        """
        if found.kind is not None or row is None or row.status in PROBLEMS or row.kind not in PICTURED:
            return found
        if (found.size, found.mtime_ns) != (row.source_size, row.source_mtime_ns):
            return found
        kind = Kind(row.kind)
        if not self._wishes.are_met_by(row, kind):
            return found
        return Found(found.path, found.place, found.key, kind, found.size, found.mtime_ns, found.reason)

    @cached_property
    def _runs(self) -> dict[str, Run]:
        return self._journal.runs()

    def _of_these_inputs(self, run_id: str) -> bool:
        """Tell whether a run had the INPUTs of this one, or some of them."""
        if run_id not in self._same_inputs:
            run = self._runs.get(run_id)
            self._same_inputs[run_id] = run is not None and self._holds(run.inputs)
        return self._same_inputs[run_id]

    def _holds(self, inputs: tuple[str, ...]) -> bool:
        # One that was alone and is one of several now was called otherwise; `refuse_overlap` has seen to that.
        return set(inputs) <= set(self._wishes.inputs)

    def _decision(self, found: Found, names: Names | None, row: Known | None, begun: bool) -> Decision:
        made = row is not None and row.status in KEPT and found.kind is not Kind.EXCLUDED
        others = made and row is not None and row.source_size != UNKNOWN_SIZE and not self._of_these_inputs(row.run_id)
        if others and row is not None:
            self._others.compare(found, row)
        decision = self._decide(found, names, row, begun)
        if others and row is not None and row.run_id in self._runs:
            self._others.note(self._runs[row.run_id].inputs, decision)
        if decision.action is Action.TODO and names is not None:
            blocked = self._obstacles.before(found, names, begun=begun)
            if blocked:
                return settled(found, Status.FAILED, Cause.IN_THE_WAY, blocked)
        if row is not None and decision.because is Because.SOURCE and (made or is_unwanted(row)) and not others:
            self._absent.displace(row, begun=begun)
        return decision

    def _decide(self, found: Found, names: Names | None, row: Known | None, begun: bool) -> Decision:
        def say(action: Action, why: str) -> Decision:
            return Decision(found, names, action, why)

        same = row is not None and self._is_unchanged(found, row)
        unwanted = self._wishes.hints.of(found.key).decision == "rejected"
        if row is not None and is_unwanted(row):
            if row.cause == Cause.BY_HINT and not unwanted:
                return say(Action.TODO, "no longer rejected")
            if not (same or unwanted or names is None) and self._of_these_inputs(row.run_id):
                return Decision(found, names, Action.HOLD, Because.SOURCE, because=Because.SOURCE)
            return marked(found, row, Status.REJECTED, reason_of(row, Status.REJECTED), Cause(row.cause))
        if unwanted and found.kind in PICTURED:
            return self._reject(found, row)
        if found.kind is Kind.EXCLUDED and row is not None and row.status in KEPT:
            return say(Action.KEEP, f"{found.reason}; made by an earlier run")
        settled = self._settled_by(found, made_before=same and row is not None and row.status in KEPT)
        if settled is not None and row is not None and row.status in KEPT and self._is_kept(row, begun):
            return marked(found, row, Status.EDITED, f"{EDITED_REASON}; {settled[2]}")
        if settled is not None:
            return self._settle(found, row if same else None, *settled)
        if row is None:
            return say(Action.TODO, "unfinished" if begun else "new")
        if row.status in PROBLEMS:
            if not same:
                return anew(found, names, Because.SOURCE)
            again = self._wishes.may_mend(row, self._runs.get(row.run_id))
            return say(Action.TODO if again else Action.KEEP, f"{row.status} before: {row.reason}")
        if row.status in KEPT:
            return self._of_made(found, names, row, begun=begun, same=same)
        if not same:
            lost = row.status == Status.VANISHED
            return say(Action.TODO, "found again") if lost else anew(found, names, Because.SOURCE)
        if row.kind not in PICTURED or row.status in (Status.VANISHED, Status.UNSUPPORTED):
            return say(Action.TODO, f"{row.status} before: {row.reason}")
        if not self._wishes.are_met_by(row, found.kind or Kind.OTHER):
            return anew(found, names, Because.SETTINGS)
        return say(Action.DONE, f"{row.status}: {row.reason}")

    def _of_made(self, found: Found, names: Names | None, row: Known, *, begun: bool, same: bool) -> Decision:
        """Decide on what has an output; what somebody made of that is kept."""
        outdated = self._outdated(found, names, row, same)
        approved = outdated is not Because.OTHER and self._wishes.approve(row, found.kind or Kind.OTHER)
        output = self._outputs.look(row, begun=begun, sure=outdated is not Because.OTHER)
        kept = output.state is State.EDITED and not self._wishes.replace_edited
        lost = output.state is State.MISSING and self._wishes.deleted_outputs == "rejected" and not begun
        if (kept or lost) and outdated is Because.SOURCE and names is not None and self._of_these_inputs(row.run_id):
            return Decision(found, names, Action.HOLD, Because.SOURCE, because=Because.SOURCE)
        if kept or lost:
            status, reason = _EDITED if kept else _REJECTED
            return marked(found, row, status, reason if outdated is not Because.SOURCE else f"{reason}; {OTHER_NOW}")
        if approved and output.state is State.OURS:
            return Decision(found, names, Action.DONE, f"approved, though {outdated}")
        if outdated is not Because.OTHER:
            return anew(found, names, outdated)
        if output.state is not State.OURS:
            return Decision(found, names, Action.TODO, _WHY[output.state])
        times = (row.source_size, row.source_mtime_ns, row.output_mtime_ns)
        stale = times != (found.size, found.mtime_ns, output.mtime_ns) or row.status not in MADE
        return Decision(found, names, Action.DONE, "done before", adopt=output.mtime_ns if stale else None)

    def _is_kept(self, row: Known, begun: bool) -> bool:
        state = self._outputs.look(row, begun=begun, sure=True).state
        return state is State.EDITED and not self._wishes.replace_edited

    def _outdated(self, found: Found, names: Names | None, row: Known, same: bool) -> Because:
        """Return why a finished item would be made otherwise now; `OTHER`: it would not."""
        if not same:
            return Because.SOURCE
        kind = found.kind or Kind.OTHER
        if row.fingerprint != RECOVERED and not self._wishes.are_met_by(row, kind):
            hinted = said_mark(hints_in(row.fingerprint)) != said_mark(self._wishes.hints.mark(row.key, kind))
            return Because.HINTS if hinted else Because.SETTINGS
        wanted = names and (names.copy_output if row.made_as == Status.COPIED else names.output)
        return Because.NAME if wanted not in (None, unescape(row.output)) else Because.OTHER

    def _reject(self, found: Found, row: Known | None) -> Decision:
        if row is not None and row.status in KEPT:
            return marked(found, row, Status.REJECTED, NOT_WANTED, Cause.BY_HINT)
        return settled(found, Status.REJECTED, Cause.BY_HINT, NOT_WANTED)

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

    def _settle(self, found: Found, row: Known | None, status: Status, cause: Cause, reason: str) -> Decision:
        if row is not None and (row.status, row.reason, row.kind) == (status, reason, found.kind):
            return Decision(found, None, Action.KEEP, f"{status}: {reason}")
        return settled(found, status, cause, reason)

    def _is_unchanged(self, found: Found, row: Known) -> bool:
        if found.size != row.source_size and row.source_size != UNKNOWN_SIZE:
            return False
        if found.mtime_ns == row.source_mtime_ns and not self._wishes.verify:
            return True
        if row.source_sha256 and found.kind in PICTURED:  # copies without times are the same still
            try:
                sha256 = files.sha256(found.source)
            except OSError:
                return False
            self._absent.renames.know(found.key, sha256)
            return sha256 == row.source_sha256
        return found.mtime_ns == row.source_mtime_ns

"""What a run has to do, item by item, and why: drawn from what was found and what the journal knows."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pipeline.archive.discover import UNREADABLE, Found
from pipeline.archive.journal import Journal, input_spelling
from pipeline.archive.names import Names
from pipeline.archive.schema import Row
from pipeline.archive.spelling import escape, unescape
from pipeline.errors import OutputError
from pipeline.work import Outcome

IN_THE_WAY = "a file that this program did not write is in the way: "
FOLDER_IN_THE_WAY = "a folder is in the way: "
NO_FOLDER = "a file is in the way of the folder: "
OTHER_INPUT = "the output of another INPUT's file is in the way: "
# Reasons that the plan itself finds, so it sees for itself when they are gone.
_SEEN_BY_THE_PLAN = (UNREADABLE, IN_THE_WAY, FOLDER_IN_THE_WAY, NO_FOLDER, OTHER_INPUT)

_MADE = ("done", "copied")
Action = Literal["todo", "record", "done", "keep"]


@dataclass(frozen=True, slots=True)
class Item:
    """What is to be done with one thing that was found.

    Attributes:
        found: it.
        names: where its output goes; None for what is neither photo nor film.
        action: todo (a worker's), record (known without a worker: `outcome`), done (finished before),
            keep (settled before, and not tried again).
        why: a phrase for a person, such as "new", "source changed", "failed before: ...".
        outcome: what is recorded when the run begins.
        earlier_output: relative path of what an earlier run made of it, as the system spells it; see
            `remove_superseded`.
        earlier_size: its size in bytes.
    """

    found: Found
    names: Names | None
    action: Action
    why: str
    outcome: Outcome | None = None
    earlier_output: str = ""
    earlier_size: int = 0


@dataclass(slots=True)
class Plan:
    """All items of a run, and the journal's rows that no longer match anything.

    Attributes:
        items: one for each thing found.
        vanished: outcomes of items that an earlier run found and never finished, and that are gone now.
        forgotten: keys of rows that say nothing any more.
    """

    items: list[Item] = field(default_factory=list)
    vanished: list[Outcome] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)

    def todo(self) -> list[Item]:
        """Return the items that need a worker."""
        return [item for item in self.items if item.action == "todo"]

    def counts(self) -> Counter[str]:
        """Return how many items have each action."""
        return Counter(item.action for item in self.items)


def plan(
    found: Iterable[Found],
    names: Mapping[str, Names],
    journal: Journal | None,
    *,
    fingerprint: str,
    output: Path,
    inputs: Sequence[Path] = (),
    verify: bool = False,
    retry_failed: bool = False,
) -> Plan:
    """Compare what was found with the journal and with what lies in OUTPUT; nothing is written.

    Args:
        found: all of `discover`.
        names: from `output_names` of the same.
        journal: None where no run has written to OUTPUT yet.
        fingerprint: of this run's settings.
        output: OUTPUT.
        inputs: INPUTs of this run: rows of other INPUTs are left alone.
        verify: compare finished sources by sha256 (reads them all) instead of time.
        retry_failed: failed and crashed items are todo again.

    Raises:
        OutputError: OUTPUT holds the pictures of another archive under the same names.
    """
    drawing = _Drawing(journal, fingerprint, output, verify, retry_failed, input_spelling(inputs))
    result = Plan()
    keys: set[str] = set()
    closed: list[str] = []
    for each in found:
        keys.add(each.key)
        if each.kind == "unreadable" and each.key.endswith("/"):
            closed.append(each.key)
        result.items.append(drawing.item(each, names.get(each.key)))
    drawing.refuse_another_archive()
    if journal is not None:
        _sweep(result, journal, keys, tuple(closed), drawing)
        _spare_names_in_use(result)
    return result


class _Drawing:
    """What the decision about one item needs to know."""

    def __init__(
        self,
        journal: Journal | None,
        fingerprint: str,
        output: Path,
        verify: bool,
        retry_failed: bool,
        inputs: list[str],
    ) -> None:
        self.journal = journal
        self.fingerprint = fingerprint
        self.output = output
        self.verify = verify
        self.retry_failed = retry_failed
        self.inputs = inputs
        self.unfinished = journal.unfinished() if journal else {}
        self._same_inputs: dict[str, bool] = {}
        self._folders: dict[str, str] = {}
        self._alike = 0
        self._unlike: list[str] = []

    def of_these_inputs(self, run_id: str) -> bool:
        """Tell whether a run had the same INPUTs as this one."""
        if run_id not in self._same_inputs:
            then = list(self.journal.inputs_of(run_id)) if self.journal else []
            self._same_inputs[run_id] = not self.inputs or then == self.inputs
        return self._same_inputs[run_id]

    def item(self, found: Found, names: Names | None) -> Item:
        row = self.journal.row(found.key) if self.journal else None
        if row is not None and row.status in _MADE and found.kind != "excluded":
            self._compare_archives(found, row)
        action, why, outcome = self._decide(found, names, row)
        if action == "todo" and names is not None:
            blocked = self._blocked(found.key, names)
            if blocked:
                action, why, outcome = "record", blocked, _settled(found, "failed", blocked)
        earlier = row is not None and action == "todo" and row.status in _MADE
        return Item(
            found,
            names,
            action,
            why,
            outcome,
            unescape(row.output) if row and earlier else "",
            row.output_size if row and earlier else 0,
        )

    def _decide(self, found: Found, names: Names | None, row: Row | None) -> tuple[Action, str, Outcome | None]:
        same = row is not None and self._is_unchanged(found, row)
        if found.kind == "excluded":
            if row is not None and row.status in _MADE:
                return "keep", f"{found.reason}; made by an earlier run", None
            return self._settle(found, row, same, "skipped")
        if found.kind == "other":
            return self._settle(found, row, same, "unsupported")
        if found.reason and not (same and row is not None and row.status in _MADE):
            return self._settle(found, row, same, "vanished" if found.kind == "vanished" else "failed")
        if row is None:
            return "todo", "unfinished" if found.key in self.unfinished else "new", None
        if row.status in ("failed", "crashed"):
            return self._failed_before(row, same)
        if not same:
            return "todo", "found again" if row.status == "vanished" else "source changed", None
        if row.kind in ("excluded", "other", "unreadable") or row.status == "vanished":
            return "todo", f"{row.status} before: {row.reason}", None
        if row.fingerprint != self.fingerprint:
            return "todo", "settings changed", None
        if row.status == "unsupported":
            return "keep", f"unsupported: {row.reason}", None
        if row.status not in _MADE:
            return "done", f"{row.status}: {row.reason}", None
        missing = self._missing(row, names)
        return ("todo", missing, None) if missing else ("done", "done before", None)

    def _settle(self, found: Found, row: Row | None, same: bool, status: str) -> tuple[Action, str, Outcome | None]:
        if row is not None and same and (row.status, row.reason, row.kind) == (status, found.reason, found.kind):
            return "keep", f"{status}: {found.reason}", None
        return "record", f"{status}: {found.reason}", _settled(found, status, found.reason)

    def _failed_before(self, row: Row, same: bool) -> tuple[Action, str, Outcome | None]:
        if not same:
            return "todo", "source changed", None
        before = f"{row.status} before: {row.reason}"
        again = self.retry_failed or row.reason.startswith(_SEEN_BY_THE_PLAN)
        return "todo" if again else "keep", before, None

    def _is_unchanged(self, found: Found, row: Row) -> bool:
        if found.size != row.source_size:
            return False
        if self.verify and row.source_sha256 and found.kind in ("photo", "film"):
            try:
                with Path(found.path).open("rb") as source:
                    return hashlib.file_digest(source, "sha256").hexdigest() == row.source_sha256
            except OSError:
                return False
        return found.mtime_ns == row.source_mtime_ns

    def _missing(self, row: Row, names: Names | None) -> str:
        """Return why a finished item has to be made again, or nothing."""
        place = unescape(row.output)
        if names is not None and place != (names.copy_output if row.status == "copied" else names.output):
            return "its output has another name now"
        try:
            status = (self.output / place).lstat()
        except OSError:
            return "output missing"
        if status.st_size != row.output_size or not stat.S_ISREG(status.st_mode):
            return "output has another size"
        return ""

    def _blocked(self, key: str, names: Names) -> str:
        """Return what keeps an item's names from being written, or nothing."""
        folder = os.path.dirname(names.output)  # noqa: PTH120 - a text, for many
        if folder not in self._folders:
            self._folders[folder] = self._state(folder)
        state = self._folders[folder]
        if state:
            return "" if state == "missing" else f"{NO_FOLDER}{escape(state)}"
        for name in {names.output: "", names.copy_output: ""}:
            try:
                status = (self.output / name).lstat()
            except OSError:
                continue
            if stat.S_ISDIR(status.st_mode):
                return f"{FOLDER_IN_THE_WAY}{escape(name)}"
            owners = self.journal.owners(name) if self.journal else set()
            if not owners:
                return f"{IN_THE_WAY}{escape(name)}"
            if key not in owners and not any(self._is_ours(owner) for owner in owners):
                return f"{OTHER_INPUT}{escape(name)}"
        return ""

    def _is_ours(self, owner: str) -> bool:
        row = self.journal.row(owner) if self.journal else None
        return row is None or self.of_these_inputs(row.run_id)

    def _state(self, folder: str) -> str:
        """Return "" for a folder of OUTPUT that is there, "missing", or the part of it that is a file."""
        parts = folder.split("/") if folder else []
        for end in range(len(parts) + 1):
            place = "/".join(parts[:end])
            try:
                mode = (self.output / place).stat().st_mode
            except OSError:
                return place if (self.output / place).is_symlink() else "missing"
            if not stat.S_ISDIR(mode):
                return place
        return ""

    def _compare_archives(self, found: Found, row: Row) -> None:
        if not self.of_these_inputs(row.run_id):
            if found.size == row.source_size:
                self._alike += 1
            else:
                self._unlike.append(found.key)

    def refuse_another_archive(self) -> None:
        # The same archive under another mount point is taken up; other pictures of the same names would be lost.
        if len(self._unlike) > self._alike:
            raise OutputError(
                f"{self.output} holds pictures of another INPUT under the same names ({self._unlike[0]}): "
                "give each INPUT an OUTPUT of its own, or name all INPUTs in one command."
            )


def _settled(found: Found, status: str, reason: str) -> Outcome:
    return Outcome(found.key, status, reason=reason, source_size=found.size, source_mtime_ns=found.mtime_ns)


def _sweep(result: Plan, journal: Journal, keys: set[str], closed: tuple[str, ...], drawing: _Drawing) -> None:
    """Find the rows and claims of what is gone; what lies in a folder that can't be read now is left alone."""
    known = set()
    for row in journal.rows():
        known.add(row.key)
        if row.key in keys or row.key.startswith(closed) or not drawing.of_these_inputs(row.run_id):
            continue
        if row.status in ("failed", "crashed") and row.kind in ("photo", "film"):
            result.vanished.append(Outcome(row.key, "vanished", reason=f"gone since it {row.status}: {row.reason}"))
        elif row.status not in (*_MADE, "vanished"):
            result.forgotten.append(row.key)
    for key, run_id in drawing.unfinished.items():
        if key not in keys | known and not key.startswith(closed) and drawing.of_these_inputs(run_id):
            result.vanished.append(Outcome(key, "vanished", reason="gone before its turn came"))


def _spare_names_in_use(result: Plan) -> None:
    """An earlier output that is now another item's name is not superseded: it will be written over."""
    earlier = {item.earlier_output for item in result.items if item.earlier_output}
    if not earlier:
        return
    takers: dict[str, str] = {}
    for item in result.items:
        for name in (item.names.output, item.names.copy_output) if item.names else ():
            if name in earlier:
                takers[name] = item.found.key
    for index, item in enumerate(result.items):
        if item.earlier_output and takers.get(item.earlier_output, item.found.key) != item.found.key:
            result.items[index] = Item(item.found, item.names, item.action, item.why, item.outcome)


def begin(plan: Plan, journal: Journal, *, run_id: str, fingerprint: str) -> None:
    """Write into the journal, in one step, what the plan settles, and claim the names of all that is todo.

    The claims are on the disk before any work begins: after a power cut a finished file without a row is known as
    ours.
    """
    with journal.transaction(durable=True):
        journal.forget(plan.forgotten)
        for outcome in plan.vanished:
            journal.put(outcome, kind="vanished", fingerprint=fingerprint, run_id=run_id)
        for item in plan.items:
            if item.outcome is not None:
                journal.put(item.outcome, kind=item.found.kind, fingerprint=fingerprint, run_id=run_id)
            elif item.action == "todo" and item.names is not None:
                journal.claim(
                    item.found.key,
                    item.names.output,
                    item.names.copy_output,
                    run_id=run_id,
                    size=item.found.size,
                    mtime_ns=item.found.mtime_ns,
                )


def remove_superseded(item: Item, outcome: Outcome, output: Path) -> bool:
    """Remove what an earlier run made of an item that now has an output of another name; after it was recorded.

    Only a file of the size that was recorded goes: one that somebody has worked on since stays.
    """
    if not item.earlier_output or outcome.output is None:
        return False
    earlier = output / item.earlier_output
    try:
        if earlier == outcome.output or earlier.lstat().st_size != item.earlier_size:
            return False
        earlier.unlink()
    except OSError:
        return False
    return True

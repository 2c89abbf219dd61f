"""What keeps an item's names in OUTPUT from being written: files that are not ours, or another archive's."""

from __future__ import annotations

import json
import os
import stat
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.archive.caseless import as_listed
from pipeline.archive.decision import Action, Because, Decision
from pipeline.archive.discover import Found
from pipeline.archive.journal import LEFT, Journal, Known
from pipeline.archive.names import Names
from pipeline.archive.outputs import Outputs
from pipeline.archive.spelling import escape, fold
from pipeline.ground import files, shelf
from pipeline.ground.errors import OutputError

IN_THE_WAY = "a file that this program did not write is in the way: "
FOLDER_IN_THE_WAY = "a folder is in the way: "
LINK_IN_THE_WAY = "a symbolic link is in the way of the folder: "
NO_FOLDER = "a file is in the way of the folder: "
SPELLED = "OUTPUT tells no case, and a name is in the way that is the output of "
EDITED_IN_THE_WAY = "what somebody has changed since it was written is in the way (--replace-edited): "
OTHER_INPUT = "the output of another INPUT's file is in the way: "


class Contest(NamedTuple):
    """One thing that was found whose name in OUTPUT another item's output has, escaped, and that item's key."""

    found: Found
    owner: str
    place: str


class Obstacles:
    """Looks at OUTPUT; what it saw of folders it remembers.

    Attributes:
        contests: names that are others' still: grows.
    """

    def __init__(
        self, journal: Journal, outputs: Outputs, of_these_inputs: Callable[[str], bool], *, replaces_edited: bool
    ) -> None:
        """Take whose files are whose, which runs had the INPUTs of this one, and whether what is edited may go."""
        self._outputs, self._replaces_edited = outputs, replaces_edited
        self._journal, self._sight = journal, outputs.sight
        self._of_these_inputs = of_these_inputs
        self._leaving = frozenset(journal.elsewhere.values())
        self.contests: list[Contest] = []
        self._last = ("", "")  # a folder and its state: items come folder by folder

    def before(self, found: Found, names: Names, *, begun: bool) -> str:
        """Return what keeps an item's names from being written, or nothing."""
        folder = os.path.dirname(names.output)  # noqa: PTH120 - a text, for many
        state = self._state(folder)
        if state:
            return "" if state == "missing" else state
        for name in dict.fromkeys((names.output, names.copy_output)):
            blocked = self._at(found, name, begun)
            if blocked:
                return blocked
        return ""

    def _at(self, found: Found, name: str, begun: bool) -> str:
        try:
            status = self._sight.look(name)
        except OSError:
            return ""
        if stat.S_ISDIR(status.st_mode):
            if escape(name) in self._leaving:  # somebody put it in the place of an output that has yet to move
                return ""
            return f"{FOLDER_IN_THE_WAY}{escape(name)}"
        owners = self._journal.owners(name)
        if not owners:
            owners = self._journal.owners(as_listed(self._journal.output, name))
            if any(self._is_renamed(owner, found) for owner in owners):
                return ""
            return f"{SPELLED}{min(owners)}" if owners else f"{IN_THE_WAY}{escape(name)}"
        if found.key in owners:
            unfinished = begun and self._outputs.is_unfinished(name, status)
            ours = self._replaces_edited or unfinished or self._is_as_left(name, status)
            return "" if ours else f"{EDITED_IN_THE_WAY}{escape(name)}"
        if not any(self._is_ours(owner) for owner in owners):
            return f"{OTHER_INPUT}{escape(name)}"
        self.contests += [Contest(found, owner, escape(name)) for owner in sorted(owners)]
        return ""

    def _is_renamed(self, owner: str, found: Found) -> bool:
        """Tell whether a source is another item's, of a name that differs by case: its output goes along."""
        row = self._journal.row(owner)
        if row is None or not row.source_sha256 or row.source_size != found.size or fold(owner) != fold(found.key):
            return False
        try:
            return files.sha256(found.source) == row.source_sha256
        except OSError:
            return False

    def _is_as_left(self, name: str, found: os.stat_result) -> bool:
        """Tell whether what lies there of an item that failed since is as it was written."""
        said = self._journal.fact(f"{LEFT}{escape(name)}")
        if not said:
            return True
        size, sha256 = json.loads(said)
        try:
            return bool(found.st_size == size and sha256 in ("", shelf.sha256(self._journal.output, name)))
        except OSError:
            return False

    def _is_ours(self, owner: str) -> bool:
        row = self._journal.row(owner)
        return row is None or self._of_these_inputs(row.run_id)

    def _state(self, folder: str) -> str:
        if self._last[0] != folder or not folder:
            self._last = folder, self._look_at(folder)
        return self._last[1]

    def _look_at(self, folder: str) -> str:
        """Return "" for a folder of OUTPUT that is there, "missing", or what is in its way."""
        parts = folder.split("/") if folder else []
        for end in range(len(parts) + 1):
            place = "/".join(parts[:end])
            try:
                mode = self._sight.look(place).st_mode
            except OSError:
                return "missing"
            if stat.S_ISLNK(mode):
                return f"{LINK_IN_THE_WAY}{escape(place)}"
            if not stat.S_ISDIR(mode):
                return f"{NO_FOLDER}{escape(place)}"
        return ""


class OtherArchive:
    """Whether OUTPUT holds another archive: the same one under another mount point is taken up."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self._alike = 0
        self._unlike: list[str] = []
        self._balance: Counter[tuple[str, ...]] = Counter()  # by INPUTs: sources that are the same, less the others

    def compare(self, found: Found, row: Known) -> None:
        """Count a source of a name that another run finished."""
        if found.size == row.source_size:
            self._alike += 1
        else:
            self._unlike.append(found.key)

    def note(self, inputs: tuple[str, ...], decision: Decision) -> None:
        """Note what was decided of a source of a name that a run over these other INPUTs finished."""
        self._balance[inputs] += (decision.action is Action.DONE) - (decision.because is Because.SOURCE)

    def moved(self, inputs: Sequence[str]) -> list[tuple[str, ...]]:
        """Return INPUTs of earlier runs that are these: as many, and most of their sources lie here now, unchanged."""
        return [then for then, balance in self._balance.items() if balance > 0 and len(then) == len(inputs)]

    def refuse(self, output: Path) -> None:
        """Raise `OutputError` where most pictures of the same names are others: they would be lost."""
        if len(self._unlike) > self._alike:
            raise OutputError(
                f"{shelf.name(output)} holds pictures of another INPUT under the same names ({self._unlike[0]}): "
                "give each INPUT an OUTPUT of its own, or name all INPUTs in one command."
            )

"""What keeps an item's names in OUTPUT from being written: files that are not ours, or another archive's."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline.archive.decision import Action, Because, Decision
from pipeline.archive.discover import Found
from pipeline.archive.journal import Journal, Known
from pipeline.archive.names import Names
from pipeline.archive.spelling import escape
from pipeline.ground.errors import OutputError
from pipeline.ground.shelf import Sight

IN_THE_WAY = "a file that this program did not write is in the way: "
FOLDER_IN_THE_WAY = "a folder is in the way: "
LINK_IN_THE_WAY = "a symbolic link is in the way of the folder: "
NO_FOLDER = "a file is in the way of the folder: "
OTHER_INPUT = "the output of another INPUT's file is in the way: "


class Obstacles:
    """Looks at OUTPUT; what it saw of folders it remembers."""

    def __init__(self, journal: Journal, of_these_inputs: Callable[[str], bool], sight: Sight) -> None:
        """Take whose files are whose, which runs had the INPUTs of this one, and who looks into OUTPUT."""
        self._journal, self._sight = journal, sight
        self._of_these_inputs = of_these_inputs
        self._last = ("", "")  # a folder and its state: items come folder by folder

    def before(self, key: str, names: Names) -> str:
        """Return what keeps an item's names from being written, or nothing."""
        folder = os.path.dirname(names.output)  # noqa: PTH120 - a text, for many
        state = self._state(folder)
        if state:
            return "" if state == "missing" else state
        for name in dict.fromkeys((names.output, names.copy_output)):
            blocked = self._at(key, name)
            if blocked:
                return blocked
        return ""

    def _at(self, key: str, name: str) -> str:
        try:
            status = self._sight.look(name)
        except OSError:
            return ""
        if stat.S_ISDIR(status.st_mode):
            return f"{FOLDER_IN_THE_WAY}{escape(name)}"
        owners = self._journal.owners(name)
        if not owners:
            return f"{IN_THE_WAY}{escape(name)}"
        if key not in owners and not any(self._is_ours(owner) for owner in owners):
            return f"{OTHER_INPUT}{escape(name)}"
        return ""

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
                f"{output} holds pictures of another INPUT under the same names ({self._unlike[0]}): "
                "give each INPUT an OUTPUT of its own, or name all INPUTs in one command."
            )

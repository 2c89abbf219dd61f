"""How much of what the journal knows was found again: an INPUT that is not mounted is no INPUT that was emptied."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from pipeline.archive.discover import Folder
from pipeline.archive.journal import Journal
from pipeline.archive.spelling import escape
from pipeline.ground.errors import InputError

_FEW: Final = 10  # so few sources may go without a question


class Census:
    """Counts of one walk beside those of the journal, by INPUT where there are several.

    Attributes:
        pending: some items were begun and never recorded.
    """

    def __init__(self, inputs: Sequence[str]) -> None:
        """Take the INPUTs, as `input_spelling` gives them."""
        self._inputs = inputs
        self._several = len(inputs) > 1
        self._found: Counter[str] = Counter()
        self._known: Counter[str] = Counter()
        self._missing = 0
        self._expected = {""}
        self._first = True  # what was empty before, and accepted, may stay so
        self.pending = False

    def begin(self, journal: Journal, of_these_inputs: Callable[[str], bool]) -> None:
        """Count what the journal knows, before anything is recorded."""
        for run_id, head, known, made in journal.census(by_input=self._several):
            if of_these_inputs(run_id):
                self._known[head] += known
                self._missing += made
        ended = (run.run_id for run in journal.runs().values() if run.exit_code is not None)
        self._first = not any(map(of_these_inputs, ended))
        self.pending = journal.left()[0] > 0

    def see(self, key: str, *, made: bool) -> None:
        """Count one thing that was found, and whether it has a finished row of these INPUTs."""
        self._found[key.partition("/")[0] if self._several else ""] += 1
        self._missing -= made

    def walk(self, folder: Folder) -> None:
        """Take note of one folder that was walked: which INPUTs are to hold something, and what other shares have."""
        if folder.gathers:
            self._expected = {escape(label) for label in folder.folders} if self._several else {""}
        elif self._several and not folder.place:  # all INPUTs lie in one of them
            self._several, self._known = False, Counter({"": self._known.total()})
        if folder.elsewhere:
            self._expected.discard(escape(folder.place).partition("/")[0] if self._several else "")

    @property
    def misses_made(self) -> bool:
        """Whether some finished item was not found."""
        return self._missing > 0

    def refuse_loss(self) -> None:
        """Raise `InputError` where an INPUT is empty, or lacks most of what is known of it."""
        for head, known in self._known.items():
            found = self._found[head]
            if found == 0 or (known - found >= _FEW and found * 2 < known):
                where = head if self._several else ", ".join(self._inputs)
                raise InputError(
                    f"{where} holds {found:,} files where {known:,} are known from earlier runs: "
                    "is a disk not mounted? Nothing was changed. "
                    "If they are meant to be gone, run again with --accept-gone."
                )
        for head in sorted(self._expected):
            if self._first and not self._found[head]:
                where = head if self._several else ", ".join(self._inputs)
                raise InputError(
                    f"{where} holds no files: is a disk not mounted? Nothing was changed. "
                    "If it is meant to be empty, run again with --accept-gone."
                )

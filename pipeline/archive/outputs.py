"""Whether what lies in OUTPUT is still what was written: the user's own work is told from ours."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

from pipeline.archive.journal import Known
from pipeline.archive.own import FOLDER
from pipeline.archive.spelling import unescape
from pipeline.ground import files, inside, shelf
from pipeline.ground.shelf import Sight

_SLACK_NS: Final = 2_000_000_000  # file systems keep time to two seconds (FAT), and clocks of servers differ


EDITED_REASON: Final = "changed by somebody since it was written; --replace-edited makes it anew"


class State(StrEnum):
    """What lies where an output was written."""

    OURS = "ours"
    MISSING = "missing"
    UNSEEN = "unseen"  # nobody may look there now: a folder without permission, a disk below OUTPUT that is lost
    EDITED = "edited"
    UNFINISHED = "unfinished"  # a run that was killed wrote it, and could not say so any more


class Output(NamedTuple):
    """What was found of an output; `mtime_ns` is its time now, 0 where it is not there."""

    state: State
    mtime_ns: int = 0


class Outputs:
    """Looks at finished outputs: by size and time, and by sha256 where only the time differs."""

    def __init__(self, output: Path, elsewhere: Mapping[str, str] | None = None, *, sight: Sight | None = None) -> None:
        """Take OUTPUT, which outputs, as the journal calls them, lie elsewhere there for now, and who looks there."""
        self._output, self._elsewhere = output, elsewhere or {}
        self.sight = sight or Sight(output)
        self._ended: int | None = None

    def look(self, row: Known, *, begun: bool = False, sure: bool = False) -> Output:
        """Say what became of the output of a finished item.

        Args:
            row: it.
            begun: an earlier run was about to make it anew and never said what came of it.
            sure: it is about to be replaced, so rows of versions that recorded no time are compared by sha256.
        """
        place = unescape(self._elsewhere.get(row.output, row.output))
        try:
            found = self.sight.look(place) if inside.is_inside(place) else None
        except (FileNotFoundError, NotADirectoryError):
            found = None
        except OSError:
            return Output(State.UNSEEN)
        if found is None or (found.st_size == 0 and stat.S_ISREG(found.st_mode) and row.output_size):
            return Output(State.MISSING)
        if self._is_as_written(row, place, found, sure=sure):
            return Output(State.OURS, found.st_mtime_ns)
        ours = begun and self.is_unfinished(place, found)
        return Output(State.UNFINISHED if ours else State.EDITED, found.st_mtime_ns)

    def is_unfinished(self, place: str, found: os.stat_result) -> bool:
        """Tell whether a run that never said what came of it can have left a file as it is."""
        return self._was_sent(place, found) if self.sight.far else self._is_of_a_run(found)

    def _is_of_a_run(self, found: os.stat_result) -> bool:
        # The time of the last change of the file's entry: no tool can set it back, unlike that of its contents.
        return found.st_ctime_ns <= self._last_run_ended() + _SLACK_NS

    def _was_sent(self, place: str, found: os.stat_result) -> bool:
        """Tell whether a worker of the run that was killed still has what stands in the storage: clocks differ."""
        sent = [path for folder in _below(self._output / FOLDER / "tmp") for path in folder.glob("*.up")]
        with suppress(OSError):
            alike = [path for path in sent if path.stat().st_size == found.st_size]
            return bool(alike) and shelf.sha256(self._output, place) in map(files.sha256, alike)
        return False

    def _is_as_written(self, row: Known, place: str, found: os.stat_result, *, sure: bool) -> bool:
        if not stat.S_ISREG(found.st_mode) or found.st_size != row.output_size:
            return False
        if found.st_mtime_ns == row.output_mtime_ns or (not row.output_mtime_ns and not sure):
            return True
        if not row.output_sha256:
            return not row.output_mtime_ns
        try:
            return shelf.sha256(self._output, place) == row.output_sha256
        except OSError:
            return False

    def _last_run_ended(self) -> int:
        """Return when a worker last gave a file its name: that changes the folder of what is unfinished."""
        if self._ended is None:
            tmp = self._output / FOLDER / "tmp"
            self._ended = max((_mtime(path) for path in (tmp, *_below(tmp))), default=0)
        return self._ended


def _below(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_dir()]
    except OSError:
        return []


def _mtime(path: Path) -> int:
    try:
        return path.lstat().st_mtime_ns
    except OSError:
        return 0

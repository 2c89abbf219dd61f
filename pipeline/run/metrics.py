"""A run's figures for Prometheus: a text file that its node exporter collects (`--metrics FILE`).

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from pipeline.ground.errors import OutputError
from pipeline.ground.files import is_special, words, write_whole
from pipeline.run.voice import Begun, Broken, Ended, Event, Finished

EVERY: Final = 15.0  # seconds
_OURS: Final = b"# HELP colorize_"
_HELP: Final = {
    "colorize_items": ("gauge", "Items of this run that have an outcome, by status."),
    "colorize_items_planned": ("gauge", "Items that this run is to do."),
    "colorize_work_seconds": ("gauge", "Seconds that workers of this run took, added up."),
    "colorize_run_start_time_seconds": ("gauge", "When the run began its work, seconds since 1970."),
    "colorize_run_updated_time_seconds": ("gauge", "When these figures were written, seconds since 1970."),
    "colorize_run_exit_code": ("gauge", "Exit code of the run; not there while it works."),
}


def check_metrics(path: Path) -> None:
    """Refuse to write over what is no such file: a mistyped name may be that of an original.

    Raises:
        OutputError: it is there, and something else.
    """
    if not path.exists():
        return
    if is_special(path):
        raise OutputError(f"The file of metrics {path} is a pipe or a device, and no file: give another name.")
    try:
        with path.open("rb") as file:
            head = file.read(len(_OURS))
    except OSError as error:
        raise OutputError(f"The file of metrics {path} cannot be used: {words(error)}.") from None
    if head and head != _OURS:
        raise OutputError(f"The file of metrics {path} is there and is none of this program: give another name.")


class Metrics:
    """A listener (`Voice.listeners`) that writes the file whole, now and then and at the end."""

    def __init__(self, path: Path, warn: Callable[[str], None], clock: Callable[[], float] = time.time) -> None:
        """Take a path, who is told, once, that it cannot be written, and what tells the time in seconds since 1970."""
        self._path, self._warn, self._clock = path, warn, clock
        self._statuses: Counter[str] = Counter()
        self._planned, self._seconds = 0, 0.0
        self._began = self._written = clock()
        self._said = False

    def __call__(self, event: Event) -> None:
        """Count an event."""
        if isinstance(event, Ended):
            self._statuses[event.result.status] += 1
            self._seconds += event.result.seconds
            if self._clock() - self._written >= EVERY:
                self._write(None)
        elif isinstance(event, Begun):
            self._planned, self._began = event.total, self._clock()
            self._write(None)
        elif isinstance(event, Finished):
            self._write(event.summary.exit_code)
        elif isinstance(event, Broken):
            self._write(event.error.exit_code)

    def _write(self, exit_code: int | None) -> None:
        self._written = self._clock()
        try:
            write_whole(self._path, "".join(f"{line}\n" for line in self._lines(exit_code)))
        except OSError as error:
            if not self._said:
                self._said = True
                self._warn(f"The file of metrics {self._path} cannot be written: {words(error)}. The run goes on.")

    def _lines(self, exit_code: int | None) -> Iterator[str]:
        values: dict[str, dict[str, float]] = {
            "colorize_items": {f'{{status="{status}"}}': count for status, count in sorted(self._statuses.items())},
            "colorize_items_planned": {"": self._planned},
            "colorize_work_seconds": {"": round(self._seconds, 3)},
            "colorize_run_start_time_seconds": {"": round(self._began, 3)},
            "colorize_run_updated_time_seconds": {"": round(self._written, 3)},
            "colorize_run_exit_code": {} if exit_code is None else {"": int(exit_code)},
        }
        for name, (kind, text) in _HELP.items():
            if values[name]:
                yield f"# HELP {name} {text}"
                yield f"# TYPE {name} {kind}"
                yield from (f"{name}{labels} {value}" for labels, value in values[name].items())

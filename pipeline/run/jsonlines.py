"""Progress for programs: a JSON object a line on stderr."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from pipeline.run.facts import facts
from pipeline.run.voice import Begun, Ended, Event

EVERY: Final = 1.0  # seconds between two lines of progress


class JsonLines:
    """A listener (`Voice.listeners`): every event but what went well with items, of which there is a count a second."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Take a clock, in seconds."""
        self._clock = clock
        self._began = self._last = clock()

    def __call__(self, event: Event) -> None:
        """Print an event, if it is worth a line."""
        if isinstance(event, Begun):
            self._began = self._clock()
        if not isinstance(event, Ended) or event.problem:
            _print(facts(event))
        if isinstance(event, Ended) and event.total:
            now = self._clock()
            if now - self._last >= EVERY or event.count == event.total:
                self._last = now
                _print(self._progress(event, now - self._began))

    def _progress(self, event: Ended, seconds: float) -> dict[str, Any]:
        rate = event.count / max(seconds, 1e-9)
        return {
            "event": "progress",
            "count": event.count,
            "total": event.total,
            "problems": event.problems,
            "seconds": round(seconds, 3),
            "per_second": round(rate, 3),
            "seconds_left": round((event.total - event.count) / rate, 1),
        }


def _print(line: dict[str, Any]) -> None:
    print(json.dumps(line), file=sys.stderr, flush=True)

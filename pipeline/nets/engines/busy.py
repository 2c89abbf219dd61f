"""How busy others keep this machine: a stopwatch that shares its core with them says little of an engine."""

from __future__ import annotations

import os
import time
from pathlib import Path

_STAT = Path("/proc/stat")
_TICKS = 100  # a second: what Linux counts in there, whatever its kernel was built with


def fair_limit(cores: int | None = None) -> float:
    """Return up to which share of the machine others may use while an engine is timed with one thread.

    On two cores times were right with up to 0.6 of them in use and up to three times too long with 0.75, not for each
    engine alike: an engine that was 2.3 times as fast as the other came out as its equal.

    Args:
        cores: of the machine; None: as many as it has.
    """
    return min(0.65, 1 - 0.7 / (cores or os.cpu_count() or 1))


class Others:
    """What all other processes use of the machine, from when this was made until it is asked."""

    def __init__(self) -> None:
        """Begin to count."""
        self._total, self._used = _machine()
        self._own = _own()

    def share(self) -> float:
        """Return their share of all processor time since then, 0..1; where no system tells it, that of the load."""
        total, used = _machine()
        if total <= self._total:
            return _by_load()
        own = (_own() - self._own) * _TICKS
        return min(1.0, max(0.0, (used - self._used - own) / (total - self._total)))


def busy_now(seconds: float = 0.25) -> float:
    """Look for a moment; return what others use of the machine, 0..1."""
    others = Others()
    time.sleep(seconds)
    return others.share()


def _machine() -> tuple[int, int]:
    """Return all ticks of all processors, and those in which they had something to do; zeros where nothing says it."""
    try:
        first = _STAT.read_text(encoding="ascii").partition("\n")[0].split()
        ticks = [int(each) for each in first[1:9]]  # user, nice, system, idle, iowait, irq, softirq, steal
        return sum(ticks), sum(ticks) - ticks[3] - ticks[4]
    except (OSError, ValueError, IndexError):
        return 0, 0


def _own() -> float:
    """Return the seconds that this process and the children it has waited for have used."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _by_load() -> float:
    try:
        return min(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    except OSError:
        return 0.0

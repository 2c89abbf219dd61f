"""What a process holds in memory."""

from __future__ import annotations

import resource
import sys
from pathlib import Path


def memory() -> dict[str, int | None]:
    """Return this process' peak resident memory and its present anonymous memory, in bytes (None where unknown)."""
    unit = 1 if sys.platform == "darwin" else 1024
    # ru_maxrss survives fork and exec: it can be the parent's. Linux knows better.
    peak = _kilobytes("/proc/self/status", "VmHWM:")
    anonymous = _kilobytes("/proc/self/smaps_rollup", "Anonymous:")
    return {
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit if peak is None else peak * 1024,
        "anonymous": None if anonymous is None else anonymous * 1024,
    }


def _kilobytes(path: str, key: str) -> int | None:
    try:
        lines = Path(path).read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith(key)), None)

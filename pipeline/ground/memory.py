"""A bound for what takes memory at somebody else's word, such as an engine at a net's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

_STATM: Final = Path("/proc/self/statm")
_DATA: Final = 5  # its field, in pages


class _Bound:
    """What holds for the whole process: the first thread in sets it, the last one out takes it away."""

    def __init__(self) -> None:
        self._lock, self._inside = threading.Lock(), 0
        self._before = (0, 0)

    def enter(self, most: int) -> None:
        with self._lock:
            self._inside += 1
            held = _held()
            if self._inside > 1 or resource is None or held is None:
                return
            self._before = soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
            limits = [each for each in (soft, hard, held + most) if each != resource.RLIM_INFINITY]
            resource.setrlimit(resource.RLIMIT_DATA, (min(limits), hard))

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside and resource is not None and self._before != (0, 0):
                resource.setrlimit(resource.RLIMIT_DATA, self._before)


_bound: Final = _Bound()


@contextmanager
def bounded(most: int) -> Iterator[None]:
    """Let this process take so many bytes more, and no more, for the length of the block: on Linux, and nowhere else.

    What asks for more gets none, as where the machine has none: `errors.out_of_memory` knows what is raised then.
    Where several threads are in such blocks the first one's bound holds.
    """
    _bound.enter(most)
    try:
        yield
    finally:
        _bound.leave()


def _held() -> int | None:
    """Return the bytes that the limit counts: what is written to, used or not, of this process alone."""
    try:
        return int(_STATM.read_bytes().split()[_DATA]) * resource.getpagesize()
    except (OSError, IndexError):
        return None

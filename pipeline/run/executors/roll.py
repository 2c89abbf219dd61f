"""Who is there of a fleet, and what each was called for: whoever is lost, nobody waits for its answers."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from pipeline.run.executors.fleet import Lost, Member


class Roll:
    """Members by name, with their open calls; may be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._members: dict[str, Member] = {}
        self._calls: dict[str, set[Future[Any]]] = {}

    def expect(self, name: str) -> None:
        """Let a worker be called that has not come up yet."""
        with self._lock:
            self._calls[name] = set()

    def join(self, member: Member) -> None:
        """Put an expected worker in; one that is lost already stays out."""
        with self._lock:
            if member.name in self._calls:
                self._members[member.name] = member

    def leave(self, name: str) -> None:
        """Take a worker out; each of its open calls ends as `Lost`."""
        with self._lock:
            self._members.pop(name, None)
            calls = self._calls.pop(name, set())
        for call in calls:
            with contextlib.suppress(Exception):  # it came back at this very moment
                call.set_exception(Lost())

    def members(self) -> Mapping[str, Member]:
        """Return those that are there now, by name."""
        with self._lock:
            return dict(self._members)

    def begin(self, name: str) -> Future[Any]:
        """Return what a call to a worker will answer; `Lost` at once where the worker is."""
        call: Future[Any] = Future()
        with self._lock:
            if name in self._calls:
                self._calls[name].add(call)
                return call
        call.set_exception(Lost())
        return call

    def finish(self, name: str, call: Future[Any]) -> None:
        """Forget a call that has come back."""
        with self._lock:
            self._calls.get(name, set()).discard(call)

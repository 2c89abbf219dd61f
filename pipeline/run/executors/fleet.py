"""What an engine of many machines (Dask, Ray) has to know how to do: name its workers, call one, end one.

Which worker does which unit, what becomes of those of a lost one, and when enough is in flight, decides `remote`: the
engines' own ways of trying again would blame every unit that waited behind the guilty one, or hang.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol


class Lost(Exception):
    """The worker that was called is gone: it died, was preempted, or its host does not answer any more."""


@dataclass(frozen=True, slots=True)
class Member:
    """A worker process of a fleet.

    Attributes:
        name: nobody else has it, not even the process that takes its place after a death.
        host: where it runs, as the engine knows it.
        limit: bytes that this process may take; 0: no limit of its own.
    """

    name: str
    host: str
    limit: int = 0


class Fleet(Protocol):
    """Workers that come and go."""

    place: str  # for sentences: "the Dask scheduler at tcp://10.0.0.1:8786"

    def members(self) -> Mapping[str, Member]:
        """Return those that are there now, by name; to be asked often.

        Raises:
            ClusterError: the engine itself is gone.
        """

    def call(self, member: str, label: str, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Let a worker call a function of an importable module, after what it was called for before.

        Args:
            member: its name.
            label: what the engine's dashboard shows: a word, and behind a space what it is done with.
            function, arguments: picklable.

        Returns:
            What it will return or raise; raises `Lost` as soon as the worker is known to be gone.
        """

    def end(self, member: str) -> None:
        """End a worker that hangs; another may take its place. It is not waited for."""

    def close(self) -> None:
        """Let go of the fleet; what this run has started itself is ended."""

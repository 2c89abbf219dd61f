"""The seam between a run and what does its units."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Protocol

from pipeline.ground.errors import Cause
from pipeline.ground.items import Answer, Result, Status, Unit
from pipeline.run.signals import Stop

CRASHED = "its worker process died twice on this item (a crash of a decoder, or out of memory)"

Take = Callable[[], Unit | None]


class Executor(Protocol):
    """Does units and gives their answers in the order of their completion."""

    def answers(self, take: Take, stop: Stop) -> Generator[tuple[Unit, Answer]]:
        """Do all units there are.

        Args:
            take: gives the next unit, or None where there is none now; asked again after each answer, since an answer
                may bring up new units.
            stop: once requested, nothing more is taken; what is in flight is finished, or dropped if `at_once`.

        Raises:
            ColorizeError: no worker comes up.
        """


def crashed(unit: Unit) -> Result:
    """Return the result of a unit whose worker died on it twice."""
    return Result(unit.key, Status.CRASHED, Cause.CRASH, CRASHED)

"""The seam between a run and what does its units."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Final, Protocol

from pipeline.ground.errors import Cause
from pipeline.ground.items import Answer, Result, Status, Unit
from pipeline.run.signals import Stop

CRASHED = "its worker process died twice on this item (a crash of a decoder, or out of memory)"

# So many answers at most are recorded in one step; a driver that is killed in the middle of it has to do them again.
TOGETHER: Final = 64

Take = Callable[[], Unit | None]


class Executor(Protocol):
    """Does units and gives their answers in the order of their completion."""

    @property
    def at_hand(self) -> int:
        """How many answers follow the one that was just given, without a wait: they may be recorded together."""

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

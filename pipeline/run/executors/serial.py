"""Units one by one in this process: for tests, debugging, and a single picture."""

from __future__ import annotations

from collections.abc import Generator

from pipeline.ground.items import Answer, Unit
from pipeline.media.medium import Job
from pipeline.nets.net import Net
from pipeline.run.executors.executor import Take
from pipeline.run.signals import Stop
from pipeline.run.worker import Worker


class Serial:
    """Implements `Executor`."""

    at_hand = 0

    def __init__(self, job: Job, net: Net | None = None) -> None:
        """Take the job, and its net where it is loaded already; else it is, when the first unit is there."""
        self._job, self._net = job, net

    def answers(self, take: Take, stop: Stop) -> Generator[tuple[Unit, Answer]]:
        """See `Executor.answers`."""
        worker: Worker | None = None
        while not stop.requested and (unit := take()) is not None:
            worker = worker or Worker(self._job, self._net)
            yield unit, worker.do(unit)

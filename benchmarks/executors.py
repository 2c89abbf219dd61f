"""The same pictures through each executor, one worker and two, in turns: `python -m benchmarks.executors SCANS`.

Counted is from the second answer on, so how long workers take to come up does not count. What is busy beside it on this
machine changes all figures alike: compare those of one run.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from unittest import mock

from pipeline.ground.items import Result
from pipeline.ground.settings import Settings
from pipeline.run import driver
from pipeline.run.progress import Progress

_ROUNDS = 3


def pace(sources: Path, executor: str, jobs: int) -> float:
    """Return pictures a second of one run, as its answers came."""
    moments: list[float] = []
    ended = Progress.ended

    def note(progress: Progress, result: Result) -> None:
        moments.append(time.monotonic())
        ended(progress, result)

    settings = Settings(executor=executor, jobs=jobs, engine="opencv", precision="float32")
    with tempfile.TemporaryDirectory() as output, mock.patch.object(Progress, "ended", note):
        driver.run_archive([sources], Path(output), settings, bar=False, quiet=True)
    return (len(moments) - 2) / (moments[-1] - moments[1])


def main() -> None:
    """Print a table: the median of some rounds, and how it compares with loky's."""
    sources, executors = Path(sys.argv[1]), sys.argv[2:] or ["loky", "dask", "ray"]
    found: dict[tuple[str, int], list[float]] = {}
    for _ in range(_ROUNDS):
        for jobs in (1, 2):
            for executor in executors:
                found.setdefault((executor, jobs), []).append(pace(sources, executor, jobs))
    for (executor, jobs), paces in sorted(found.items(), key=lambda each: each[0][1]):
        part = median(paces) / median(found[executors[0], jobs])
        print(f"{executor:5} {jobs} workers: {median(paces):6.2f} pictures/s, {part:4.2f} of {executors[0]}")


if __name__ == "__main__":
    main()

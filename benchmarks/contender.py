"""What is measured: one net in one engine, with so many workers."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pipeline.ground.errors import ColorizeError
from pipeline.ground.items import Alone, Answer, Halt, Kind, Status, Unit, Verb
from pipeline.ground.settings import Settings
from pipeline.media.medium import Job
from pipeline.nets.engine import Engine
from pipeline.nets.spec import NetSpec

# What a run does with no option given; pictures of 1000 megapixels may be asked for.
_SETTINGS: Final = Settings(max_megapixels=2000.0)


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to run the pipeline.

    Attributes:
        model: what the tables call the net: "embedded", "release", or its name.
        net, engine: what colorizes.
        jobs: number of workers.
    """

    model: str
    net: NetSpec
    engine: Engine
    jobs: int

    def __str__(self) -> str:
        """Return a name that is unique among the contenders."""
        return f"{self.model} {self.engine} x{self.jobs}"

    @property
    def columns(self) -> dict[str, Any]:
        """What every row of the results says of it."""
        return {"model": self.model, "engine": str(self.engine), "jobs": self.jobs}

    def job(self, output: Path) -> Job:
        """Return what its workers are told; `output` is theirs alone, see `emptied`."""
        return Job(_SETTINGS, self.net, self.engine, output, output / "tmp")


def emptied(job: Job) -> Job:
    """Remove what a job has written so far, and make its folders; OUTPUT stays, since workers hold it open."""
    job.output.mkdir(parents=True, exist_ok=True)
    for path in job.output.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    job.tmp_dir.mkdir(parents=True)
    return job


def units(pictures: Sequence[Path], count: int) -> list[Unit]:
    """Return `count` units of work, going round and round the pictures."""
    sources = enumerate(cycle(pictures, count))
    return [Unit(Verb.MAKE, str(n), Kind.PHOTO, source, f"{n}.jpg", f"{n}.jpg") for n, source in sources]


def cycle(pictures: Sequence[Path], count: int) -> list[Path]:
    """Return `count` paths, going round and round."""
    return list(itertools.islice(itertools.cycle(pictures), count))


def check(answer: Answer) -> None:
    """Raise `ColorizeError` unless a picture was colorized: what did not work must not count as fast."""
    if isinstance(answer, Halt):
        raise answer.error
    if isinstance(answer, Alone):
        raise ColorizeError("The pictures of the measurement are too large for the memory of this machine.")
    if answer.status is not Status.DONE:
        raise ColorizeError(f"A worker of the measurement failed: {answer.reason or answer.status}.")

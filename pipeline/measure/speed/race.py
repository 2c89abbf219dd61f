"""The measurement: who takes part, in which order, and what is made of the times."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline.errors import ColorizeError
from pipeline.measure.speed import station
from pipeline.measure.speed.lanes import BareLane, PipelineLane, ReferenceLane, Station, cycle
from pipeline.measure.speed.specimens import sides, write_specimens
from pipeline.nets.spec import NetSpec
from pipeline.settings import Settings
from pipeline.work import Job, Task

# A block of the pipeline, of a bare net and of the reference lasts about so many seconds.
BLOCK_SECONDS = 2.0
MOST_PICTURES = 400
LARGE = 50.0  # megapixels from which one picture a worker is a block, and the bare net tells nothing new


@dataclass(frozen=True, slots=True)
class Entrant:
    """One way to run the pipeline: `model` is "embedded" or "release" (or a name), `label` the engine's."""

    model: str
    job: Job
    jobs: int

    @property
    def label(self) -> str:
        """Engine and precision, such as "openvino/bfloat16"."""
        return f"{self.job.settings.engine}/{self.job.settings.precision}"

    @property
    def key(self) -> str:
        """A name that is unique among the entrants."""
        return f"{self.model} {self.label} x{self.jobs}" + ("" if self.is_plain else " defaults")

    @property
    def is_plain(self) -> bool:
        """Whether it composes as the reference does."""
        return (self.job.settings.upsample, self.job.settings.gamut) == ("bilinear", "clip")


@dataclass(slots=True)
class Race:
    """All that was measured; every list of seconds has one entry a round.

    Attributes:
        rows: one table for each size and entrant: seconds a picture of the pipeline, the reference and the bare net,
            and the medians of what is made of them.
        probes: one table for each size and entrant with one worker alone: stages, first picture, start-up, memory.
        comparisons: outputs against the reference's on the same net.
        reference: for each size, what the reference's process took to start and for its first picture.
        scaling: pictures a second by number of workers.
        left_out: what could not be measured, and why.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    probes: list[dict[str, Any]] = field(default_factory=list)
    comparisons: list[dict[str, Any]] = field(default_factory=list)
    reference: list[dict[str, Any]] = field(default_factory=list)
    scaling: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


Say = Callable[[str], None]


def entrant(model: str, spec: NetSpec, label: str, jobs: int, tmp: Path, settings: Settings | None = None) -> Entrant:
    """Return an entrant that composes as the reference does, or as `settings` say."""
    engine, precision = label.split("/")
    settings = settings or Settings(upsample="bilinear", gamut="clip")
    settings = replace(settings, engine=engine, precision=precision, format="jpg", quality=95)
    return Entrant(model, Job(settings, spec, tmp, os.getpid()), jobs)


def run_race(
    entrants: Sequence[Entrant],
    reference_net: NetSpec | None,
    sizes: Sequence[float],
    *,
    rounds: int,
    threads: int,
    folder: Path,
    say: Say,
) -> Race:
    """Measure every entrant at every size.

    Args:
        entrants: what takes part.
        reference_net: the net of the tutorial's loop; None: there is no reference.
        sizes: in megapixels.
        rounds: how often all take their turn.
        threads: of the reference.
        folder: for pictures and outputs; its contents are the caller's to remove.
        say: told what is going on, a line at a time.
    """
    race = Race()
    for megapixels in sizes:
        width, height = sides(megapixels)
        say(f"{megapixels:g} MP ({width} x {height}): making pictures")
        count = 8 if megapixels < 5 else 4 if megapixels < LARGE else 2
        with tempfile.TemporaryDirectory(dir=folder) as here:
            pictures = write_specimens(Path(here), megapixels, count)
            fit = _probe_all(race, entrants, megapixels, pictures, Path(here), say)
            _take_turns(race, fit, reference_net, megapixels, pictures, rounds, threads, Path(here), say)
    return race


def _probe_all(
    race: Race, entrants: Sequence[Entrant], megapixels: float, pictures: Sequence[Path], folder: Path, say: Say
) -> list[Entrant]:
    """Run one worker of each entrant alone: what it needs, and whether it works at all."""
    fit = []
    for each in entrants:
        say(f"{megapixels:g} MP: one worker alone, {each.key}")
        try:
            with closing(Station(station.worker, each.job)) as alone:
                outputs = [folder / f"probe-{number}.jpg" for number in range(6 if megapixels < LARGE else 2)]
                sources = cycle(pictures, len(outputs))
                found = alone.ask([Task(o.name, s, o, o) for s, o in zip(sources, outputs, strict=True)])
                race.probes.append(
                    {
                        "megapixels": megapixels,
                        **_named(each),
                        "started": alone.started,
                        "first": found["seconds"][0],
                        "steady": statistics.median(found["seconds"][1:]),
                        "stages": found["stages"],
                        **found["memory"],
                    }
                )
            if megapixels < LARGE and each.is_plain:
                with closing(Station(station.compare, each.job.net, *each.label.split("/"))) as judge:
                    difference = judge.ask(pictures[0])
                race.comparisons.append({"megapixels": megapixels, **_named(each), **difference})
            fit.append(each)
        except ColorizeError as error:
            race.left_out.append(f"{each.key} at {megapixels:g} MP: {error}")
            say(race.left_out[-1])
    return fit


def _named(each: Entrant) -> dict[str, Any]:
    settings = {name: getattr(each.job.settings, name) for name in ("upsample", "gamut")}
    return {"model": each.model, "engine": each.label, "jobs": each.jobs, **settings}


def _take_turns(
    race: Race,
    entrants: Sequence[Entrant],
    reference_net: NetSpec | None,
    megapixels: float,
    pictures: Sequence[Path],
    rounds: int,
    threads: int,
    folder: Path,
    say: Say,
) -> None:
    """Let the reference, every entrant and every bare net do a block each, round after round."""
    with ExitStack() as stack:
        turns: dict[str, Callable[[], float]] = {}
        if reference_net is not None:
            say(f"{megapixels:g} MP: the reference warms up")
            lane = ReferenceLane(reference_net.path, reference_net.input_size, threads, folder / "reference")
            stack.callback(lane.close)
            first = lane.block(pictures[:1])
            steady = lane.block(pictures[1:2])
            race.reference.append({"megapixels": megapixels, "started": lane.started, "first": first})
            few = cycle(pictures, _block(steady, 1, most=8))
            turns["reference"] = lambda lane=lane, few=few: lane.block(few)  # type: ignore[misc]
        for each in entrants:
            say(f"{megapixels:g} MP: {each.key} warms up")
            pipeline = PipelineLane(each.job, each.jobs, folder / each.key.replace("/", "-"))
            stack.callback(pipeline.close)
            # Twice: in the first block one worker may do all while the others still start.
            pipeline.block(cycle(pictures, 4 * each.jobs if megapixels < LARGE else each.jobs))
            steady = pipeline.block(cycle(pictures, 4 * each.jobs if megapixels < LARGE else each.jobs))
            many = cycle(pictures, _block(steady, each.jobs))
            turns[each.key] = lambda lane=pipeline, many=many: lane.block(many)  # type: ignore[misc]
            if megapixels < 1 and each.is_plain:
                bare = BareLane(each.job, each.jobs)
                stack.callback(bare.close)
                count = _block(bare.block(3), each.jobs) // each.jobs
                turns[f"bare {each.key}"] = lambda lane=bare, count=count: lane.block(count)  # type: ignore[misc]
        times: dict[str, list[float]] = {key: [] for key in turns}
        for number in range(rounds):
            say(f"{megapixels:g} MP: round {number + 1} of {rounds}")
            for key, turn in turns.items():
                times[key].append(turn())
    race.rows.extend(_row(each, megapixels, times) for each in entrants)


def _block(seconds: float, jobs: int, most: int = MOST_PICTURES) -> int:
    """Return how many pictures make a block: whole turns of the workers."""
    turns = max(1, round(min(BLOCK_SECONDS / max(seconds, 1e-4), most) / jobs))
    return turns * jobs


def _row(each: Entrant, megapixels: float, times: dict[str, list[float]]) -> dict[str, Any]:
    ours = times[each.key]
    row: dict[str, Any] = {
        "megapixels": megapixels,
        **_named(each),
        "seconds": ours,
        "pictures_per_second": 1 / statistics.median(ours),
    }
    for name, key in (("reference", "reference"), ("bare", f"bare {each.key}")):
        with suppress(KeyError):
            theirs = times[key]
            # Round by round: what slowed the machine for a while slowed both.
            row[f"{name}_seconds"] = theirs
            row[f"{name}_ratio"] = statistics.median(b / a for a, b in zip(ours, theirs, strict=True))
    return row


def scale(race: Race, each: Entrant, most: int, pictures: Sequence[Path], rounds: int, folder: Path, say: Say) -> None:
    """Measure one entrant with 1, 2, 4 ... `most` workers, taking turns."""
    steps = sorted({1, most, *(2**power for power in range(1, 11) if 2**power < most)})
    with ExitStack() as stack:
        lanes = {}
        for jobs in steps:
            say(f"{jobs} of {most} workers warm up")
            lane = PipelineLane(each.job, jobs, folder / f"scale-{jobs}")
            stack.callback(lane.close)
            lane.block(cycle(pictures, 4 * jobs))
            steady = lane.block(cycle(pictures, 4 * jobs))
            lanes[jobs] = (lane, cycle(pictures, _block(steady, jobs)))
        times: dict[int, list[float]] = {jobs: [] for jobs in steps}
        for _ in range(rounds):
            for jobs, (lane, block) in lanes.items():
                times[jobs].append(lane.block(block))
    for jobs in steps:
        rate = 1 / statistics.median(times[jobs])
        gain = statistics.median(a / b for a, b in zip(times[1], times[jobs], strict=True))
        race.scaling.append({**_named(each), "jobs": jobs, "pictures_per_second": rate, "gain": gain})


def as_document(race: Race, conditions: dict[str, Any]) -> dict[str, Any]:
    """Return everything as one table for JSON."""
    return {"conditions": conditions | {"finished": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())}, **asdict(race)}

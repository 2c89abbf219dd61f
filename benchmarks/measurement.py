"""The measurement itself: each contender alone, then all in turns, then one with more and more workers."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import workloads
from benchmarks.contender import Contender, emptied, units
from benchmarks.pictures import sides, write_pictures
from benchmarks.process import Process
from benchmarks.results import Results, Times, median_ratio, row_of_turns
from benchmarks.runners import NetRunner, PipelineRunner, ReferenceRunner, Runner
from pipeline.ground.errors import ColorizeError
from pipeline.nets.spec import NetSpec
from pipeline.run.executors.child import ONE_THREAD

# A block of the pipeline, of a bare net and of the reference lasts about so many seconds.
BLOCK_SECONDS = 2.0
MOST_PICTURES = 400
MOST_OF_REFERENCE = 8
LARGE = 50.0  # megapixels from which one picture a worker is a block, and the bare net tells nothing new
SMALL = 1.0  # megapixels below which a net is measured alone, too

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Measurement:
    """Everything at one size of pictures.

    Attributes:
        megapixels: their size.
        pictures: the files.
        folder: for outputs.
        results: filled.
        say: told what is going on, a line at a time.
    """

    megapixels: float
    pictures: Sequence[Path]
    folder: Path
    results: Results
    say: Say

    @property
    def is_large(self) -> bool:
        """Whether few pictures have to do."""
        return self.megapixels >= LARGE

    def alone(self, contenders: Sequence[Contender]) -> list[Contender]:
        """Run one worker of each contender by itself: what it needs, and what it gives; return those that work."""
        fit = []
        for each in contenders:
            self._tell(f"one worker alone, {each}")
            try:
                self._probe(each)
                if not self.is_large:
                    self._compare(each)
                fit.append(each)
            except ColorizeError as error:
                self.results.left_out.append(f"{each} at {self.megapixels:g} MP: {error}")
                self.say(self.results.left_out[-1])
        return fit

    def _probe(self, each: Contender) -> None:
        job = emptied(each.job(self.folder / "alone"))
        with closing(Process(workloads.worker_alone, job, environment=ONE_THREAD)) as alone:
            found = alone.ask(units(self.pictures, 2 if self.is_large else 6))
        self.results.probes.append(
            {
                "megapixels": self.megapixels,
                **each.columns,
                "started": alone.started,
                "first": found["seconds"][0],
                "steady": statistics.median(found["seconds"][1:]),
                "stages": found["stages"],
                **found["memory"],
            }
        )

    def _compare(self, each: Contender) -> None:
        with closing(Process(workloads.difference, each.net, each.engine)) as judge:
            difference = judge.ask(self.pictures[0])
        self.results.comparisons.append({"megapixels": self.megapixels, **each.columns, **difference})

    def in_turns(
        self, contenders: Sequence[Contender], reference: NetSpec | None, *, rounds: int, threads: int
    ) -> None:
        """Let the reference, every contender and every bare net do a block each, round after round.

        Args:
            contenders: what takes part.
            reference: the net of the tutorial's loop; None: it takes no part.
            rounds: how often all take their turn.
            threads: of the reference.
        """
        with ExitStack() as stack:
            turns: dict[str, tuple[Runner, int]] = {}
            if reference is not None:
                turns["reference"] = self._reference(stack, reference, threads)
            for each in contenders:
                turns[str(each)] = self._pipeline(stack, each)
                if self.megapixels < SMALL:
                    turns[f"bare {each}"] = self._net(stack, each)
            times = _take_turns(turns, rounds, lambda number: self._tell(f"round {number} of {rounds}"))
        self.results.rows.extend(row_of_turns(each, self.megapixels, times) for each in contenders)

    def _reference(self, stack: ExitStack, net: NetSpec, threads: int) -> tuple[Runner, int]:
        self._tell("the reference warms up")
        runner = ReferenceRunner(net, threads, self.pictures, self.folder / "reference")
        stack.callback(runner.close)
        first, steady = runner.block(1), runner.block(1)
        self.results.reference.append({"megapixels": self.megapixels, "started": runner.started, "first": first})
        return runner, block_of(steady, 1, MOST_OF_REFERENCE)

    def _pipeline(self, stack: ExitStack, each: Contender) -> tuple[Runner, int]:
        self._tell(f"{each} warms up")
        runner = PipelineRunner(each, self.pictures, self.folder / str(each).replace("/", "-"))
        stack.callback(runner.close)
        # Twice: in the first block one worker may do all while the others still start.
        runner.block(each.jobs if self.is_large else 4 * each.jobs)
        return runner, block_of(runner.block(each.jobs if self.is_large else 4 * each.jobs), each.jobs)

    def _net(self, stack: ExitStack, each: Contender) -> tuple[Runner, int]:
        runner = NetRunner(each)
        stack.callback(runner.close)
        return runner, block_of(runner.block(3 * each.jobs), each.jobs)

    def scale(self, contender: Contender, *, rounds: int) -> None:
        """Measure a contender with 1, 2, 4 ... workers up to its own number, taking turns."""
        with ExitStack() as stack:
            turns = {}
            for jobs in steps(contender.jobs):
                turns[str(jobs)] = self._pipeline(stack, replace(contender, jobs=jobs))
            times = _take_turns(turns, rounds, lambda number: None)
        for workers, seconds in times.items():
            row = {**contender.columns, "jobs": int(workers), "pictures_per_second": 1 / statistics.median(seconds)}
            self.results.scaling.append(row | {"gain": median_ratio(times["1"], seconds)})

    def _tell(self, what: str) -> None:
        self.say(f"{self.megapixels:g} MP: {what}")


@contextmanager
def measurement(megapixels: float, folder: Path, results: Results, say: Say) -> Iterator[Measurement]:
    """Make pictures of one size inside `folder`, for a block; with what is written of them they go at its end."""
    width, height = sides(megapixels)
    say(f"{megapixels:g} MP ({width} x {height}): making pictures")
    count = 8 if megapixels < 5 else 4 if megapixels < LARGE else 2
    with tempfile.TemporaryDirectory(dir=folder) as place:
        here = Path(place)
        yield Measurement(megapixels, write_pictures(here, megapixels, count), here, results, say)


def steps(most: int) -> list[int]:
    """Return 1, 2, 4 ... and `most`."""
    return sorted({1, most, *(2**power for power in range(most.bit_length()) if 2**power < most)})


def block_of(seconds: float, jobs: int, most: int = MOST_PICTURES) -> int:
    """Return how many pictures of `seconds` each make a block: whole turns of the workers."""
    turns = max(1, round(min(BLOCK_SECONDS / max(seconds, 1e-4), most) / jobs))
    return turns * jobs


def _take_turns(turns: dict[str, tuple[Runner, int]], rounds: int, begin: Callable[[int], None]) -> Times:
    times: Times = {key: [] for key in turns}
    for number in range(1, rounds + 1):
        begin(number)
        for key, (runner, count) in turns.items():
            times[key].append(runner.block(count))
    return times

"""Progress: a bar with rate and estimated end on a terminal, a plain line each minute without one.

Everything goes to stderr; stdout belongs to results. Errors appear once, as they happen, above the bar.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tqdm import tqdm

from pipeline.archive.spelling import printable
from pipeline.ground.items import PROBLEMS, Result
from pipeline.run.voice import Ended, Said, Voice, problem_line, say

LINE_EVERY = 60.0  # seconds


@dataclass(slots=True)
class Progress:
    """What has come of a run so far, and how it is shown.

    Attributes:
        total: items to be done in this run.
        count: items that have an outcome.
        problems: items that failed or crashed.
        voice: whom sentences and outcomes are told.
        began: when the run began to work, of a monotonic clock, in seconds.
    """

    total: int
    bar: tqdm[None] | None = None
    quiet: bool = False
    count: int = 0
    problems: int = 0
    voice: Voice = field(default_factory=Voice)
    clock: Callable[[], float] = time.monotonic
    began: float = field(init=False)
    _last_line: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self._last_line = self.clock()

    def say(self, sentence: str) -> None:
        """Print a line on stderr, above the bar where there is one."""
        self._print(sentence)
        self.voice.tell(Said(sentence))

    def ended(self, result: Result) -> None:
        """Take an item's outcome: count it, and say what went wrong with it."""
        problem = result.status in PROBLEMS
        if problem:
            self._print(problem_line(result))
        self.step(problem=problem)
        self.voice.tell(Ended(result, self.count, self.total, self.problems))

    def _print(self, sentence: str) -> None:
        if self.bar is not None:
            self.bar.write(printable(sentence), file=sys.stderr)
        elif self.voice.aloud:
            say(sentence)

    def step(self, *, problem: bool = False) -> None:
        """Count one item."""
        self.count += 1
        self.problems += problem
        if self.bar is not None:
            if problem:
                self.bar.set_postfix_str(f"{self.problems} failed", refresh=False)
            self.bar.update()
        elif not self.quiet and self.clock() - self._last_line >= LINE_EVERY:
            self._last_line = self.clock()
            self._print(self.line())

    def line(self) -> str:
        """Return one line on where the run stands, such as "120 of 4,000 done, 3 failed, 2.1/s, about 31 min left"."""
        rate = self.count / max(self.clock() - self.began, 1e-9)
        parts = [f"{self.count:,} of {self.total:,} done"]
        if self.problems:
            parts.append(f"{self.problems:,} failed")
        parts.append(f"{rate:.1f} pictures/s" if rate >= 0.1 else f"{rate * 60:.1f} pictures/min")
        if self.count and self.count < self.total:
            parts.append(f"about {duration((self.total - self.count) / rate)} left")
        return ", ".join(parts)


def duration(seconds: float) -> str:
    """Return a length of time as a person says it: "40 s", "12 min", "3 h 05 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


@contextmanager
def show_progress(
    total: int, *, bar: bool | None = None, quiet: bool = False, voice: Voice | None = None
) -> Iterator[Progress]:
    """Show how a run gets on.

    Args:
        total: items to be done.
        bar: True or False forces or forbids the bar; None draws one if stderr is a terminal.
        quiet: neither bar nor lines; errors are still said.
        voice: whom sentences and outcomes are told; None: stderr alone.
    """
    voice = voice or Voice()
    quiet = quiet or not voice.aloud
    if quiet or not (sys.stderr.isatty() if bar is None else bar):
        yield Progress(total, quiet=quiet or bar is False, voice=voice)
        return
    with tqdm(total=total, unit=" pictures", dynamic_ncols=True, smoothing=0.05, file=sys.stderr) as drawn:
        yield Progress(total, bar=drawn, voice=voice)

"""Time and disk that films will take, told before anything is begun."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from joblib.externals.loky import ProcessPoolExecutor

from pipeline.archive.decision import Action, Decision
from pipeline.ground import shelf
from pipeline.ground.errors import ColorizeError, OutputError
from pipeline.ground.items import WHOLE, Forecast, Kind, Viewing
from pipeline.ground.settings import Settings
from pipeline.media.reels import forecast
from pipeline.run.executors.child import follow
from pipeline.run.progress import duration

# The header of a film is read in this time, or nothing is told of it.
_PATIENCE = 60.0


class Foreteller:
    """Looks at films, in a process of its own: a hostile header must not end the run before it has begun."""

    def __init__(self, settings: Settings, speed: float | None = None) -> None:
        """Take the run's settings, and the seconds of work that a megapixel took in films that are finished."""
        self._settings, self._speed = settings, speed
        self._pool: ProcessPoolExecutor | None = None
        self.measured = speed is not None
        self.told: list[Forecast] = []

    def film(self, path: Path, viewing: Viewing = WHOLE) -> Forecast | None:
        """Estimate what a film takes; None where that cannot be said: its worker will say why."""
        try:
            found = self._ask(path, viewing)
        except (ColorizeError, OSError, TimeoutError):
            return None
        except BrokenProcessPool:
            self.close()
            return None
        if self._speed is not None:
            found = found._replace(work=found.frames * found.width * found.height / 1e6 * self._speed)
        self.told.append(found)
        return found

    def _ask(self, path: Path, viewing: Viewing) -> Forecast:
        if self._settings.executor == "serial":
            return forecast(path, self._settings, viewing)
        self._pool = self._pool or ProcessPoolExecutor(max_workers=1, initializer=follow, initargs=(os.getpid(),))
        found: Forecast = self._pool.submit(forecast, path, self._settings, viewing).result(_PATIENCE)
        return found

    def plan(self, decisions: Iterator[Decision]) -> Iterator[Decision]:
        """Yield the decisions of a plan, those on films that are to be done with what is estimated."""
        try:
            for decision in decisions:
                if decision.action is Action.TODO and decision.found.kind is Kind.FILM:
                    decision = decision._replace(forecast=self.film(decision.found.source))
                yield decision
        finally:
            self.close()

    def close(self) -> None:
        """End the process."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, kill_workers=True)
            self._pool = None


def check_space(films: Sequence[Forecast], output: Path) -> None:
    """Make sure that the disk of OUTPUT can hold what films become.

    Raises:
        OutputError: it cannot.
    """
    if not films:
        return
    # What stands in a storage takes no room here but while it is made.
    passing = shelf.of(output) is not None
    free, needed = free_space(output), 2 * max(each.size for each in films) if passing else needed_space(films)
    if needed > free:
        raise OutputError(
            f"The disk of {output} has {gigabytes(free)} left, and {_films(films)} would need about "
            f"{gigabytes(needed)}: make room, choose another output, or a higher --film-quality number."
        )


def needed_space(films: Sequence[Forecast]) -> int:
    """Return the bytes that are needed: all outputs, and the parts of the largest until it is joined."""
    return sum(each.size for each in films) + max(each.size for each in films)


def free_space(output: Path) -> int:
    """Return what is free where OUTPUT is, or will be."""
    there = output.absolute()
    while not there.exists():
        there = there.parent
    return shutil.disk_usage(there).free


def films_line(films: Sequence[Forecast], jobs: int = 1) -> str:
    """Return one line on what lies ahead: "2 films, 70 min, 100,800 frames: about 25 min with 2 workers, 1.2 GB."."""
    workers = "1 worker" if jobs <= 1 else f"{jobs} workers"
    shown, frames = sum(each.seconds for each in films), sum(each.frames for each in films)
    work, size = sum(each.work for each in films) / max(1, jobs), sum(each.size for each in films)
    return (
        f"{_films(films)}, {duration(shown)}, {frames:,} frames: "
        f"about {duration(work)} with {workers}, about {gigabytes(size)}."
    )


def start_line(films: Sequence[Forecast], jobs: int, output: Path, *, measured: bool) -> str:
    """Return `films_line`, with what the estimate goes by and what is free."""
    basis = "as the films before" if measured else "roughly, no film was done here yet"
    return f"{films_line(films, jobs)[:-1]} ({basis}); {gigabytes(free_space(output))} are free."


def forecast_words(film: Forecast) -> str:
    """Return length, size and estimate of one film."""
    return (
        f"{duration(film.seconds)}, {film.frames:,} frames of {film.width} x {film.height}, "
        f"about {duration(film.work)} of one worker and {gigabytes(film.size)}"
    )


def gigabytes(size: int) -> str:
    """Return a number of bytes as a person says it: "35 MB", "1.2 GB"."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{max(1, round(size / 1e6)):,} MB"


def _films(films: Sequence[Forecast]) -> str:
    return "1 film" if len(films) == 1 else f"{len(films):,} films"

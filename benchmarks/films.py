"""A film, coloured by the tutorial's second script and by this pipeline, in turns.

The tutorial's loop writes MPEG-4 (`mp4v`), the one encoder that OpenCV's wheels bring; the pipeline writes H.264 as a
run does. Ours is timed from the first look at the film to the checked output: scan, pieces, join.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np

from benchmarks import reference
from benchmarks.contender import Contender, check, emptied
from benchmarks.measurement import Say
from benchmarks.pictures import write_pictures
from benchmarks.process import Process
from benchmarks.results import Row, median_ratio
from pipeline.ground.items import Kind, Result, Unit, Verb, part_of
from pipeline.ground.settings import Settings
from pipeline.media.photo.read import read
from pipeline.nets.spec import NetSpec
from pipeline.run.assembly import Assembly
from pipeline.run.executors.loky import Loky
from pipeline.run.signals import Stop

# Width, height and frames: two pieces for the workers. The tutorial's loop does the first frames alone.
SIZES: Final = ((500, 376, 480), (1280, 720, 480))
_OF_REFERENCE: Final = 24
_SHOT: Final = 160


def write_film(folder: Path, width: int, height: int, frames: int) -> Path:
    """Write a grey film: made-up scans that a camera pans over, a cut every 160 frames; always the same one."""
    import av

    scans = [read(each, max_megapixels=100).pixels for each in write_pictures(folder, 2.0, 4)]
    path = folder / f"{width}.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=Fraction(25), options={"preset": "veryfast", "crf": "20"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(frames):
            shot, moved = divmod(number, _SHOT)
            scan = scans[shot % len(scans)]
            part = np.ascontiguousarray(scan[moved : moved + height, moved : moved + width])
            out.mux(stream.encode(av.VideoFrame.from_ndarray(part, "gray")))
        out.mux(stream.encode(None))
    return path


class FilmRunner:
    """A contender's workers, given a whole film at a time (implements `Runner`)."""

    def __init__(self, contender: Contender, film: Path, output: Path) -> None:
        """Take a contender; the workers start with the first block."""
        self._film = film
        # The defaults of a run, but for what the loop does not look at.
        self._job = replace(contender.job(output), settings=Settings(on_color="recolor"))
        self._waiting: deque[Unit] = deque()
        executor = Loky(self._job, contender.jobs)
        self._answers = executor.answers(lambda: self._waiting.popleft() if self._waiting else None, Stop())

    def block(self, count: int) -> float:
        """Colour the film once; return the seconds for each of its `count` frames."""
        emptied(self._job)
        began = time.perf_counter()
        status = self._film.stat()
        self._waiting.append(
            Unit(
                Verb.SCAN, "film", Kind.FILM, self._film, "film.mp4", "film.mp4", status.st_size, status.st_mtime_ns,
                "parts",
            )
        )  # fmt: skip
        assembly: Assembly | None = None
        while True:
            unit, answer = next(self._answers)
            check(answer)
            assert isinstance(answer, Result)
            if unit.verb is Verb.SCAN:
                assembly = Assembly(unit, answer.spans)
                self._waiting.extend(assembly.units())
            elif unit.verb is Verb.PIECE and assembly is not None:
                self._waiting.extend(assembly.add(part_of(unit, answer)))
            else:
                return (time.perf_counter() - began) / count

    def close(self) -> None:
        """See `Runner.close`."""
        self._answers.close()


class FilmReference:
    """The tutorial's loop (implements `Runner`)."""

    def __init__(self, net: NetSpec, threads: int, film: Path, output: Path) -> None:
        """Start it; its OpenCV may use `threads` threads."""
        self._process = Process(reference.film_loop, net.path, net.input_size, threads)
        self._film, self._output = film, output

    def block(self, count: int) -> float:
        """Colour the first `count` frames; return the seconds for each."""
        seconds: float = self._process.ask((self._film, self._output, count))
        return seconds

    def close(self) -> None:
        """See `Runner.close`."""
        self._process.close()


def measure_films(
    folder: Path,
    contenders: Sequence[Contender],
    net: NetSpec | None,
    say: Say,
    *,
    rounds: int,
    sizes: Sequence[tuple[int, int, int]] = SIZES,
) -> list[Row]:
    """Let the tutorial's loop and every contender, the first with one worker too, colour films in turns.

    Args:
        folder: for the films and what becomes of them.
        contenders: with all workers.
        net: of the tutorial's loop; None: it takes no part.
        say: told what is going on.
        rounds: how often all take their turn.
        sizes: width, height and frames of each film.
    """
    rows = []
    for width, height, frames in sizes:
        say(f"film, {width} x {height}, {frames} frames: {rounds} rounds")
        film = write_film(folder, width, height, frames)
        rows += _in_turns(folder, film, (width, height, frames), contenders, net, rounds)
    return rows


def _in_turns(
    folder: Path,
    film: Path,
    size: tuple[int, int, int],
    contenders: Sequence[Contender],
    net: NetSpec | None,
    rounds: int,
) -> list[Row]:
    everyone = list(contenders)
    if rounds > 1:  # what workers gain is told of the first
        everyone = list(dict.fromkeys((replace(contenders[0], jobs=1), *contenders)))
    times: dict[str, list[float]] = {}
    with ExitStack() as stack:
        turns: dict[str, tuple[FilmRunner | FilmReference, int]] = {}
        if net is not None:
            threads = max(each.jobs for each in everyone)
            turns["reference"] = FilmReference(net, threads, film, folder / "reference.mp4"), _OF_REFERENCE
        for each in everyone:
            turns[str(each)] = FilmRunner(each, film, folder / str(each).replace("/", "-")), size[2]
        for runner, count in turns.values():
            stack.callback(runner.close)
            runner.block(count)  # warm
        for _ in range(rounds):
            for name, (runner, count) in turns.items():
                times.setdefault(name, []).append(runner.block(count))
    return [_row(each, size, times) for each in everyone]


def _row(contender: Contender, size: tuple[int, int, int], times: dict[str, list[float]]) -> Row:
    ours = times[str(contender)]
    row: Row = {
        "width": size[0],
        "height": size[1],
        "frames": size[2],
        **contender.columns,
        "encoder": "h264",
        "seconds": ours,
        "frames_per_second": 1 / median(ours),
    }
    alone = times.get(str(replace(contender, jobs=1)))
    if alone is not None and contender.jobs > 1:
        row["gain"] = median_ratio(alone, ours)
    if "reference" in times:
        row |= {"reference_seconds": times["reference"], "reference_ratio": median_ratio(times["reference"], ours)}
    return row

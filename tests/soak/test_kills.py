"""Two hundred kills, of the driver, of its group, of a worker, at random moments: the ends are the same to the byte."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ENTRY, environment, landscape, write_archive, write_tiff
from tests.disk.disk import files_of, finished_in, manifest_of

pytestmark = pytest.mark.soak
pytest.importorskip("av", reason="kills a film's workers too; extra: film")
from tests.film.clips import scenes, write_clip  # noqa: E402

KILLS = 200
_SECONDS = 600
_PHOTOGRAPHS, _PAGES, _FRAMES = 24, 12, 200


def _archive(scans: Path) -> None:
    write_archive(scans, _PHOTOGRAPHS)
    write_tiff(scans / "letter.tif", *[landscape(seed, 200, 300) for seed in range(_PAGES)])
    write_clip(scans / "reel.mkv", scenes(_FRAMES, 64, 48), options={"preset": "ultrafast"})


class Runs:
    """Starts runs of one archive, and kills them."""

    def __init__(self, scans: Path, net: Path, cache: Path) -> None:
        self._cache = cache
        self._arguments = ["run", str(scans), "--model", str(net), "-j", "2", "--no-progress"]
        self._arguments += ["--engine", "opencv", "--precision", "float32"]

    def start(self, output: Path, *more: str) -> subprocess.Popen[str]:
        """Start a run in a process group of its own."""
        return subprocess.Popen(
            [*ENTRY, *self._arguments, "-o", str(output), *more],
            env=environment(XDG_CACHE_HOME=str(self._cache)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def ended(self, output: Path, *more: str) -> tuple[int, str]:
        """Run to the end."""
        process = self.start(output, *more)
        said, _ = process.communicate(timeout=_SECONDS)
        return process.returncode, said


def workers_of(driver: int) -> Iterator[int]:
    """Yield the processes that a driver has started to work, by what Linux tells of them."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            if parent == driver and b"popen_loky" in (path.parent / "cmdline").read_bytes():
                yield int(path.parent.name)


def kill(process: subprocess.Popen[str], whom: str, moments: random.Random) -> None:
    """Kill one of a run's processes, or all of them."""
    with contextlib.suppress(ProcessLookupError):
        if whom == "group":
            os.killpg(process.pid, signal.SIGKILL)
        elif whom == "driver":
            os.kill(process.pid, signal.SIGKILL)
        elif workers := sorted(workers_of(process.pid)):
            os.kill(moments.choice(workers), signal.SIGKILL)


def made(output: Path) -> int:
    """Count what a run has written: outputs, and parts of those that are not finished."""
    walked = os.walk(output)  # what goes meanwhile is passed over
    return sum(len(files) for folder, _, files in walked if "/.colorize" not in folder or "/parts" in folder)


def wait_for_a_moment(process: subprocess.Popen[str], output: Path, moments: random.Random) -> bool:
    """Wait until a few things more have been written, or for less than that; tell whether the run is still there."""
    wanted, end = made(output) + moments.randint(1, 6), time.monotonic() + _SECONDS
    early = time.monotonic() + moments.uniform(0.1, 2.0) if moments.random() < 0.15 else end
    while process.poll() is None and made(output) < wanted and time.monotonic() < min(early, end):
        time.sleep(0.01)
    time.sleep(moments.uniform(0, 0.1))
    return process.poll() is None


def still_there(before: dict[str, tuple[int, int]], output: Path) -> None:
    """Assert that what was finished before a kill is as it was written."""
    now = finished_in(output)
    assert {key: now.get(key) for key in before} == before, "finished, and done again or lost"


def killed_once(process: subprocess.Popen[str], output: Path, most: int, moments: random.Random) -> list[str]:
    """Kill workers of a run, which goes on, or in the end all of it; return who was killed, at most so many."""
    killed: list[str] = []
    while len(killed) < most and wait_for_a_moment(process, output, moments):
        killed.append(moments.choice(("driver", "group", "worker")))
        kill(process, killed[-1], moments)
        if killed[-1] != "worker":
            break
    return killed


def without_orphans(said: str) -> str:
    """Return what was printed, without what loky prints of a worker whose driver is killed before it sent the job."""
    return re.sub(
        r"LokyProcess-\d+ failed with traceback: \n-+\nTraceback.*?EOFError: Ran out of input\n", "", said, flags=re.S
    )


def killed_until_done(runs: Runs, output: Path, most: int, moments: random.Random) -> Counter[str]:
    """Kill one run after another until one has come to its end, or so many were killed."""
    before, met = dict[str, tuple[int, int]](), Counter[str]()
    while met.total() < most:
        process = runs.start(output)
        killed = killed_once(process, output, most - met.total(), moments)
        met.update(killed)
        said, _ = process.communicate(timeout=_SECONDS)
        assert "Traceback" not in without_orphans(said), said
        time.sleep(0.3)  # workers see within a moment that their driver is gone
        still_there(before, output)
        before = finished_in(output)
        if not killed or killed[-1] == "worker":
            assert process.returncode in (0, 3), said  # 3: both workers of one picture were killed
            break
    return met


def test_two_hundred_kills(tmp_path: Path, tiny_net: Path, user_cache: Path, request: pytest.FixtureRequest) -> None:
    """Each round has a seed; the next `make soak` goes on behind the last one that was finished."""
    scans, whole, met = tmp_path / "scans", tmp_path / "whole", Counter[str]()
    _archive(scans)
    originals, runs = files_of(scans), Runs(scans, tiny_net, user_cache)
    assert runs.ended(whole)[0] == 0
    expected, cache = files_of(whole), getattr(request.config, "cache", None)
    first = seed = int(cache.get("kills/seed", 18)) if cache else 18
    while (left := KILLS - met.total()) > 0:
        output = tmp_path / "broken" / str(seed)
        met += killed_until_done(runs, output, left, random.Random(seed))
        before = finished_in(output)
        code, said = runs.ended(output, "--retry-failed")
        assert code == 0, f"seed {seed}: {said}"
        still_there(before, output)
        assert files_of(output) == expected, f"seed {seed}"
        assert manifest_of(output) == manifest_of(whole), f"seed {seed}"
        assert not [path for path in (output / ".colorize").rglob("*.*") if not path.name.startswith("journal.")]
        shutil.rmtree(output)
        seed += 1
        if cache:
            cache.set("kills/seed", seed)
        print(f"{met.total()} kills in {seed - first} rounds, {dict(met)}", flush=True)
    assert files_of(scans) == originals

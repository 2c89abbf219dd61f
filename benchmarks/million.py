"""What a night of very many pictures costs the driver: `python -m benchmarks.million FOLDER [COUNT...]`.

Everything is the program's own but decoding and the net: sources are links of a few small files, and an executor in
this process answers at once, with a link of a finished picture in its place. Plan, schedule, journal, manifest, the
second run and the run that is killed half way and resumed are real. All times are the processor's.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.memory import memory
from pipeline.archive import manifest
from pipeline.archive.database import journal_path
from pipeline.archive.manifest import write_manifest
from pipeline.ground.items import Answer, Filed, Result, Seen, Status, Unit, Verb
from pipeline.ground.settings import Settings
from pipeline.media.medium import Job
from pipeline.run import driver
from pipeline.run.executors.executor import Take
from pipeline.run.signals import Stop
from pipeline.run.voice import Begun, Ended, Event, Voice

_LINKS = 50_000  # of one file; ext4 allows 65,000
_FOLDER = 500  # files
_COUNTS = (10_000, 100_000, 1_000_000)
_PICTURE = b"\xff\xd8\xff\xe0" + bytes(100)


def places(count: int) -> Iterator[str]:
    """Yield where so many files lie."""
    for number in range(count):
        yield f"{number // _LINKS:03d}/{number // _FOLDER:05d}/scan {number:07d}.jpg"


def link_all(folder: Path, count: int, data: bytes = _PICTURE) -> os.stat_result:
    """Make so many files of the same bytes, links of a few; return what the system says of one."""
    first = folder
    for number, place in enumerate(places(count)):
        path = folder / place
        if number % _FOLDER == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
        if number % _LINKS == 0:
            path.write_bytes(data)
            os.utime(path, ns=(10**18, 10**18))
            first = path
        else:
            os.link(first, path)
    return first.stat()


class AtOnce:
    """Implements `Executor`: each picture is another one, and finished as soon as it is taken."""

    def __init__(self, job: Job) -> None:
        """Take the job; ten thousand outputs are links of one file."""
        self._job, self._made = job, 0

    def answers(self, take: Take, stop: Stop) -> Generator[tuple[Unit, Answer]]:
        """See `Executor.answers`."""
        while not stop.requested and (unit := take()) is not None:
            digest = hashlib.sha256(unit.key.encode()).hexdigest()
            seen = Seen(unit.size, unit.mtime_ns, digest, "neutral", 0.5, 4000, 3000, 8)
            made = Result(unit.key, Status.DONE, seen=seen, model="stub", engine="stub", seconds=0.001)
            yield unit, made if unit.verb is Verb.LOOK else replace(made, filed=self._publish(unit.output))

    def _publish(self, place: str) -> Filed:
        output = self._job.output / place
        output.parent.mkdir(parents=True, exist_ok=True)
        part = self._job.tmp_dir / f"{self._made // 10_000}.whole"
        if self._made % 10_000 == 0:
            part.write_bytes(b"coloured")
        link = self._job.tmp_dir / "link"
        os.link(part, link)
        link.replace(output)
        self._made += 1
        return Filed(place, 8, hashlib.sha256(b"coloured").hexdigest())


def one_run(scans: Path, output: Path, die_after: int) -> None:
    """Run in this process, print what it cost; killed by itself after so many outcomes, 0: never."""
    began, marks, ended = time.process_time(), dict[str, float](), 0

    def hear(event: Event) -> None:
        nonlocal ended
        if isinstance(event, Begun):
            marks["plan"] = time.process_time() - began
        elif isinstance(event, Ended):
            ended += 1
            if ended == die_after:
                os.kill(os.getpid(), signal.SIGKILL)

    def executor(context: Any, jobs: int, tmp_dir: Path, progress: Any) -> AtOnce:
        return AtOnce(context.job(tmp_dir))

    drawings = list[float]()

    def draw(*given: Any, **named: Any) -> Path:
        begun = time.thread_time()
        try:
            return write_manifest(*given, **named)
        finally:
            drawings.append(time.thread_time() - begun)

    with ExitStack() as patched:
        patched.enter_context(mock.patch.object(driver, "_executor", executor))
        for each in (driver, manifest):
            patched.enter_context(mock.patch.object(each, "write_manifest", draw))
        settings = Settings(engine="opencv", precision="float32", executor="serial")
        summary = driver.run_archive([scans], output, settings, bar=False, quiet=True, voice=Voice(listeners=(hear,)))
    peak = memory()["peak"] or 0
    cost = {"all": time.process_time() - began, "peak": peak / 2**20, "worked": summary.worked, **marks}
    cost |= {"drawings": len(drawings), "drawn": sum(drawings)}
    print(json.dumps(cost | {str(status): count for status, count in summary.counts.items()}))


def in_a_process(scans: Path, output: Path, die_after: int = 0) -> dict[str, float]:
    """Run in a process of its own; return what it printed, nothing where it was killed."""
    words = [sys.executable, "-m", "benchmarks.million", "--run", str(scans), str(output), str(die_after)]
    run = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False)
    if die_after:
        assert run.returncode == -signal.SIGKILL, run.returncode
        return {}
    assert run.returncode == 0, run.returncode
    found: dict[str, float] = json.loads(run.stdout.splitlines()[-1])
    return found


def told(folder: Path, count: int) -> Iterator[str]:
    """Yield what is found of an archive of so many pictures, as it is found."""
    scans, output, killed = folder / "scans", folder / "colour", folder / "killed"
    link_all(scans, count)
    first = in_a_process(scans, output)
    assert (first["done"], first["worked"]) == (count, count), first
    size = journal_path(output).stat().st_size
    each = (first["all"] - first["plan"] - first["drawn"]) / count * 1e6
    yield (
        f"{count:9,}: plan {first['plan'] / count * 1e6:4.0f} us, work {each:4.0f} us an item; driver's peak "
        f"{first['peak']:4.0f} MiB; journal {size / count:4.0f} bytes an item, {size / 1e6:6.1f} MB; "
        f"manifest drawn {first['drawings']} times, {first['drawn'] / count * 1e6:.0f} us an item"
    )
    again = in_a_process(scans, output)
    assert (again["done"], again["worked"]) == (count, 0), again
    rate = again["all"] / count * 1e6
    yield f"{count:9,}: second run {again['all']:5.1f} s, {rate:3.0f} us an item; peak {again['peak']:4.0f} MiB"
    shutil.rmtree(output)
    in_a_process(scans, killed, die_after=count // 2)
    rest = in_a_process(scans, killed)
    outputs = sum(len(names) for _, _, names in os.walk(killed) if names and names[0].startswith("scan "))
    assert (rest["done"], outputs) == (count, count), (rest, outputs)
    yield f"{count:9,}: killed after {count // 2:,}, {rest['worked']:,.0f} done by the next run; all {outputs:,} there"
    shutil.rmtree(killed)
    shutil.rmtree(scans)


def main() -> None:
    """Print a table."""
    if sys.argv[1] == "--run":
        one_run(Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
        return
    for count in [int(each) for each in sys.argv[2:]] or _COUNTS:
        for line in told(Path(sys.argv[1]), count):
            print(line, flush=True)


if __name__ == "__main__":
    main()

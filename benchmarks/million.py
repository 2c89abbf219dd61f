"""What a night of very many pictures costs the driver: `python -m benchmarks.million FOLDER [COUNT...]`.

Everything is the program's own but decoding and the net: sources are links of a few small files, and an executor in
this process answers at once, with a link of a finished picture in its place. Plan, schedule, journal, manifest, the
second run and the run that is killed half way and resumed are real. All times are the processor's; what the links cost
is told apart from the driver's work. `TOGETHER=1` in the environment lets answers come one by one.
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
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from itertools import islice
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
from pipeline.run.executors.executor import TOGETHER, Take
from pipeline.run.signals import Stop
from pipeline.run.voice import Begun, Ended, Event, Voice

_LINKS = 50_000  # of one file; ext4 allows 65,000
_FOLDER = 500  # files
_COUNTS = (10_000, 100_000, 1_000_000)
_COLOURED = hashlib.sha256(b"coloured").hexdigest()
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
    """Implements `Executor`: each picture is another one, and finished as soon as it is taken.

    Attributes:
        seconds: of the processor that its own work took.
    """

    def __init__(self, job: Job, together: int = TOGETHER) -> None:
        """Take the job, and how many answers come at a time; ten thousand outputs are links of one file."""
        self._together, self.at_hand, self.seconds = together, 0, 0.0
        self._output, self._tmp, self._made, self._folder = str(job.output), str(job.tmp_dir), 0, ""

    def answers(self, take: Take, stop: Stop) -> Generator[tuple[Unit, Answer]]:
        """See `Executor.answers`."""
        while not stop.requested and (units := list(islice(iter(take, None), self._together))):
            began = time.thread_time()
            answers = deque((unit, self._answer(unit)) for unit in units)
            self.seconds += time.thread_time() - began
            while answers:
                self.at_hand = len(answers) - 1
                yield answers.popleft()

    def _answer(self, unit: Unit) -> Result:
        digest = hashlib.sha256(unit.key.encode()).hexdigest()
        seen = Seen(unit.size, unit.mtime_ns, digest, "neutral", 0.5, 4000, 3000, 8)
        filed = None if unit.verb is Verb.LOOK else self._publish(unit.output)
        return Result(unit.key, Status.DONE, seen=seen, filed=filed, model="stub", engine="stub", seconds=0.001)

    def _publish(self, place: str) -> Filed:
        output, part, link = f"{self._output}/{place}", f"{self._tmp}/{self._made // 10_000}.whole", f"{self._tmp}/link"
        folder = output.rpartition("/")[0]
        if folder != self._folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self._folder = folder
        if self._made % 10_000 == 0:
            Path(part).write_bytes(b"coloured")
        os.link(part, link)
        os.replace(link, output)  # noqa: PTH105 - a `Path` costs more than the call
        self._made += 1
        return Filed(place, 8, _COLOURED, mtime_ns=os.lstat(output).st_mtime_ns)


def one_run(scans: Path, output: Path, die_after: int = 0, tell_each: int = 0) -> None:
    """Run in this process, print what it cost.

    Args:
        scans, output: INPUT and OUTPUT.
        die_after: killed by itself after so many outcomes; 0: never.
        tell_each: after so many outcomes, print what this thread's work has cost until then, in seconds; 0: never.
    """
    began, marks, ended = time.process_time(), dict[str, float](), 0
    made, work_began = list[AtOnce](), 0.0

    def hear(event: Event) -> None:
        nonlocal ended, work_began
        if isinstance(event, Begun):
            marks["plan"] = time.process_time() - began
            work_began = time.thread_time()
        elif isinstance(event, Ended):
            ended += 1
            if ended == die_after:
                os.kill(os.getpid(), signal.SIGKILL)
            if tell_each and ended % tell_each == 0:
                print(time.thread_time() - work_began - made[-1].seconds, flush=True)

    def executor(context: Any, jobs: int, tmp_dir: Path, progress: Any) -> AtOnce:
        made.append(AtOnce(context.job(tmp_dir), int(os.environ.get("TOGETHER", TOGETHER))))
        return made[-1]

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
    cost |= {"drawings": len(drawings), "drawn": sum(drawings), "links": sum(each.seconds for each in made)}
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
    each = (first["all"] - first["plan"] - first["drawn"] - first["links"]) / count * 1e6
    yield (
        f"{count:9,}: plan {first['plan'] / count * 1e6:4.0f} us, work {each:4.0f} us an item "
        f"(and {first['links'] / count * 1e6:.0f} us links); driver's peak "
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
        one_run(Path(sys.argv[2]), Path(sys.argv[3]), *map(int, sys.argv[4:]))
        return
    for count in [int(each) for each in sys.argv[2:]] or _COUNTS:
        for line in told(Path(sys.argv[1]), count):
            print(line, flush=True)


if __name__ == "__main__":
    main()

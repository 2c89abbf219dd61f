"""Does an item cost the driver more where there are a million? `python -m benchmarks.turns FOLDER [COUNT...]`.

As `benchmarks.million`, but the sizes take turns, so that what else is on the machine meets them alike: the run over
the most is stopped after each tenth of its items while those over fewer have theirs. Told is the processor time of the
driver's thread between plan and last manifest, without what the links cost that stand for pictures.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from statistics import median

from benchmarks.million import link_all

_COUNTS = (10_000, 100_000, 1_000_000)
_TURNS = 10


def _begun(scans: Path, output: Path, each: int) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "benchmarks.million", "--run", str(scans), str(output), "0", str(each)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def _heard(run: subprocess.Popen[str]) -> float:
    assert run.stdout is not None
    return float(run.stdout.readline())


def _whole(scans: Path, output: Path, count: int) -> float:
    """Return what an item costs in a run over so many, in microseconds."""
    with _begun(scans, output, count) as run:
        found = _heard(run)
        run.communicate()
    shutil.rmtree(output)
    return found / count * 1e6


def main() -> None:
    """Print what an item costs in each turn, and medians."""
    folder, counts = Path(sys.argv[1]), sorted(map(int, sys.argv[2:])) or list(_COUNTS)
    scans = {count: folder / f"{count}" for count in counts}
    for count, place in scans.items():
        link_all(place, count)
    *few, most = counts
    cost: dict[int, list[float]] = {count: [] for count in counts}
    part = most // _TURNS
    with _begun(scans[most], folder / "colour", part) as run:
        before = 0.0
        for _ in range(_TURNS):
            now = _heard(run)
            os.kill(run.pid, signal.SIGSTOP)
            cost[most].append((now - before) / part * 1e6)
            before = now
            for count in few:
                cost[count].append(_whole(scans[count], folder / f"colour {count}", count))
            print(", ".join(f"{count:,}: {cost[count][-1]:.0f} us" for count in counts), flush=True)
            os.kill(run.pid, signal.SIGCONT)
    least = median(cost[counts[0]])
    for count in counts:
        print(f"{count:9,}: {median(cost[count]):4.0f} us an item, {median(cost[count]) / least - 1:+.1%}", flush=True)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()

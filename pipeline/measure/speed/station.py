"""What runs in processes of its own while speed is measured: one job each, asked over a pipe, timed inside."""

from __future__ import annotations

import importlib
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import wraps
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from pipeline.nets.spec import NetSpec
from pipeline.work import Job, Outcome, Task

# A stage of `work.process` -> the function that does it; the worker looks each of them up when it needs it.
STAGES = {
    "decode": ("pipeline.photo.read", "read"),
    "verdict": ("pipeline.colour.verdict", "judge"),
    "lightness": ("pipeline.colour.lightness", "net_lightness"),
    "net": ("pipeline.nets.net", "LoadedNet.predict"),
    "compose": ("pipeline.colour.compose", "compose"),
    "encode": ("pipeline.photo.write", "encode"),
    "write": ("pipeline.photo.write", "publish"),
}

Work = Callable[[Any], Any]


def serve(connection: Connection, make: Callable[..., Work], arguments: tuple[Any, ...]) -> None:
    """Make the work, say how long that took, then answer what is asked until None comes."""
    try:
        began = time.perf_counter()
        work = make(*arguments)
        connection.send(("ready", time.perf_counter() - began))
        while (question := connection.recv()) is not None:
            connection.send(("answer", work(question)))
    except (EOFError, KeyboardInterrupt):
        return
    except Exception as error:
        connection.send(("fault", f"{type(error).__name__}: {error}"))


def reference(net_path: Path, size: int, threads: int) -> Work:
    """Prepare the tutorial's loop: read, colorize with `cv2.dnn`, write, one picture after another.

    Returns:
        Takes (source, output) pairs, gives seconds for each.
    """
    import cv2
    import numpy as np

    from pipeline.colour.reference import colorize_reference

    cv2.setNumThreads(threads)
    net = cv2.dnn.readNetFromONNX(str(net_path))

    def predict(lightness: Any) -> Any:
        net.setInput(np.ascontiguousarray(lightness)[np.newaxis, np.newaxis])
        return np.asarray(net.forward())[0]

    def loop(pairs: Sequence[tuple[Path, Path]]) -> list[float]:
        seconds = []
        for source, output in pairs:
            began = time.perf_counter()
            picture = cv2.imread(str(source))
            cv2.imwrite(str(output), colorize_reference(picture, predict, size))  # type: ignore[arg-type]
            seconds.append(time.perf_counter() - began)
        return seconds

    return loop


def bare(spec: NetSpec, engine: str, precision: str) -> Work:
    """Prepare a net with nothing around it.

    Returns:
        Takes a number of predictions, gives their seconds.
    """
    from pipeline.nets.engines.open import open_net
    from pipeline.nets.engines.samples import sample_lightness

    net = open_net(spec, engine, precision)
    lightness = sample_lightness(spec.input_size, 1)[0]

    def loop(count: int) -> float:
        began = time.perf_counter()
        for _ in range(count):
            net.predict(lightness)
        return time.perf_counter() - began

    return loop


def worker(job: Job) -> Work:
    """Prepare this process as a worker of a run, with a clock on every stage.

    Returns:
        Takes tasks, gives a table: seconds of each task, median seconds of each stage (the first task left out),
        and the memory of this process.
    """
    from pipeline import work

    spent: dict[str, float] = {}
    for stage, place in STAGES.items():
        _put_clock(stage, place, spent)
    work.prepare(job)

    def loop(tasks: Sequence[Task]) -> dict[str, Any]:
        rows: list[dict[str, float]] = []
        for task in tasks:
            spent.clear()
            began = time.perf_counter()
            outcome: Outcome = work.process(task)
            total = time.perf_counter() - began
            if outcome.status != "done":
                raise RuntimeError(str(outcome.halt or outcome.reason))
            rows.append({**spent, "other": total - sum(spent.values()), "total": total})
        steady = rows[1:] or rows
        stages = {name: statistics.median(row.get(name, 0.0) for row in steady) for name in (*STAGES, "other")}
        return {"seconds": [row["total"] for row in rows], "stages": stages, "memory": memory()}

    return loop


def _put_clock(stage: str, place: tuple[str, str], spent: dict[str, float]) -> None:
    module, name = place
    owner: Any = importlib.import_module(module)
    *path, last = name.split(".")
    for part in path:
        owner = getattr(owner, part)
    timed = getattr(owner, last)

    @wraps(timed)
    def clocked(*arguments: Any, **options: Any) -> Any:
        began = time.perf_counter()
        try:
            return timed(*arguments, **options)
        finally:
            spent[stage] = spent.get(stage, 0.0) + time.perf_counter() - began

    setattr(owner, last, clocked)


def compare(spec: NetSpec, engine: str, precision: str) -> Work:
    """Prepare the reference in OpenCV and the production path in an engine, on the same net.

    Returns:
        Takes a picture's path, gives the largest difference in levels, the share of samples within one level, and the
        mean difference.
    """
    import cv2
    import numpy as np

    from pipeline.colour.compose import compose
    from pipeline.colour.lightness import net_lightness
    from pipeline.colour.reference import LIGHTNESS_CENTRE, colorize_reference
    from pipeline.nets.engines.open import open_net
    from pipeline.photo.read import read

    net = open_net(spec, engine, precision)
    truth = open_net(spec, "opencv", "float32")

    def predict(lightness: Any) -> Any:
        return truth.predict(lightness + np.float32(LIGHTNESS_CENTRE)).transpose(2, 0, 1)

    def differ(path: Path) -> dict[str, float]:
        picture = read(path, max_megapixels=1000).pixels
        ours = compose(picture, net.predict(net_lightness(picture, spec.input_size)))
        difference = cv2.absdiff(ours, colorize_reference(picture, predict, spec.input_size))
        return {
            "most": float(difference.max()),
            "within_one": float(np.count_nonzero(difference <= 1) / difference.size),
            "mean": float(difference.mean()),
        }

    return differ


def memory() -> dict[str, int | None]:
    """Return this process' peak resident memory and its present anonymous memory, in bytes (None where unknown)."""
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    anonymous = None
    for path, key in ((f"/proc/{os.getpid()}/smaps_rollup", "Anonymous:"), (f"/proc/{os.getpid()}/status", "VmHWM:")):
        try:
            lines = Path(path).read_text(encoding="ascii").splitlines()
        except OSError:
            continue
        found = [int(line.split()[1]) * 1024 for line in lines if line.startswith(key)]
        if key == "VmHWM:":
            # ru_maxrss survives fork and exec: it can be the parent's.
            peak = found[0] if found else peak
        else:
            anonymous = found[0] if found else None
    return {"peak": peak, "anonymous": anonymous}

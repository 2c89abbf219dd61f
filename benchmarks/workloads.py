"""What runs in processes of its own beside the reference: a net alone, one worker under a clock, a comparison."""

from __future__ import annotations

import importlib
import statistics
import time
from collections.abc import Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.contender import check
from benchmarks.memory import memory
from benchmarks.process import Work
from pipeline.colour.recipe import Look, colorize
from pipeline.colour.reference import LIGHTNESS_CENTRE, colorize_reference
from pipeline.ground.items import Unit
from pipeline.ground.pixels import eight_bits
from pipeline.media.medium import Job
from pipeline.media.photo.read import read
from pipeline.nets.engine import Engine
from pipeline.nets.engines.choice import REFERENCE
from pipeline.nets.engines.open import open_net
from pipeline.nets.engines.samples import sample_lightness
from pipeline.nets.spec import NetSpec
from pipeline.run.worker import Worker

# A stage of `Stills.make` -> the name by which it is called there.
STAGES = {
    "decode": ("pipeline.media.stills", "read"),
    "verdict": ("pipeline.media.stills", "judge"),
    "lightness": ("pipeline.colour.recipe", "net_lightness"),
    "net": ("pipeline.nets.net", "LoadedNet.guess"),
    "chroma": ("pipeline.media.develop", "planes"),
    "encode": ("pipeline.media.develop", "colour"),
    "write": ("pipeline.ground.files", "publish"),
}


def net_alone(net: NetSpec, engine: Engine) -> Work:
    """Prepare a net with nothing around it.

    Returns:
        Takes a number of predictions, gives their seconds together.
    """
    loaded = open_net(net, engine)
    lightness = sample_lightness(net.input_size, 1)[0]

    def predict(count: int) -> float:
        began = time.perf_counter()
        for _ in range(count):
            loaded.predict(lightness)
        return time.perf_counter() - began

    return predict


def worker_alone(job: Job) -> Work:
    """Prepare a worker of a run, with a clock on every stage.

    Returns:
        Takes units, gives a table: seconds of each unit, median seconds of each stage (the first unit left out), and
        the memory of this process in bytes.
    """
    spent: dict[str, float] = {}
    for stage, place in STAGES.items():
        _put_clock(stage, *place, spent)
    worker = Worker(job)

    def do(unit: Unit) -> dict[str, float]:
        spent.clear()
        began = time.perf_counter()
        check(worker.do(unit))
        total = time.perf_counter() - began
        return {**spent, "other": total - sum(spent.values()), "total": total}

    def answer(units: Sequence[Unit]) -> dict[str, Any]:
        rows = [do(unit) for unit in units]
        steady = rows[1:] or rows
        stages = {name: statistics.median(row.get(name, 0.0) for row in steady) for name in (*STAGES, "other")}
        return {"seconds": [row["total"] for row in rows], "stages": stages, "memory": memory()}

    return answer


def _put_clock(stage: str, module: str, name: str, spent: dict[str, float]) -> None:
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


def difference(net: NetSpec, engine: Engine) -> Work:
    """Prepare the recipe in an engine, and the tutorial's steps on the same net in OpenCV.

    Returns:
        Takes a picture's path, gives the largest difference in levels, the share of samples within one level, and the
        mean difference.
    """
    ours, truth = open_net(net, engine), open_net(net, REFERENCE)

    def predict(lightness: Any) -> Any:
        return truth.predict(lightness + np.float32(LIGHTNESS_CENTRE)).transpose(2, 0, 1)

    def differ(path: Path) -> dict[str, float]:
        pixels = eight_bits(read(path, max_megapixels=2000).pixels)
        reference = colorize_reference(pixels, predict, net.input_size)
        levels = cv2.absdiff(colorize(pixels, ours, Look(lightness="lab")), reference)
        return {
            "most": float(levels.max()),
            "within_one": float(np.count_nonzero(levels <= 1) / levels.size),
            "mean": float(levels.mean()),
        }

    return differ

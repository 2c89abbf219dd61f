"""One engine tried on made-up pictures in a process of its own (`python -m pipeline.nets.engines.trial`).

A wheel built for another processor dies with an illegal instruction, and an engine brings threads and memory along:
neither is to happen in the process that drives a run. The question comes pickled on standard input from
`pipeline.nets.engines.choice`, the answer goes pickled to standard output.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.ground.errors import ColorizeError
from pipeline.nets.engine import Engine
from pipeline.nets.engines.open import open_net
from pipeline.nets.engines.samples import sample_lightness
from pipeline.nets.spec import NetSpec

_SECONDS = 0.3  # a net of the release's size answers the three pictures once, a small one more often
_TIME_LIMIT = 900.0


@dataclass(frozen=True, slots=True)
class Measured:
    """What an engine answered.

    Attributes:
        ab: float32 (pictures, h, w, 2), Lab units, or 3 with the spread behind them; None where it failed.
        milliseconds: of the fastest prediction, one thread.
        fault: why it failed, or empty.
    """

    ab: NDArray[np.float32] | None
    milliseconds: float
    fault: str = ""


def measure(spec: NetSpec, engine: Engine, cache_dir: Path) -> Measured:
    """Let an engine predict some made-up pictures in another process; it never raises for what the engine does."""
    root = str(Path(__file__).resolve().parents[3])
    path = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH", "")) if part)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pipeline.nets.engines.trial"],
            input=pickle.dumps((spec, engine, cache_dir)),
            capture_output=True,
            timeout=_TIME_LIMIT,
            env={**os.environ, "PYTHONPATH": path},
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Measured(None, 0.0, f"no answer within {_TIME_LIMIT:.0f} seconds")
    if done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        return Measured(None, 0.0, f"its process ended with {done.returncode}{': ' + last if last else ''}")
    answer: Measured = pickle.loads(done.stdout)
    return answer


def _try(spec: NetSpec, engine: Engine, cache_dir: Path) -> Measured:
    try:
        net = open_net(spec, engine, cache_dir=cache_dir)
        pictures = sample_lightness(spec.input_size)
        fastest, began = float("inf"), time.perf_counter()
        while True:
            answers: list[NDArray[np.float32]] = []
            for picture in pictures:
                start = time.perf_counter()
                guess = net.guess(picture)
                answers.append(guess.ab if guess.spread is None else np.dstack((guess.ab, guess.spread)))
                fastest = min(fastest, time.perf_counter() - start)
            if time.perf_counter() - began > _SECONDS:
                return Measured(np.stack(answers), fastest * 1000)
    except ColorizeError as error:
        return Measured(None, 0.0, str(error))


if __name__ == "__main__":
    channel = os.dup(1)
    os.dup2(2, 1)  # what an engine prints must not get between the answer's bytes
    # Under the name by which the asking process knows this module, or its answer could not be unpickled there.
    from pipeline.nets.engines import trial

    result = trial._try(*pickle.loads(sys.stdin.buffer.read()))
    with os.fdopen(channel, "wb") as out:
        out.write(pickle.dumps(result))

"""What a worker process does with one item, and what it reports back.

`prepare` runs once in each worker, `process` once for each item; both run unchanged in the driver under the serial
executor. Heavy imports (OpenCV, the engine) happen in `prepare`'s process only.
"""

from __future__ import annotations

import hashlib
import os
import signal
import stat
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import ColorizeError, ModelError, OutputError, PhotoError
from pipeline.settings import Settings

if TYPE_CHECKING:
    from pipeline.nets.net import Net
    from pipeline.nets.spec import NetSpec

# Tests put a part of a file name here: a worker that meets it kills itself, as a decoder's segmentation fault would.
POISON_VARIABLE = "COLORIZE_TEST_POISON"


@dataclass(frozen=True, slots=True)
class Task:
    """One item on its way to a worker: a few hundred bytes, never pixels.

    Attributes:
        key: the item's key in the journal (its `source` in the manifest).
        source: the original, opened read-only.
        output: where a colorized picture goes (absolute).
        copy_output: where a byte-for-byte copy goes: the same name with the source's own suffix.
    """

    key: str
    source: Path
    output: Path
    copy_output: Path


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one item; the driver writes it into the journal.

    Attributes:
        key: the task's key.
        status: done, copied, skipped, unsupported, failed, crashed or vanished.
        reason: a phrase for a person; empty when all went well.
        output: absolute path of what was written, or None.
        verdict: neutral, toned or color; empty when the picture was never read.
        chroma: mean chroma of the source in Lab units.
        width, height: of the upright picture, in pixels; 0 when unknown.
        bits: per sample, of the source.
        model, engine: the net's name and e.g. "opencv/float32"; empty when no net ran.
        seconds: time in the worker.
        source_size, source_mtime_ns: as the worker found the source.
        output_size: bytes of the output.
        halt: set when no further item can succeed either (the disk is full, the net is gone): the run ends with it.
    """

    key: str
    status: str
    reason: str = ""
    output: Path | None = None
    verdict: str = ""
    chroma: float | None = None
    width: int = 0
    height: int = 0
    bits: int = 0
    frames: int = 0
    model: str = ""
    engine: str = ""
    seconds: float = 0.0
    source_size: int = 0
    source_mtime_ns: int = 0
    source_sha256: str = ""
    output_size: int = 0
    output_sha256: str = ""
    metadata: str = ""
    halt: ColorizeError | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker needs to know for all items of a run; sent once.

    Attributes:
        settings: the run's settings, `engine` and `precision` already resolved.
        net: what the driver found `settings.model` to be, hash checked.
        tmp_dir: `OUTPUT/.colorize/tmp/<run id>`; removed by the next run, so that an orphan cannot publish any more.
        driver_pid: workers stop when this process is gone.
    """

    settings: Settings
    net: NetSpec
    tmp_dir: Path
    driver_pid: int


_job: Job | None = None
_net: Net | None = None
_refusal: ColorizeError | None = None


def prepare(job: Job) -> None:
    """Make this process ready: load and warm up the net, and see to it that the process dies with its driver.

    Never raises: an initializer that does breaks the pool without a word. The first item reports the reason instead.
    """
    global _job, _net, _refusal
    if os.getpid() != job.driver_pid:
        # Ctrl-C, systemd and a closed terminal reach the whole group; the driver alone decides when a worker stops.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if hasattr(signal, "SIGHUP"):
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        threading.Thread(target=_die_with_driver, args=(job.driver_pid,), daemon=True).start()
    try:
        _job, _net, _refusal = job, _load(job), None
    except ColorizeError as error:
        _refusal = error
    except Exception as error:
        _refusal = ModelError(f"The net cannot be loaded in a worker: {type(error).__name__}: {error}.")


def _load(job: Job) -> Net:
    import cv2

    from pipeline.nets.open import open_net

    cv2.setNumThreads(1)
    return open_net(job.net, engine=job.settings.engine, precision=job.settings.precision)


def _die_with_driver(driver_pid: int) -> None:
    # An orphan would go on writing beside the next run; a killed driver cannot tell it to stop.
    while os.getppid() == driver_pid:
        time.sleep(0.2)
    os._exit(1)


def process(task: Task) -> Outcome:
    """Colorize (or copy) one item; whatever goes wrong with it becomes its Outcome, never an exception."""
    if _job is None or _net is None:
        return Outcome(task.key, "failed", halt=_refusal or ColorizeError("prepare() must run first in this process."))
    if (poison := os.environ.get(POISON_VARIABLE)) and poison in task.source.name:
        os.kill(os.getpid(), signal.SIGKILL)
    began = time.perf_counter()
    before = Outcome(task.key, "failed")
    try:
        found = task.source.stat()
        before = replace(before, source_size=found.st_size, source_mtime_ns=found.st_mtime_ns)
        if not stat.S_ISREG(found.st_mode):  # opening a named pipe would wait for ever
            raise PhotoError("no longer a file: something else has taken its name")
        outcome = _colorize(task, before, _job, _net)
    except FileNotFoundError:
        outcome = Outcome(task.key, "vanished", reason="the file was found, then gone")
    except PhotoError as error:
        outcome = replace(before, reason=str(error))
    except PermissionError:
        outcome = replace(before, reason="no permission to read the file")
    except MemoryError:
        outcome = replace(before, reason="not enough memory for a picture of this size; try fewer --jobs")
    except OutputError as error:
        outcome = replace(before, reason=str(error), halt=error)
    except OSError as error:
        outcome = replace(before, reason=f"reading failed: {error.strerror or error}")
    except Exception as error:
        outcome = replace(before, reason=f"a fault of the program: {type(error).__name__}: {error}")
    return replace(outcome, seconds=round(time.perf_counter() - began, 4))


def _colorize(task: Task, before: Outcome, job: Job, net: Net) -> Outcome:
    from pipeline.colour.compose import compose
    from pipeline.colour.lightness import net_lightness
    from pipeline.colour.verdict import judge
    from pipeline.photo.read import read
    from pipeline.photo.write import copy_bytes, encode, publish

    settings = job.settings
    photo = read(task.source, max_megapixels=settings.max_megapixels)
    verdict = judge(photo.pixels)
    seen = replace(
        before,
        verdict=verdict.kind,
        chroma=round(verdict.chroma, 2),
        width=photo.width,
        height=photo.height,
        bits=photo.bits,
        source_sha256=_sha256(task.source),
    )
    if verdict.kind == "color" and settings.on_color != "recolor":
        if settings.on_color == "skip":
            return replace(seen, status="skipped", reason="already in colour")
        size, digest = copy_bytes(task.source, task.copy_output, job.tmp_dir)
        return replace(
            seen,
            status="copied",
            reason="already in colour",
            output=task.copy_output,
            output_size=size,
            output_sha256=digest,
        )
    ab = net.predict(net_lightness(photo.pixels, net.spec.input_size))
    pixels = compose(photo.pixels, ab, saturation=settings.saturation, upsample=settings.upsample, gamut=settings.gamut)
    data = encode(pixels, settings.format, settings.quality, photo.alpha)
    size, digest = publish(data, task.output, job.tmp_dir)
    return replace(
        seen,
        status="done",
        reason=photo.note,
        output=task.output,
        output_size=size,
        output_sha256=digest,
        model=net.spec.name,
        engine=net.label,
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""What a worker process does with one item, and what it reports back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.settings import Settings


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


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker needs to know for all items of a run; sent once.

    Attributes:
        settings: the run's settings, `engine` and `precision` already resolved.
        tmp_dir: `OUTPUT/.colorize/tmp/<run id>`; removed by the next run, so that an orphan cannot publish any more.
        driver_pid: workers stop when this process is gone.
    """

    settings: Settings
    tmp_dir: Path
    driver_pid: int

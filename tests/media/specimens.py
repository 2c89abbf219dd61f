"""An item of every kind there is a medium for, and a net that costs nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from pipeline.ground.items import Answer, Halt, Kind, Part, Result, Status, Unit, Verb
from pipeline.ground.settings import Settings
from pipeline.media.medium import Job
from pipeline.media.photo.read import read
from pipeline.media.table import WORKABLE, first_verb, suffix
from pipeline.nets.engine import Engine
from pipeline.nets.spec import Answer as Predicted
from pipeline.nets.spec import Feed, NetSpec
from pipeline.run.assembly import Assembly
from pipeline.run.worker import Worker
from tests.conftest import in_colour, landscape, write_tiff

SPEC = NetSpec("painted", Path("painted.onnx"), "00", 8, Feed(), Predicted(), ())
ENGINE = Engine("opencv", "float32")


@dataclass
class Painted:
    """A net that sees red; `fails` are raised by its next predictions."""

    spec: NetSpec = SPEC
    engine: Engine = ENGINE
    fails: list[Exception] = field(default_factory=list)
    asked: int = 0

    def predict(self, lightness: np.ndarray) -> np.ndarray:
        self.asked += 1
        if self.fails:
            raise self.fails.pop(0)
        return np.broadcast_to(np.float32([30, 20]), (2, 2, 2)).copy()


def photograph(folder: Path, colour: bool) -> Path:
    path = folder / "photograph.png"
    cv2.imwrite(str(path), in_colour() if colour else landscape(1))
    return path


def letter(folder: Path, colour: bool) -> Path:
    pages = [in_colour()[:, :, ::-1] if colour else landscape(seed) for seed in range(3)]
    return write_tiff(folder / "letter.tif", *pages, compression="tiff_adobe_deflate")


def reel(folder: Path, colour: bool) -> Path:
    from tests.film.clips import scenes, write_clip

    frames = [in_colour() for _ in range(6)] if colour else scenes(6, 80, 60)
    return write_clip(folder / "reel.mkv", frames, codec="ffv1", pix_fmt="yuv444p")


# A medium for a new kind brings its specimen along: (folder, whether it is in colour) -> the file.
SPECIMENS: dict[Kind, Callable[[Path, bool], Path]] = {
    kind: specimen
    for kind, specimen in {Kind.PHOTO: photograph, Kind.PAGES: letter, Kind.FILM: reel}.items()
    if kind in WORKABLE
}


def shown(kind: Kind, path: Path) -> np.ndarray:
    """The first picture of an output, (H, W, 3) uint8 BGR."""
    if kind is not Kind.FILM:
        return read(path, max_megapixels=1).pixels
    from tests.film.clips import pictures

    return pictures(path)[0].to_ndarray(format="bgr24")


def job(output: Path, settings: Settings) -> Job:
    tmp_dir = output / ".colorize" / "tmp" / "run"
    tmp_dir.mkdir(parents=True, exist_ok=True)
    return Job(settings, SPEC, ENGINE, output, tmp_dir)


def first_unit(source: Path, kind: Kind, settings: Settings) -> Unit:
    found = source.stat() if source.exists() else None
    return Unit(
        verb=first_verb(kind, settings),
        key=source.name,
        kind=kind,
        source=source,
        output=f"made/{source.stem}{suffix(kind, source.suffix, settings)}",
        copy_output=f"made/{source.name}",
        size=found.st_size if found else 0,
        mtime_ns=found.st_mtime_ns if found else 0,
        parts_place=".colorize/parts/item",
    )


def whole(worker: Worker, first: Unit, order: Callable[[list[Unit]], list[Unit]] = lambda units: units) -> Answer:
    """Do all units of an item, one after another; the answer that ends it."""
    answer = worker.do(first)
    if isinstance(answer, Halt) or answer.status is not Status.DONE or first.verb is Verb.MAKE:
        return answer
    assembly = Assembly(first, answer.spans, seconds=answer.seconds)
    units = order(assembly.units())
    while units:
        unit = units.pop(0)
        answer = worker.do(unit)
        if isinstance(answer, Halt) or unit.verb is Verb.JOIN or answer.filed is None or unit.span is None:
            return assembly.finished(answer) if isinstance(answer, Result) and unit.verb is Verb.JOIN else answer
        units += assembly.add(Part(unit.span, answer.status, answer.filed, answer.seen, answer.seconds))
    raise AssertionError("no unit ended the item")

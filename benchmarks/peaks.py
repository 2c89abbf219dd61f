"""The peak of a worker's memory, measured: pictures of many kinds, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from benchmarks.memory import memory
from benchmarks.pictures import add_grain, sides
from pipeline.media.photo.memory import peak
from pipeline.media.photo.read import read
from pipeline.media.photo.write import FORMATS
from pipeline.nets.engines.samples import sample_lightness

Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True, slots=True)
class Peak:
    """What a picture took.

    Attributes:
        kind: of the picture.
        megapixels: its size.
        measured: bytes at the peak, beyond those of an idle worker.
        idle: of the worker before it.
        estimated: what `pipeline.media.photo.memory` says.
        seconds: in the worker.
    """

    kind: str
    megapixels: float
    measured: int
    idle: int
    estimated: int
    seconds: float
    status: str = "done"


def grey(megapixels: float) -> NDArray[np.uint8]:
    """Return a made-up scan of so many million pixels, with grain."""
    levels = (sample_lightness(512, 1)[0] * np.float32(2.55)).astype(np.uint8)
    picture: Any = cv2.resize(levels, sides(megapixels), interpolation=cv2.INTER_CUBIC)
    add_grain(picture, np.random.default_rng(1))
    made: NDArray[np.uint8] = picture
    return made


def _toned(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    made = np.empty((*picture.shape, 3), np.uint8)
    for channel, factor in enumerate((200, 225, 255)):
        made[:, :, channel] = cv2.convertScaleAbs(picture, alpha=factor / 255)
    return made


def _deep(picture: NDArray[np.uint8]) -> NDArray[np.uint16]:
    return picture.astype(np.uint16) * np.uint16(257)


def _with_alpha(picture: NDArray[Any]) -> NDArray[Any]:
    made = np.empty((*picture.shape, 4), picture.dtype)
    made[:, :, :3] = picture[:, :, np.newaxis]
    made[:, :, 3] = np.iinfo(picture.dtype).max // 2
    return made


def _cv(suffix: str, *parameters: int) -> Callable[[Path, NDArray[Any]], None]:
    def write(path: Path, picture: NDArray[Any]) -> None:
        cv2.imwrite(str(path.with_suffix(suffix)), picture, parameters)
        path.with_suffix(suffix).rename(path)

    return write


def _pillow(format: str, **how: Any) -> Callable[[Path, NDArray[Any]], None]:
    def write(path: Path, picture: NDArray[Any]) -> None:
        image = Image.fromarray(picture[:, :, ::-1].copy() if picture.ndim == 3 else picture)
        image = image.convert(how.pop("mode")) if "mode" in how else image
        image.save(path, format, **how)

    return write


def _same(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return picture


def _float(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    return picture.astype(np.float32) / np.float32(255)


_PROGRESSIVE: Final = (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
_PLAIN: Final = (cv2.IMWRITE_TIFF_COMPRESSION, 1)
# Name, suffix, what becomes of the grey picture, who writes it.
KINDS: Final[dict[str, tuple[str, Callable[..., Any], Callable[[Path, NDArray[Any]], None]]]] = {
    "JPEG grey": (".jpg", _same, _cv(".jpg")),
    "JPEG grey progressive": (".jpg", _same, _cv(".jpg", *_PROGRESSIVE)),
    "JPEG colour": (".jpg", _toned, _cv(".jpg")),
    "PNG grey 8": (".png", _same, _cv(".png")),
    "PNG grey 16": (".png", _deep, _cv(".png")),
    "PNG grey 1": (".png", _same, _pillow("PNG", mode="1")),
    "PNG RGB 8": (".png", _toned, _cv(".png")),
    "PNG RGBA 8": (".png", _with_alpha, _cv(".png")),
    "PNG RGBA 16": (".png", lambda picture: _with_alpha(_deep(picture)), _cv(".png")),
    "PNG palette": (".png", _same, _pillow("PNG", mode="P")),
    "TIFF grey 8": (".tif", _same, _cv(".tif", *_PLAIN)),
    "TIFF grey 8 LZW": (".tif", _same, _cv(".tif")),
    "TIFF grey 8 Deflate": (".tif", _same, _pillow("TIFF", compression="tiff_adobe_deflate")),
    "TIFF grey 16": (".tif", _deep, _cv(".tif", *_PLAIN)),
    "TIFF RGB 8": (".tif", _toned, _cv(".tif", *_PLAIN)),
    "TIFF RGB 16": (".tif", lambda picture: _toned(picture).astype(np.uint16) * np.uint16(257), _cv(".tif", *_PLAIN)),
    "TIFF float": (".tif", _float, _pillow("TIFF")),
    "TIFF one strip": (".tif", _same, _pillow("TIFF", tiffinfo={TiffImagePlugin.ROWSPERSTRIP: 1 << 20})),
    "WebP lossy": (".webp", _toned, _pillow("WEBP", method=0)),
    "WebP lossless": (".webp", _toned, _pillow("WEBP", lossless=True, method=0, quality=0)),
    "JPEG 2000 grey": (".jp2", _same, _pillow("JPEG2000")),
    "BMP grey": (".bmp", _same, _cv(".bmp")),
    "GIF": (".gif", _same, _pillow("GIF")),
}
_LARGEST: Final = {"WebP lossy": 120.0, "WebP lossless": 120.0}


def write_kind(folder: Path, kind: str, megapixels: float) -> Path:
    """Write a picture of a kind."""
    suffix, shaped, write = KINDS[kind]
    path = folder / f"picture{suffix}"
    write(path, shaped(grey(megapixels)))
    return path


def measure(kind: str, megapixels: float, *arguments: str) -> Peak:
    """Make a picture of a kind and measure what a worker takes for it, in processes of their own."""
    megapixels = min(megapixels, _LARGEST.get(kind, megapixels))
    with tempfile.TemporaryDirectory() as folder:
        made = [sys.executable, "-c", _MAKE, kind, str(megapixels), folder]
        path = subprocess.run(made, check=True, capture_output=True, text=True).stdout.strip()
        return measure_file(Path(path), kind, megapixels, *arguments)


def measure_file(path: Path, kind: str, megapixels: float, *arguments: str) -> Peak:
    """Measure what a worker takes for a picture that is there."""
    told = subprocess.run(
        [sys.executable, "-m", "benchmarks.peaks", str(path), *arguments], check=True, capture_output=True, text=True
    )
    return Peak(kind, megapixels, **json.loads(told.stdout.splitlines()[-1]))


_MAKE: Final = (
    "import sys; from pathlib import Path; from benchmarks.peaks import write_kind; "
    "print(write_kind(Path(sys.argv[3]), sys.argv[1], float(sys.argv[2])))"
)


def _one(path: Path) -> dict[str, Any]:
    from pipeline.ground.items import Kind, Result
    from pipeline.ground.settings import Settings
    from pipeline.media.medium import Job
    from pipeline.media.table import suffix
    from pipeline.run.engine import settle
    from pipeline.run.worker import Worker

    settings = Settings(engine="opencv", precision="float32", on_color="recolor", max_megapixels=2000)
    net, choice = settle(settings)
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder)
        tmp = output / ".colorize" / "tmp" / "run"
        tmp.mkdir(parents=True)
        worker = Worker(Job(settings, net, choice.engine, output, tmp))
        with tempfile.TemporaryDirectory() as small:
            worker.do(_unit(write_kind(Path(small), "JPEG grey", 0.3), "warm.jpg"))
        _forget_peak()
        idle = memory()["peak"] or 0
        name = f"made{suffix(Kind.PHOTO, path.suffix, settings)}"
        answer = worker.do(_unit(path, name))
        assert isinstance(answer, Result), answer
        most = memory()["peak"] or 0
    said = f"{answer.status}: {answer.reason}; {answer.metadata}"
    estimated = _estimate(path, Path(name).suffix)
    return {"measured": most - idle, "idle": idle, "estimated": estimated, "seconds": answer.seconds, "status": said}


def _estimate(path: Path, suffix: str) -> int:
    told = list[int]()
    read(path, max_megapixels=2000, room=lambda shape: told.append(peak(shape, FORMATS[suffix])))
    return max(told)  # of the file alone first, then of the picture


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _unit(source: Path, name: str) -> Any:
    from pipeline.ground.items import Kind, Unit, Verb

    return Unit(Verb.MAKE, source.name, Kind.PHOTO, source, name, name)


if __name__ == "__main__":
    print(json.dumps(_one(Path(sys.argv[1]))))

"""What tests of several rooms share: a small archive, and the command line as a user calls it."""

from __future__ import annotations

import csv
import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path

import cv2
import hypothesis
import numpy as np
import pytest
from PIL import Image, ImageSequence, TiffImagePlugin

from pipeline.archive.journal import Journal
from pipeline.archive.row import Row
from pipeline.ground.settings import Settings
from tests import warm

# How fast examples come says something of the machine, nothing of the program.
hypothesis.settings.register_profile(
    "busy machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("busy machine")

_OWN = tempfile.TemporaryDirectory(prefix="colorize-tests-")
_CACHE = Path(_OWN.name) / "cache"
TINY = str(Path(_OWN.name) / "tiny.onnx")  # where the fixture `tiny_net` is asked for
os.environ["XDG_CACHE_HOME"] = str(_CACHE)  # never the user's own
if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):  # else each of a thousand processes would compile the program anew
    os.environ["PYTHONPYCACHEPREFIX"] = str(Path(_OWN.name) / "bytecode")

Colorize = Callable[..., subprocess.CompletedProcess[str]]
ENTRY = [sys.executable, "-c", "from pipeline.cli.main import main; main()"]
CHECKOUT = Path(__file__).resolve().parent.parent


# One process and one engine: a run under these is quick to begin, and gives the same bytes everywhere.
SETTINGS = Settings(engine="opencv", precision="float32", executor="serial")
TINY_SETTINGS = replace(
    SETTINGS, model=TINY
)  # where nothing hangs on the colours; the fixture `tiny_net` makes the net


def landscape(seed: int, height: int = 60, width: int = 80) -> np.ndarray:
    """A made-up grey photograph (height, width) uint8: sky, hills, grain."""
    random = np.random.default_rng(seed)
    x = np.linspace(0, 6, width)
    horizon = height * (0.5 + 0.1 * np.sin(x + seed) + 0.05 * np.sin(3.1 * x + 2 * seed))
    rows = np.arange(height)[:, None]
    picture = np.where(rows < horizon, 200 - rows * 40 / height, 90 + 30 * np.sin(rows / 5 + x))
    return np.clip(picture + random.normal(0, 6, picture.shape), 0, 255).astype(np.uint8)


def coat(height: int = 240, width: int = 320) -> np.ndarray:
    """A dark coat (columns 0.35..0.65, from row 0.3 down) before a light wall: uint8, with a little grain."""
    picture = np.full((height, width), 170, np.uint8)
    picture[int(0.3 * height) :, int(0.35 * width) : int(0.65 * width)] = 90
    grain = np.random.default_rng(5).normal(0, 1.5, picture.shape)
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


def write_archive(folder: Path, count: int) -> list[Path]:
    """Write `count` grey JPEGs into nested folders and return their paths."""
    paths = []
    for number in range(count):
        path = folder / f"box {number % 7}" / f"picture {number:03d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(".jpg", landscape(number))[1].tobytes())
        paths.append(path)
    return paths


def write_tiff(path: Path, *pages: np.ndarray, tags: Sequence[dict[int, object]] = (), **options: object) -> Path:
    """Write a TIFF of these pages, grey or RGB or bool; `tags` of each where it has any, `options` as Pillow's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with TiffImagePlugin.AppendingTiffWriter(str(path), True) as file:
        for pixels, extra in zip(pages, [*tags, *[{}] * len(pages)], strict=False):
            Image.fromarray(pixels).save(file, "TIFF", tiffinfo=dict(extra), **options)
            file.newFrame()
    return path


def pages_of(path: Path) -> list[np.ndarray]:
    """Decode every page of a TIFF, as Pillow has them."""
    with Image.open(path) as image:
        return [np.asarray(frame.copy()) for frame in ImageSequence.Iterator(image)]


def manifest(output: Path) -> dict[str, dict[str, str]]:
    """The rows of OUTPUT's manifest by source."""
    return manifest_of((output / "manifest.csv").read_bytes().decode())


def manifest_of(text: str) -> dict[str, dict[str, str]]:
    """The rows of a manifest by source."""
    lines = list(csv.DictReader(StringIO(text, newline=""), strict=True))
    found = {row["source"]: row for row in lines}
    assert len(found) == len(lines), "a source stands there twice"
    return found


def rows(output: Path) -> dict[str, Row]:
    """The rows of OUTPUT's journal by key."""
    with Journal(output, read_only=True) as journal:
        return {row.key: row for row in journal.rows()}


def row(output: Path, key: str) -> Row:
    """One row of OUTPUT's journal."""
    return rows(output)[key]


def sha256(path: Path) -> str:
    """The hash of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def in_colour(height: int = 60, width: int = 80) -> np.ndarray:
    """All hues side by side (height, width, 3) uint8 BGR: nobody takes it for black and white."""
    hue = np.tile(np.linspace(0, 179, width).astype(np.uint8), (height, 1))
    return cv2.cvtColor(cv2.merge((hue, *[np.full_like(hue, 200)] * 2)), cv2.COLOR_HSV2BGR)


def environment(**extra: str) -> dict[str, str]:
    """This process's environment without settings of the user's, and with the checkout importable."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("COLORIZE_")}
    return clean | {"PYTHONPATH": str(CHECKOUT), "NO_COLOR": "1"} | extra


@pytest.fixture(scope="session")
def user_cache() -> Path:
    """The cache folder of all calls of a test session, where no test has one of its own."""
    return _CACHE


@pytest.fixture(scope="session")
def tiny_net() -> Path:
    """A net of the release's topology, so small that a picture takes it milliseconds: what `TINY` names."""
    pytest.importorskip("onnx", reason="makes a tiny net; extra: import")
    from pipeline.nets.convert.release_topology import write_release_onnx

    write_release_onnx(Path(TINY), width=0.0625, size=32)
    return Path(TINY)


@pytest.fixture(scope="session")
def program() -> Iterator[warm.Program]:
    """The command line, to be called in processes of their own."""
    with warm.program(ENTRY, environment(), CHECKOUT) as found:
        yield found


@pytest.fixture
def colorize(user_cache: Path, program: warm.Program) -> Colorize:
    """Call the command line in a process of its own."""

    def call(*arguments: object, timeout: float = 120, **extra: str) -> subprocess.CompletedProcess[str]:
        known = environment(XDG_CACHE_HOME=str(user_cache), **extra)
        return warm.as_text(program.call(arguments, env=known, timeout=timeout))

    return call

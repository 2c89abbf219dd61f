"""A disk that is lost at any call of any reader is no lasting verdict on a picture: the next run makes it after all.

`shim.c` makes the system's own calls fail, below Python, Pillow, OpenCV, libtiff and FFmpeg alike.
"""

from __future__ import annotations

import errno
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import environment
from tests.faults.sources import FILMS, STILLS, write

COMPILER = shutil.which("cc")
pytestmark = pytest.mark.skipif(not COMPILER or sys.platform != "linux", reason="the faults are made in C, for Linux")

Sweep = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shim") / "shim.so"
    source = Path(__file__).with_name("shim.c")
    subprocess.run([str(COMPILER), "-shared", "-fPIC", "-O1", "-o", path, source, "-ldl"], check=True)
    return path


@pytest.fixture
def sweep(shim: Path, tiny_net: Path, user_cache: Path, tmp_path: Path) -> Sweep:
    """Colorize a source once for each call that can fail, and return what was said of each."""

    def call(number: int, *names: str, once: bool = False) -> list[dict[str, Any]]:
        folder = tmp_path / "lost disk"
        folder.mkdir()
        write(folder, *names)
        done = subprocess.run(
            [sys.executable, "-m", "tests.faults.sweep", folder, tiny_net, str(number), str(int(once)), *names],
            env=environment(LD_PRELOAD=str(shim), XDG_CACHE_HOME=str(user_cache)),
            cwd=Path(__file__).parent.parent.parent,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        assert "Traceback" not in done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return call


def check(rows: list[dict[str, Any]]) -> None:
    """Each fault is one of the system, in its row or as the end of the run; and the next run makes the same file."""
    faults = [row for row in rows if "at" in row]
    ends = [row for row in rows if "calls" in row]
    assert len(faults) == sum(row["calls"] for row in ends) > 4 * len(ends)
    for row in faults:
        met = row["met"]
        if met["code"] == 5:
            continue
        assert met["code"] == 3, row
        assert met["status"] == "failed", row
        assert met["cause"] == "system", row
        assert row["again"], row
    for row in ends:
        assert row["mapped"] == 0, f"{row['name']} is mapped: there a lost disk ends the process"
        assert row["same"], row


def soaked(names: Iterable[str], *here: str) -> list[Any]:
    """Leave all but some to `make soak`: each call that fails is two runs."""
    return [name if name in here else pytest.param(name, marks=pytest.mark.soak) for name in names]


@pytest.mark.parametrize("name", soaked(STILLS, "grey.png", "lzw.tif", "grey.jp2"))
def test_every_call_of_every_reader_of_photographs(sweep: Sweep, name: str) -> None:
    check(sweep(errno.EIO, name))


@pytest.mark.parametrize("name", soaked(FILMS, "film.mp4"))
def test_every_call_of_the_reader_of_films(sweep: Sweep, name: str) -> None:
    pytest.importorskip("av")
    check(sweep(errno.EIO, name))


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EACCES, errno.ENOMEM, errno.ENXIO])
def test_every_fault_of_the_system(sweep: Sweep, number: int) -> None:
    check(sweep(number, "grey.jpg", *(["film.mkv"] if number == errno.ESTALE and find_spec("av") else [])))


def test_a_file_that_is_gone_is_taken_up_when_it_is_there_again(sweep: Sweep) -> None:
    for row in sweep(errno.ENOENT, "grey.jpg"):
        if "at" in row:
            assert row["met"]["status"] == "vanished", row
            assert row["again"], row


@pytest.mark.parametrize("name", soaked(["grey.png", "pages.tif", "grey.jp2"], "pages.tif"))
def test_a_fault_that_has_passed_by_the_next_call(sweep: Sweep, name: str) -> None:
    """What a decoder made of one failed call is not believed, though every later call went well."""
    for row in sweep(errno.EIO, name, once=True):
        if "at" in row and row["met"]["code"] != 5:
            assert row["met"]["cause"] == "system", row
            assert row["again"], row

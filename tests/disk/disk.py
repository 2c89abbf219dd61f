"""A disk that fails at the n-th call, as a test sees it: the shim built, a harness started, an archive to run over."""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from enum import IntFlag
from pathlib import Path
from typing import Any

import cv2
import pytest

from pipeline.run.executors.child import ONE_THREAD
from tests.conftest import environment, in_colour
from tests.photo.mutations import COMPRESSED, GREY, PLAIN, saved

_HERE = Path(__file__).parent
KILLED = 137
_OF_A_MOMENT = ("seconds", "finished_at", "run_id")
_SECONDS = 60


class Calls(IntFlag):
    """Classes of calls, as in shim.c."""

    OPEN = 1
    CREATE = 2
    READ = 4
    WRITE = 8
    SYNC = 16
    NAME = 32
    REMOVE = 64
    STAT = 128
    LIST = 256
    MARK = 512
    ALL = 1023


@dataclass(frozen=True)
class Fault:
    """What goes wrong: an errno (0: the process is gone) in these calls, once or from then on."""

    name: str
    errno: int
    calls: Calls
    lasting: bool = False


_CHANGES = Calls.CREATE | Calls.WRITE | Calls.SYNC | Calls.NAME
_LOOKS = Calls.OPEN | Calls.STAT | Calls.LIST
FAULTS = (
    Fault("EIO", errno.EIO, Calls.ALL),
    Fault("ENOSPC", errno.ENOSPC, _CHANGES),
    Fault("EACCES", errno.EACCES, _LOOKS | Calls.CREATE | Calls.NAME | Calls.REMOVE | Calls.MARK),
    Fault("ESTALE", errno.ESTALE, Calls.ALL),
    Fault("kill", 0, Calls.ALL),
    Fault("EIO from then on", errno.EIO, Calls.ALL, lasting=True),
    Fault("ENOSPC from then on", errno.ENOSPC, _CHANGES, lasting=True),
)


@dataclass(frozen=True)
class Ended:
    """How a run ended: its exit code, what it printed, how many calls were counted, and which one failed."""

    code: int
    said: str
    seen: int
    what: str


def write_ten(folder: Path) -> None:
    """Write ten small pictures of as many kinds, one of them in colour already, one of three pages."""
    files = {
        "box 1/a.jpg": COMPRESSED["JPEG"],
        "box 1/b.jpg": COMPRESSED["JPEG, progressive"],
        "box 1/c.png": COMPRESSED["PNG"],
        "box 1/d.png": COMPRESSED["PNG of 16 bits"],
        "box 2/deep/e.tif": saved(GREY, "TIFF", compression="tiff_lzw"),
        "box 2/deep/f.tif": PLAIN["TIFF of pages"],
        "box 2/g.webp": saved(GREY, "WEBP", quality=80),
        "box 2/h.jp2": COMPRESSED["JPEG 2000"],
        "i.gif": COMPRESSED["GIF"],
        "parrot.jpg": cv2.imencode(".jpg", in_colour())[1].tobytes(),
    }
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def files_of(folder: Path) -> dict[str, str]:
    """Hash every file under a folder but the program's own."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".colorize" not in path.parts and path.name != "manifest.csv"
    }


def manifest_of(output: Path) -> list[dict[str, str]]:
    """Return the manifest's rows without what is of a moment."""
    return lines_of((output / "manifest.csv").read_bytes().decode())


def lines_of(text: str) -> list[dict[str, str]]:
    """As `manifest_of`, of what stands in a manifest."""
    rows = csv.DictReader(io.StringIO(text, newline=""))
    return [{key: text for key, text in row.items() if key not in _OF_A_MOMENT} for row in rows]


def finished_in(output: Path) -> dict[str, tuple[int, int]]:
    """Return what is done, says the journal, with what tells one writing of a file from another."""
    path = output / ".colorize" / "journal.sqlite"
    if not path.exists():
        return {}
    with sqlite3.connect(path) as db:
        try:
            rows = db.execute("SELECT key, output FROM items WHERE status IN ('done', 'copied')").fetchall()
        except sqlite3.OperationalError:  # it was killed before there was a table
            return {}
    found = {key: (output / place).stat() for key, place in rows}
    return {key: (stat.st_ino, stat.st_mtime_ns) for key, stat in found.items()}


def _touched(folder: Path) -> dict[str, tuple[int, int, int]]:
    found = {str(path.relative_to(folder)): path.stat() for path in sorted(folder.rglob("*")) if path.is_file()}
    return {name: (stat.st_ino, stat.st_size, stat.st_mtime_ns) for name, stat in found.items()}


class Disk:
    """An archive of ten pictures, an undisturbed run of it, and a harness that runs it with faults."""

    def __init__(self, folder: Path, net: Path, cache: Path) -> None:
        compiler = shutil.which("cc")
        if compiler is None or sys.platform != "linux":
            pytest.skip("builds a small C library for Linux; needs cc")
        library, self._said = folder / "shim.so", folder / "said"
        subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", library, _HERE / "shim.c", "-ldl"], check=True)
        memory = Path("/dev/shm")  # a disk on which a thousand runs need not wait for fsync
        self._room = tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else folder)
        self._root, self._net = Path(self._room.name), net
        self.scans, self.whole = self._root / "scans", self._root / "whole"
        write_ten(self.scans)
        self._scans = files_of(self.scans), _touched(self.scans)
        self._harness = subprocess.Popen(
            [sys.executable, _HERE / "harness.py"],
            env=environment(LD_PRELOAD=str(library), XDG_CACHE_HOME=str(cache), **ONE_THREAD),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert self._order(arguments=self._arguments(self.whole), warm=True)["code"] == 0
        self.expected = files_of(self.whole), manifest_of(self.whole)

    def close(self) -> None:
        """End the harness."""
        assert self._harness.stdin is not None
        self._harness.stdin.close()
        self._harness.wait(_SECONDS)
        self._room.cleanup()

    def _arguments(self, output: Path) -> list[str]:
        plain = ["--executor", "serial", "--engine", "opencv", "--precision", "float32", "--no-progress"]
        return ["run", str(self.scans), "-o", str(output), "--model", str(self._net), *plain]

    def _order(self, **order: Any) -> dict[str, Any]:
        assert self._harness.stdin is not None
        assert self._harness.stdout is not None
        print(json.dumps(order), file=self._harness.stdin, flush=True)
        before = signal.signal(signal.SIGALRM, lambda *_: pytest.fail(f"it hangs: {order}"))
        signal.alarm(_SECONDS)
        try:
            return dict(json.loads(self._harness.stdout.readline()))
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, before)

    def run(self, output: Path, fault: Fault | None = None, nth: int = 0) -> Ended:
        """Run once; without a fault, or with `nth` 0, calls are only counted."""
        fault = fault or Fault("none", 0, Calls.ALL)
        order = {"errno": fault.errno, "classes": int(fault.calls), "lasting": int(fault.lasting), "nth": nth}
        where = {"folder": f"{self._root}/", "said": str(self._said)}
        return Ended(**self._order(arguments=self._arguments(output), **where, **order))

    def calls(self, fault: Fault) -> int:
        """Return how many calls of an undisturbed run the fault might meet."""
        with self.empty() as output:
            return self.run(output, fault).seen

    def empty(self) -> _Output:
        """Give a new OUTPUT for the length of a block."""
        return _Output(self._root / "colour")

    def survives(self, fault: Fault, nth: int) -> Ended:
        """Run with a fault, then without; assert that nothing is lost, touched or wrong in silence."""
        with self.empty() as output:
            ended = self.run(output, fault, nth)
            self._is_said(ended, fault, output)
            before = finished_in(output)
            again = self.run(output)
            assert again.code == 0, again.said
            self._is_whole(output)
            self._is_clean(output)
            after = finished_in(output)
            lost = [key for key, written in before.items() if after.get(key) != written]
            assert not lost, f"finished, and done again: {lost}"
        return ended

    def _is_said(self, ended: Ended, fault: Fault, output: Path) -> None:
        """Look at how a run with a fault ended: its exit code tells the truth, and a sentence says why."""
        assert "Traceback" not in ended.said, ended.said
        assert "fault of the program" not in ended.said, ended.said
        if ended.code == 0:
            self._is_whole(output)
        elif fault.errno == 0:
            assert ended.code == KILLED, ended.said
        else:
            assert ended.code in (3, 5), f"exit {ended.code}: {ended.said}"
            sentences = [line for line in ended.said.splitlines() if line.startswith("colorize: ")]
            assert len(sentences) == (ended.code == 5), ended.said
            assert ended.code == 5 or "failed" in ended.said, ended.said

    def _is_whole(self, output: Path) -> None:
        """Assert that OUTPUT is what an undisturbed run makes of it, and that the originals are as they were."""
        found = files_of(output)
        other = [name for name in found | self.expected[0] if found.get(name) != self.expected[0].get(name)]
        assert not other, f"not what an undisturbed run makes: {other}"
        rows = [row for row in manifest_of(output) if row not in self.expected[1]]
        assert not rows, f"rows of the manifest: {rows}"
        assert len(manifest_of(output)) == len(self.expected[1])
        assert (files_of(self.scans), _touched(self.scans)) == self._scans, "an original was touched"

    def _is_clean(self, output: Path) -> None:
        """Assert that the next run has left nothing unfinished behind."""
        own = [path for path in (output / ".colorize").rglob("*") if path.is_file()]
        strange = [path for path in own if not path.name.startswith(("journal.", "lock"))]
        assert not strange, f"left behind: {strange}"


class _Output:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Path:
        shutil.rmtree(self._path, ignore_errors=True)
        return self._path

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._path, ignore_errors=True)

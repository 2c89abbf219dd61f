"""What the tests of clusters share: an archive, what one process makes of it, and runs over it that are disturbed."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import subprocess
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import cv2

from tests.conftest import ENTRY, landscape, write_tiff
from tests.disk.disk import files_of, lines_of, manifest_of
from tests.film.clips import scenes, write_clip
from tests.storage.google import Museum
from tests.storage.servers import Bucket

PHOTOGRAPHS = 60
OWN_NET = "box 3/003.jpg"  # chosen by a hint
_OPTIONS = ("--engine", "opencv", "--precision", "float32", "--no-progress")
_SECONDS = 600


def write_scans(folder: Path) -> Path:
    """Write photographs, a TIFF of pages and a film."""
    for number in range(PHOTOGRAPHS):
        path = folder / f"box {number % 5}" / f"{number:03d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(".jpg", landscape(number, 700, 900))[1].tobytes())
    write_tiff(folder / "minutes.tif", *[landscape(100 + seed, 400, 500) for seed in range(6)])
    write_clip(folder / "reel.mkv", scenes(480, 96, 64), options={"preset": "ultrafast"})
    return folder


def write_hint(output: Path, net: Path) -> None:
    """Choose a net for one picture."""
    output.mkdir(parents=True)
    (output / "hints.toml").write_text(f'["{OWN_NET}"]\nmodel = "{net}"\n')


def recorded(output: Path) -> int:
    """Return how many items an OUTPUT, or a state folder, knows the end of."""
    journal = output / ".colorize" / "journal.sqlite"
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as db,
    ):
        return int(db.execute("SELECT count(*) FROM items").fetchone()[0])
    return 0


def called(what: str, where: dict[str, bool]) -> str:
    """Return the name of a run that is told from those elsewhere."""
    return "-".join([what, *where])


def check_hinted(output: Path) -> None:
    """See that the picture of `write_hint` was made by its net."""
    manifest = (output / "manifest.csv").read_text(encoding="utf-8")
    assert next(line for line in manifest.splitlines() if line.startswith(OWN_NET)).count("tiny") == 1


@dataclass
class Nights:
    """Runs of one archive, each into an OUTPUT of its own.

    Attributes:
        folder: where all OUTPUTs lie.
        scans: the archive; also `scans` in the bucket.
        variables: of the driver's environment.
        options: that name the cluster.
        bucket: a storage.
        stack: closes what is opened.
    """

    folder: Path
    scans: Path
    variables: dict[str, str]
    options: tuple[str, ...]
    bucket: Bucket | Museum
    stack: ExitStack

    def command(self, name: str, *more: str, far_input: bool = False, far: bool = False) -> list[str]:
        museum = f"{self.bucket.scheme}://museum"
        source = f"{museum}/scans" if far_input else str(self.scans)
        home = self.folder / name
        place = [f"{museum}/{name}", "--state", str(home)] if far else [str(home)]
        return [*ENTRY, "run", source, "-o", *place, *_OPTIONS, *(more or self.options)]

    def serial(self, name: str) -> Path:
        """Let one process do it; return its OUTPUT."""
        words = self.command(name, "--executor", "serial")
        subprocess.run(words, env=self.variables, check=True, capture_output=True)
        return self.folder / name

    def begin(self, name: str, *more: str, **where: bool) -> subprocess.Popen[bytes]:
        """Begin a run; `far_input`, `far`: in the bucket."""
        said = self.stack.enter_context((self.folder / f"{name}.log").open("ab"))
        words = self.command(name, *more, **where)
        run = subprocess.Popen(words, env=self.variables, stderr=said, stdout=said, start_new_session=True)
        self.stack.callback(run.kill)
        return run

    def at_work(self, what: str, **where: bool) -> tuple[str, subprocess.Popen[bytes]]:
        """Begin a run and wait until it has done some; return its name, too."""
        name = called(what, where)
        run = self.begin(name, **where)
        self.wait_for(name, run)
        return name, run

    def is_followed(self, serial: Path, **where: bool) -> None:
        """Kill a driver; the next run does the rest."""
        name, run = self.at_work("killed-driver", **where)
        run.kill()
        run.wait()
        before = recorded(self.folder / name)
        self.ends(name, self.begin(name, **where), serial)
        print(f"{before} were recorded when it was killed")
        assert 8 <= before < PHOTOGRAPHS

    def said(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(encoding="utf-8").strip()

    def wait_for(self, name: str, run: subprocess.Popen[bytes], count: int = 8) -> None:
        """Wait until a run has done some."""
        until = time.monotonic() + 240
        while recorded(self.folder / name) < count:
            assert run.poll() is None, f"it ended with {run.returncode}: {self.said(name)}"
            assert time.monotonic() < until, self.said(name)
            time.sleep(0.2)

    def ends(self, name: str, run: subprocess.Popen[bytes], serial: Path, code: int = 0) -> None:
        """Wait for a run's end, and compare what it made, in its folder or in the bucket, with what one process did."""
        assert run.wait(_SECONDS) == code, self.said(name)
        print(f"{name}: {self.said(name)}")
        there = self._there(name)
        if there:
            manifest = there.pop("manifest.csv").decode()
            made = {place: hashlib.sha256(data).hexdigest() for place, data in there.items()}
            told = lines_of(manifest)
        else:
            made, told = files_of(self.folder / name), manifest_of(self.folder / name)
        made.pop("hints.toml", None)
        wanted = files_of(serial)
        wanted.pop("hints.toml", None)
        assert made == wanted
        assert told == manifest_of(serial)
        left = self.folder / name / ".colorize" / "tmp"
        assert [str(path) for path in left.rglob("*") if path.is_file()] == []

    def _there(self, name: str) -> dict[str, bytes]:
        own = f"{name}/.colorize/"
        keys = [key for key in self.bucket.keys(f"{name}/") if not key.startswith(own)]
        return {key.removeprefix(f"{name}/"): self.bucket.get(key) for key in keys}

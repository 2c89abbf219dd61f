"""A file that becomes larger than the disk lets one be fails alone: all others are done."""

from __future__ import annotations

import csv
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import ENTRY, environment, write_archive

av = pytest.importorskip("av", reason="extra: film")
resource = pytest.importorskip("resource", reason="POSIX")

LARGEST = 1_500_000  # bytes


def write_film(path: Path) -> None:
    random = np.random.default_rng(1)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mpeg4", rate=24)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for _ in range(30):
            grey = random.integers(0, 256, (240, 320), dtype=np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(np.dstack([grey] * 3), format="rgb24")))
        file.mux(stream.encode())


def test_a_film_larger_than_a_file_may_be_fails_and_the_pictures_behind_it_are_done(tmp_path: Path) -> None:
    write_archive(tmp_path / "in" / "z", 2)
    write_film(tmp_path / "in" / "a.mkv")
    words = ["run", tmp_path / "in", "-o", tmp_path / "out", "--executor", "serial", "--encoder", "ffv1"]
    words += ["--engine", "opencv", "--precision", "float32"]
    codes = []
    for _ in range(2):
        run = subprocess.run(
            [*ENTRY, *map(str, words)],
            env=environment(),
            capture_output=True,
            text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST, LARGEST)),
            check=False,
        )
        codes.append(run.returncode)
    assert codes == [3, 0], run.stderr
    with (tmp_path / "out" / "manifest.csv").open(encoding="utf-8", newline="") as file:
        found = {row["source"].partition("/")[0]: (row["status"], row["reason"]) for row in csv.DictReader(file)}
    assert found == {"a.mkv": ("failed", "too large for one file where OUTPUT lies (FAT: 4 GB)"), "z": ("done", "")}

"""Films as items of an archive: found, worked on by all workers, resumable, in the manifest."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("av")

from pipeline.archive.status import read_status, status_lines
from tests.conftest import ENTRY, environment, landscape, manifest
from tests.film.clips import luma, packets_of, pictures, scenes, times_of, write_clip

Colorize = Callable[..., subprocess.CompletedProcess[str]]
ENGINE = ("--engine", "opencv", "--precision", "float32")


def parts(output: Path) -> list[Path]:
    return [path for path in (output / ".colorize" / "parts").rglob("*") if path.is_file()]


def finished_pieces(output: Path) -> dict[int, int]:
    """From the number of each finished piece to how often it was done."""
    journal = output / ".colorize" / "journal.sqlite"
    if not journal.exists():
        return {}
    try:
        with sqlite3.connect(f"file:{journal}?mode=ro", uri=True) as db:
            query = "SELECT number, attempts FROM pieces WHERE number >= 0 AND status != ''"
            return dict(db.execute(query).fetchall())
    except sqlite3.OperationalError:  # not made yet
        return {}


def test_films_and_photographs_in_one_run(tmp_path: Path, colorize: Colorize) -> None:
    scans, colour = tmp_path / "scans", tmp_path / "colour"
    scans.mkdir()
    write_clip(scans / "reel.mp4", scenes(40, 96, 64, cut=20), sound=[("aac", "stereo")])
    write_clip(scans / "old.avi", scenes(24, 96, 64), codec="mpeg4", format="avi")
    (scans / "sound.mp4").write_bytes(b"\0\0\0\x18ftypisom" + bytes(64))
    for number in range(4):
        cv2.imwrite(str(scans / f"{number}.png"), landscape(number))

    run = colorize("run", scans, "-o", colour, "-j", 2, *ENGINE)

    assert run.returncode == 3, run.stderr  # sound.mp4
    rows = manifest(colour)
    assert {name: row["status"] for name, row in rows.items()} == {
        **dict.fromkeys(("reel.mp4", "old.avi", "0.png", "1.png", "2.png", "3.png"), "done"),
        "sound.mp4": "failed",
    }
    assert (rows["reel.mp4"]["kind"], rows["reel.mp4"]["frames"], rows["reel.mp4"]["width"]) == ("film", "40", "96")
    assert rows["old.avi"]["output"] == "old.mkv"
    assert all(0 <= int(rows[name]["doubt"]) <= 100 for name in ("reel.mp4", "old.avi", "0.png"))
    assert times_of(colour / "reel.mp4") == times_of(scans / "reel.mp4")
    assert packets_of(colour / "reel.mp4", "audio") == packets_of(scans / "reel.mp4", "audio")
    assert parts(colour) == []
    again = colorize("run", scans, "-o", colour, "-j", 2, *ENGINE)
    assert "Nothing was left to do" in again.stdout


def test_a_film_that_was_killed_goes_on_where_it_was(
    tmp_path: Path, colorize: Colorize, user_cache: Path, tiny_net: Path
) -> None:
    scans, colour, whole = tmp_path / "scans", tmp_path / "colour", tmp_path / "whole"
    scans.mkdir()
    write_clip(scans / "reel.mp4", scenes(900, 96, 64), options={"preset": "ultrafast"})
    command = ["run", scans, "-j", "2", "--encoder", "ffv1", "--model", tiny_net, *ENGINE]
    assert colorize(*command, "-o", whole).returncode == 0

    run = subprocess.Popen(
        [*ENTRY, *map(str, [*command, "-o", colour])],
        env=environment(XDG_CACHE_HOME=str(user_cache)),
        start_new_session=True,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while len(finished_pieces(colour)) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    time.sleep(0.5)  # workers see within a moment that their driver is gone
    before = finished_pieces(colour)
    assert before
    assert not (colour / "reel.mkv").exists()
    kept = {path.name: path.stat().st_mtime_ns for path in parts(colour)}

    (begun,) = read_status(colour).begun
    assert (begun.key, begun.kind, begun.frames) == ("reel.mp4", "film", 900)
    assert 0 < begun.done < 900
    (line,) = [each for each in status_lines(read_status(colour)) if each.startswith("reel.mp4: ")]
    assert re.fullmatch(r"reel.mp4: \d+ of 900 frames, about \d+ s of one worker left", line)

    assert colorize(*command, "-o", colour).returncode == 0
    assert read_status(colour).begun == ()
    assert parts(colour) == []
    assert (colour / "reel.mkv").read_bytes() == (whole / "reel.mkv").read_bytes()
    assert len(kept) >= len(before)
    with sqlite3.connect(colour / ".colorize" / "journal.sqlite") as db:
        assert db.execute("SELECT count(*) FROM pieces").fetchone() == (0,)
    sources, made = pictures(scans / "reel.mp4"), pictures(colour / "reel.mkv")
    assert len(made) == len(sources)
    assert (luma(made[700]) == luma(sources[700])).all()


def _chroma(path: Path) -> tuple[float, float]:
    """Mean distance of U and V from grey in the upper and in the lower half of a film."""
    frames = [frame.to_ndarray(format="yuv444p")[1:].astype(float) - 128 for frame in pictures(path)]
    planes = np.stack(frames)
    half = planes.shape[2] // 2
    return float(np.abs(planes[:, :, :half]).mean()), float(np.abs(planes[:, :, half:]).mean())


def test_what_a_person_says_of_a_film_is_done(tmp_path: Path, colorize: Colorize) -> None:
    scans, colour = tmp_path / "scans", tmp_path / "colour"
    scans.mkdir()
    names = ("plain", "pale", "warm", "caption", "small", "grey", "no", "point")
    for number, name in enumerate(names):
        write_clip(scans / f"{name}.mp4", scenes(6, 96, 64, seed=number), options={"preset": "ultrafast"})
    command = ("run", scans, "-o", colour, "--executor", "serial", *ENGINE)
    assert colorize(*command).returncode == 0
    before = {name: _chroma(colour / f"{name}.mp4") for name in names}
    size, plain = (colour / "small.mp4").stat().st_size, (colour / "plain.mp4").stat().st_mtime_ns
    (colour / "hints.toml").write_text(
        '["pale.mp4"]\nsaturation = 0.2\n["warm.mp4"]\nwarmth = 1\n["small.mp4"]\nquality = 50\n'
        '["caption.mp4"]\ngrey = [[[0, 0.5], [1, 0.5], [1, 1], [0, 1]]]\n'
        '["grey.mp4"]\ndecision = "left-grey"\n["no.mp4"]\ndecision = "rejected"\n'
        '["point.mp4"]\npoints = [{ x = 0.2, y = 0.25, color = "#2040c0" }]\n'
    )
    run = colorize(*command)
    assert run.returncode == 0, run.stderr
    assert "point.mp4: its points and strokes are not used" in run.stderr
    assert (colour / "plain.mp4").stat().st_mtime_ns == plain, "nothing was said of it"
    after = {name: _chroma(colour / f"{name}.mp4") for name in names if name != "no"}
    assert sum(after["pale"]) < 0.5 * sum(before["pale"])
    assert after["warm"] != before["warm"]
    assert after["caption"][1] < 1.5 < before["caption"][1]
    assert after["caption"][0] > 0.7 * before["caption"][0]
    assert after["point"] == before["point"]
    assert (colour / "small.mp4").stat().st_size < size / 2
    assert (colour / "grey.mp4").read_bytes() == (scans / "grey.mp4").read_bytes()
    assert not (colour / "no.mp4").exists()
    rows = manifest(colour)
    assert (rows["grey.mp4"]["status"], rows["no.mp4"]["status"]) == ("copied", "rejected")
    assert "Nothing was left to do" in colorize(*command).stdout
    (colour / "hints.toml").write_text('["small.mp4"]\nquality = 80\n')
    run = colorize(*command)
    assert run.returncode == 2
    assert "small.mp4: quality: 80 is not a whole number from 1 to 63" in run.stderr

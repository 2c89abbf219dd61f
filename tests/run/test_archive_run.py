"""Whole runs through the command line, with real processes and the embedded net."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.run import limits
from pipeline.run.executors.child import HANG_VARIABLE
from tests.conftest import ENTRY, environment, landscape, manifest, write_archive

Colorize = Callable[..., subprocess.CompletedProcess[str]]


def statuses(output: Path) -> dict[str, str]:
    return {key: row["status"] for key, row in manifest(output).items()}


def pictures(output: Path) -> dict[str, bytes]:
    """Every file under OUTPUT but the program's own."""
    return {
        str(path.relative_to(output)): path.read_bytes()
        for path in sorted(output.rglob("*"))
        if path.is_file() and ".colorize" not in path.parts and path.name != "manifest.csv"
    }


def leftovers(output: Path) -> list[Path]:
    return list((output / ".colorize" / "tmp").glob("**/*"))


def test_a_mixed_archive(tmp_path: Path, colorize: Colorize) -> None:
    scans, colour = tmp_path / "scans", tmp_path / "colour"
    write_archive(scans, 6)
    (scans / "box 0" / "note.txt").write_text("not a picture")
    (scans / "box 0" / "Thumbs.db").write_bytes(b"\0")
    (scans / "box 1" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut off")
    (scans / "box 2" / "empty.png").write_bytes(b"")
    cv2.imwrite(str(scans / "box 2" / "picture 002.png"), landscape(9))
    hues = cv2.cvtColor(
        np.dstack([np.tile(np.arange(0, 180, 2, np.uint8), (60, 1)), np.full((60, 90), 200, np.uint8),
                   cv2.resize(landscape(4), (90, 60))]),
        cv2.COLOR_HSV2BGR,
    )  # fmt: skip
    cv2.imwrite(str(scans / "box 3" / "parrot.png"), hues)
    before = {path: path.read_bytes() for path in scans.rglob("*") if path.is_file()}

    run = colorize("run", scans, "-o", colour, "-j", 2)

    assert run.returncode == 3, run.stderr
    found = statuses(colour)
    assert found.pop("box 0/note.txt") == "unsupported"
    assert found.pop("box 1/broken.jpg") == "failed"
    assert found.pop("box 2/empty.png") == "failed"
    assert found.pop("box 3/parrot.png") == "copied"
    assert set(found.values()) == {"done"}
    assert len(found) == 7
    assert {path: path.read_bytes() for path in scans.rglob("*") if path.is_file()} == before
    made = pictures(colour)
    assert made["box 3/parrot.png"] == (scans / "box 3" / "parrot.png").read_bytes()
    assert {"box 2/picture 002.jpg", "box 2/picture 002.png"} <= set(made)
    for name in set(made) - {"box 3/parrot.png"}:
        picture = cv2.imdecode(np.frombuffer(made[name], np.uint8), cv2.IMREAD_UNCHANGED)
        assert picture.shape == (60, 80, 3)
    assert run.stderr.count("broken.jpg") == 1
    assert "Traceback" not in run.stderr
    assert not leftovers(colour)

    again = colorize("run", scans, "-o", colour, "-j", 2)
    assert again.returncode == 0, "what failed before was told"
    assert "1 failed" not in again.stderr
    assert "Nothing was left to do." in again.stdout
    assert pictures(colour) == made


def test_changed_source_changed_setting_and_lost_output_are_done_again(tmp_path: Path, colorize: Colorize) -> None:
    scans, colour = tmp_path / "scans", tmp_path / "colour"
    paths = write_archive(scans, 3)
    assert colorize("run", scans, "-o", colour, "--executor", "serial").returncode == 0
    cv2.imwrite(str(paths[0]), landscape(50))
    (colour / "box 1" / "picture 001.jpg").unlink()
    listed = colorize("run", scans, "-o", colour, "--dry-run")
    assert "source changed" in listed.stdout
    assert "output missing" in listed.stdout
    assert listed.stdout.count("todo") == 2
    summary = json.loads(colorize("run", scans, "-o", colour, "--executor", "serial", "--json").stdout)
    assert summary["worked"] == 2
    summary = json.loads(colorize("run", scans, "-o", colour, "-j", 1, "--json", COLORIZE_QUALITY="60").stdout)
    assert summary["worked"] == 3


def test_dry_run_writes_nothing(tmp_path: Path, colorize: Colorize) -> None:
    write_archive(tmp_path / "scans", 2)
    listed = colorize("run", tmp_path / "scans", "-o", tmp_path / "colour", "--dry-run")
    assert listed.returncode == 0
    assert listed.stdout.count("(new)") == 2
    assert not (tmp_path / "colour").exists()


def test_a_poisoned_picture_takes_only_itself_along(tmp_path: Path, colorize: Colorize) -> None:
    scans, colour = tmp_path / "scans", tmp_path / "colour"
    write_archive(scans, 40)
    run = colorize("run", scans, "-o", colour, "-j", 2, COLORIZE_TEST_POISON="picture 013")
    assert run.returncode == 3, run.stderr
    found = statuses(colour)
    assert [key for key, status in found.items() if status == "crashed"] == ["box 6/picture 013.jpg"]
    assert sum(status == "done" for status in found.values()) == 39
    assert len(pictures(colour)) == 39
    assert not leftovers(colour)

    left_alone = colorize("run", scans, "-o", colour, "-j", 2)
    assert left_alone.returncode == 0, "its crash was told"
    assert "Nothing was left to do." in left_alone.stdout
    healed = colorize("run", scans, "-o", colour, "-j", 2, "--retry-failed")
    assert healed.returncode == 0, healed.stderr
    assert len(pictures(colour)) == 40


def start(scans: Path, colour: Path, cache: Path, *more: str, **extra: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*ENTRY, "run", str(scans), "-o", str(colour), "-j", "2", "--engine", "opencv", *more],
        env=environment(XDG_CACHE_HOME=str(cache), **extra),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for_pictures(colour: Path, count: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while len(list(colour.glob("box*/*.jpg"))) < count and process.poll() is None:
        assert time.monotonic() < deadline, "the run does not get on"
        time.sleep(0.02)


def kill_and_resume(tmp_path: Path, cache: Path, *, pictures_in_all: int, kills: int, seed: int) -> None:
    """Kill the driver at random moments, resume each time, and compare with an unbroken run."""
    random = np.random.default_rng(seed)
    scans, whole, broken = tmp_path / "scans", tmp_path / "whole", tmp_path / "broken"
    write_archive(scans, pictures_in_all)
    unbroken = start(scans, whole, cache)
    _, errors = unbroken.communicate(timeout=300)
    assert unbroken.returncode == 0, errors
    finished: dict[str, tuple[int, int]] = {}
    for number in range(kills):
        process = start(scans, broken, cache)
        wait_for_pictures(broken, (number + 1) * pictures_in_all // (kills + 2), process)
        time.sleep(float(random.uniform(0, 0.3)))
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
        for row in journalled(broken):
            status = (broken / row[1]).stat()
            finished.setdefault(row[0], (status.st_ino, status.st_mtime_ns))
    last = start(scans, broken, cache)
    _, errors = last.communicate(timeout=300)
    assert last.returncode == 0, errors
    assert pictures(broken) == pictures(whole)
    rows = manifest(broken).values()
    assert sorted(row["source"] for row in rows) == sorted(
        str(path.relative_to(scans)) for path in scans.rglob("*.jpg")
    )
    assert {row["status"] for row in rows} == {"done"}
    assert not leftovers(broken)
    assert 0 < len(finished) < pictures_in_all, "the kills came too early or too late to test anything"
    for source, output, attempts in journalled(broken):
        assert attempts == 1, f"{source} was done twice"
        if source in finished:
            status = (broken / output).stat()
            assert (status.st_ino, status.st_mtime_ns) == finished[source], f"{source} was written again"


def journalled(output: Path) -> list[tuple[str, str, int]]:
    import sqlite3

    path = output / ".colorize" / "journal.sqlite"
    if not path.exists():
        return []
    with sqlite3.connect(path) as database:
        return database.execute("SELECT key, output, attempts FROM items").fetchall()


def test_killed_at_random_moments_it_goes_on(tmp_path: Path, user_cache: Path) -> None:
    kill_and_resume(tmp_path, user_cache, pictures_in_all=200, kills=3, seed=1)


@pytest.mark.soak
@pytest.mark.parametrize("seed", [2, 3])
def test_killed_ten_times(tmp_path: Path, user_cache: Path, seed: int) -> None:
    kill_and_resume(tmp_path, user_cache, pictures_in_all=200, kills=10, seed=seed)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_in_good_order(tmp_path: Path, user_cache: Path, number: signal.Signals, code: int) -> None:
    scans, colour = tmp_path / "scans", tmp_path / "colour"
    write_archive(scans, 120)
    process = start(scans, colour, user_cache)
    wait_for_pictures(colour, 5, process)
    os.killpg(process.pid, number)  # as a terminal or systemd does: the workers get it too
    output, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert "the same command goes on from here" in output
    found = statuses(colour)
    assert set(found.values()) == {"done"}
    assert {row["output"] for row in manifest(colour).values()} == set(pictures(colour))
    assert len(found) < 120
    assert not leftovers(colour)
    resumed = start(scans, colour, user_cache, "--json")
    output, errors = resumed.communicate(timeout=120)
    assert resumed.returncode == 0, errors
    assert json.loads(output)["worked"] == 120 - len(found)


def test_a_second_signal_stops_at_once_and_a_second_run_is_refused(
    tmp_path: Path, user_cache: Path, colorize: Colorize
) -> None:
    scans, colour = tmp_path / "scans", tmp_path / "colour"
    write_archive(scans, 30)
    process = start(scans, colour, user_cache, **{HANG_VARIABLE: "picture 006"})  # so that it is at work still, surely
    wait_for_pictures(colour, 3, process)
    refused = colorize("run", scans, "-o", colour)
    assert refused.returncode == 75
    assert str(process.pid) in refused.stderr
    state = json.loads(colorize("status", colour, "--json").stdout)
    assert state["running"] is True
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=limits.GRACE)  # the first would wait so long for what is in flight
    assert process.returncode == 130, errors
    assert colorize("run", scans, "-o", colour, "-j", 2).returncode == 0
    assert len(pictures(colour)) == 30


def test_unusable_places_and_models_are_one_sentence(tmp_path: Path, colorize: Colorize) -> None:
    scans = tmp_path / "scans"
    write_archive(scans, 1)
    for arguments, code in [
        (("run", tmp_path / "nowhere", "-o", tmp_path / "colour"), 5),
        (("run", scans, "-o", scans), 5),
        (("run", scans, "-o", tmp_path / "colour", "--model", "embeded"), 4),
        (("run", scans, "-o", tmp_path / "colour", "--model", tmp_path / "gone.onnx"), 4),
        (("run", scans, "-o", tmp_path / "colour", "--quality", "200"), 2),
        (("run", scans, "-o", tmp_path / "colour", "--set", "qualty=90"), 2),
        (("run", scans), 2),
    ]:
        run = colorize(*arguments)
        assert run.returncode == code, (arguments, run.stderr)
        assert "Traceback" not in run.stderr
        assert run.stderr.strip()
        assert not (tmp_path / "colour").exists()


@pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("mount") is None or os.geteuid() != 0,
    reason="needs root on Linux to mount a tiny disk",
)
def test_a_full_disk_is_one_sentence_and_what_is_finished_stays(tmp_path: Path, colorize: Colorize) -> None:
    scans, disk = tmp_path / "scans", tmp_path / "disk"
    for number in range(60):
        path = scans / f"{number:02d}.png"
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), landscape(number, 300, 400))
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        run = colorize("run", scans, "-o", disk / "colour", "-j", 2)
        assert run.returncode == 5, run.stderr
        assert "Traceback" not in run.stderr
        assert "space" in run.stderr.lower()
        made = pictures(disk / "colour")
        assert 0 < len(made) < 60
        for data in made.values():
            assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape == (300, 400, 3)
        subprocess.run(["mount", "-o", "remount,size=60m", str(disk)], check=True)
        assert colorize("run", scans, "-o", disk / "colour", "-j", 2).returncode == 0
        assert len(pictures(disk / "colour")) == 60
        assert {name: data for name, data in pictures(disk / "colour").items() if name in made} == made
    finally:
        subprocess.run(["umount", str(disk)], check=False)

"""`colorize verify` and `colorize original`: what was promised is there, and what is not is said."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

from tests.conftest import Colorize, landscape

ENGINE = ("--engine", "opencv", "--jobs", "1", "--executor", "serial", "--no-progress")


@pytest.fixture
def archive(tmp_path: Path, colorize: Colorize) -> Path:
    scans = tmp_path / "scans"
    scans.mkdir()
    for suffix in ("jpg", "png", "tif"):
        (scans / f"{suffix} one.{suffix}").write_bytes(cv2.imencode(f".{suffix}", landscape(4))[1].tobytes())
    run = colorize("run", scans, "-o", tmp_path / "colour", *ENGINE)
    assert run.returncode == 0, run.stderr
    return tmp_path


def test_a_sound_archive(archive: Path, colorize: Colorize) -> None:
    run = colorize("verify", archive / "colour", "--json")
    assert run.returncode == 0, run.stderr
    found = {each["output"]: each for each in map(json.loads, run.stdout.splitlines())}
    assert set(found) == {"jpg one.jpg", "png one.png", "tif one.tif"}
    assert all("exactly" in each["luma"] for each in found.values())
    assert found["jpg one.jpg"]["restorable"]
    assert "3 outputs checked, 0 wrong; 1 hold" in colorize("verify", archive / "colour").stdout


def test_what_is_wrong_is_named(archive: Path, colorize: Colorize) -> None:
    (archive / "colour" / "png one.png").unlink()
    changed = archive / "colour" / "jpg one.jpg"
    changed.write_bytes(changed.read_bytes() + b"a caption")
    run = colorize("verify", archive / "colour")
    assert run.returncode == 3
    assert "png one.png: no such file or directory" in run.stdout
    assert "jpg one.jpg: it was changed since it was written" in run.stdout
    assert colorize("verify", archive / "scans").returncode == 5


def test_without_its_sources_an_archive_is_still_looked_at(archive: Path, colorize: Colorize) -> None:
    (archive / "scans").rename(archive / "elsewhere")
    run = colorize("verify", archive / "colour")
    assert run.returncode == 0, run.stdout
    assert "1  luma is the source's, exactly" in run.stdout
    assert "2  source not at hand" in run.stdout


def test_the_original_comes_out_and_nothing_is_overwritten(archive: Path, colorize: Colorize) -> None:
    coloured, back = archive / "colour" / "jpg one.jpg", archive / "back.jpg"
    assert colorize("original", coloured, "-o", back).returncode == 0
    assert back.read_bytes() == (archive / "scans" / "jpg one.jpg").read_bytes()
    refused = colorize("original", coloured, "-o", back)
    assert (refused.returncode, "--force" in refused.stderr) == (5, True)
    assert colorize("original", coloured, "-o", back, "--force").returncode == 0
    assert colorize("original", coloured, "-o", coloured, "--force").returncode == 5
    none = colorize("original", back, "-o", archive / "more.jpg")
    assert (none.returncode, "no original inside" in none.stderr) == (5, True)
    assert colorize("original", archive / "gone.jpg", "-o", archive / "more.jpg").returncode == 5
    assert not (archive / "more.jpg").exists()


def test_a_film_is_held_to_its_hash(tmp_path: Path, colorize: Colorize) -> None:
    clips = pytest.importorskip("tests.film.clips")
    (tmp_path / "reels").mkdir()
    clips.write_clip(tmp_path / "reels" / "reel.mp4", clips.scenes(12, 96, 64), options={"preset": "ultrafast"})
    assert colorize("run", tmp_path / "reels", "-o", tmp_path / "colour", *ENGINE).returncode == 0
    run = colorize("verify", tmp_path / "colour", "--json")
    assert run.returncode == 0, run.stdout
    assert "a film, as it was written" in json.loads(run.stdout)["luma"]
    made = tmp_path / "colour" / "reel.mp4"
    made.write_bytes(made.read_bytes()[:-1])
    assert colorize("verify", tmp_path / "colour").returncode == 3

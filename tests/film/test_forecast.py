"""Time and disk that films will take, told and minded before anything is begun."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av")

from pipeline.ground.errors import OutputError
from pipeline.ground.items import Forecast, Viewing
from pipeline.ground.settings import Settings
from pipeline.media.reels import forecast
from pipeline.run import driver
from pipeline.run import forecast as foretelling
from pipeline.run.forecast import Foreteller, films_line, forecast_words, needed_space, start_line
from tests.conftest import environment
from tests.film.clips import scenes, write_clip

Colorize = Callable[..., subprocess.CompletedProcess[str]]
ENGINE = ("--engine", "opencv", "--precision", "float32")


@pytest.fixture
def reel(tmp_path: Path) -> Path:
    (tmp_path / "scans").mkdir()
    return write_clip(tmp_path / "scans" / "reel.mp4", scenes(50, 96, 64), sound=[("aac", "stereo")])


def test_a_header_tells_length_and_size(reel: Path) -> None:
    found = forecast(reel, Settings())
    assert (found.frames, found.width, found.height) == (50, 96, 64)
    assert found.seconds == pytest.approx(2, abs=0.03)
    assert found.work > 0
    assert forecast(reel, Settings(encoder="ffv1")).size > 2 * found.size
    assert forecast(reel, Settings(film_quality=30)).size < found.size
    assert forecast(reel, Settings(width=48)).height == 32
    assert forecast(reel, Settings(), Viewing(sample=1)).frames == 25
    assert forecast(reel, Settings(), Viewing(beside=True)).size > found.size


@pytest.mark.parametrize(("height", "rate"), [(576, Fraction(25)), (480, Fraction(30000, 1001))])
def test_the_frames_of_a_tape_are_not_its_times_ticks(height: int, rate: Fraction, tmp_path: Path) -> None:
    pix_fmt = "yuv420p" if height == 576 else "yuv411p"
    tape = write_clip(
        tmp_path / "tape.dv", [np.full((height, 720), 90, np.uint8)] * 20, codec="dvvideo", pix_fmt=pix_fmt, rate=rate,
        format="dv",
    )  # fmt: skip
    assert forecast(tape, Settings()).frames == 20


@pytest.mark.parametrize("encoder", ["h264", "ffv1"])
def test_an_estimate_is_of_the_right_size(encoder: str, tmp_path: Path, colorize: Colorize) -> None:
    source = write_clip(tmp_path / "a.mkv", scenes(60, 192, 144), rate=Fraction(24))
    target = tmp_path / "out.mkv"
    run = colorize("video", source, target, "--encoder", encoder, "--executor", "serial", *ENGINE)
    assert run.returncode == 0, run.stderr
    found = forecast(source, Settings(encoder=encoder))
    assert found.size / 6 < target.stat().st_size < found.size * 6
    assert "1 film, 2 s, 60 frames: about" in run.stderr


def test_what_lies_ahead_in_words(tmp_path: Path) -> None:
    films = [Forecast(4200, 100_000, 720, 576, 3000, 1_200_000_000), Forecast(60, 1500, 720, 576, 45, 35_000_000)]
    assert films_line(films, 2) == "2 films, 1 h 11 min, 101,500 frames: about 25 min with 2 workers, about 1.2 GB."
    assert forecast_words(films[1]) == "60 s, 1,500 frames of 720 x 576, about 45 s of one worker and 35 MB"
    assert needed_space(films) == 2_435_000_000, "the parts of the largest lie beside its output until it is joined"
    assert "are free." in start_line(films, 1, tmp_path / "not" / "there", measured=True)


def test_a_disk_that_cannot_hold_the_films_is_refused_before_the_start(
    reel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foretelling, "free_space", lambda output: 1000)
    settings = Settings(engine="opencv", precision="float32", executor="serial")
    output = tmp_path / "colour"
    with pytest.raises(OutputError, match=r"has 1 MB left, and 1 film would need about 1 MB: make room") as caught:
        driver.run_archive([reel.parent], output, settings, bar=False, quiet=True)
    assert caught.value.exit_code == 5
    assert not list(output.glob("*.mp4"))
    with pytest.raises(OutputError, match="make room"):
        list(driver.list_archive([reel.parent], output, settings))
    monkeypatch.undo()
    assert driver.run_archive([reel.parent], output, settings, bar=False, quiet=True).counts == {"done": 1}


def test_a_dry_run_tells_length_size_and_estimate(reel: Path, tmp_path: Path, colorize: Colorize) -> None:
    (reel.parent / "sound.mp4").write_bytes(b"\0\0\0\x18ftypisom" + bytes(64))
    run = colorize("run", reel.parent, "-o", tmp_path / "colour", "--dry-run", *ENGINE)
    assert run.returncode == 0, run.stderr
    assert "reel.mp4 (new; 2 s, 50 frames of 96 x 64, about" in run.stdout
    assert "sound.mp4 (new)" in run.stdout, "what cannot be told is not guessed"
    assert "1 film, 2 s, 50 frames: about" in run.stdout
    run = colorize("run", reel.parent, "-o", tmp_path / "colour", "--dry-run", "--json", *ENGINE)
    rows = {row["key"]: row for row in map(json.loads, run.stdout.splitlines())}
    assert rows["reel.mp4"]["forecast"]["frames"] == 50
    assert "forecast" not in rows["sound.mp4"]


def test_a_run_says_what_lies_ahead_and_goes_by_what_films_took(reel: Path, tmp_path: Path, colorize: Colorize) -> None:
    colour = tmp_path / "colour"
    run = colorize("run", reel.parent, "-o", colour, "--executor", "serial", *ENGINE)
    assert "1 film, 2 s, 50 frames: about" in run.stderr
    assert "roughly, no film was done here yet" in run.stderr
    write_clip(reel.parent / "other.mp4", scenes(50, 96, 64, seed=3))
    run = colorize("run", reel.parent, "-o", colour, "--executor", "serial", *ENGINE)
    assert "(as the films before)" in run.stderr


def _dies(*_: object) -> Forecast:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def test_a_header_that_kills_its_reader_does_not_end_the_run(reel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ahead = Foreteller(Settings())
    with monkeypatch.context() as patched:
        patched.setattr(foretelling, "forecast", _dies)
        assert ahead.film(reel) is None
    assert ahead.film(reel) is not None
    ahead.close()
    assert len(ahead.told) == 1


_KILLED = """
import os, signal
from pathlib import Path
from pipeline.ground.settings import Settings
from pipeline.run.forecast import Foreteller
ahead = Foreteller(Settings())
ahead.film(Path("not there.mp4"))
print(*ahead._pool._processes, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_driver_that_is_killed_as_it_looks_at_films_leaves_no_process_behind() -> None:
    """It stayed for ever, and held the pipe that cron reads from: so does this call then."""
    call = [sys.executable, "-c", _KILLED]
    killed = subprocess.run(call, env=environment(), capture_output=True, text=True, timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert int(killed.stdout) > 0

"""Colour of films in figures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av")

from pipeline.ground.errors import InputError
from pipeline.measure.clips import cdc, clip_lines, films, flicker, measure_film
from tests.conftest import in_colour
from tests.film.clips import FakeNet, scenes, write_clip


def moving(count: int, colours: list[tuple[int, int, int]]) -> list[np.ndarray]:
    """A textured picture that moves a pixel a frame, tinted by the colours in turn."""
    grey = scenes(1, 256, 192)[0].astype(float)
    frames = []
    for number in range(count):
        tint = np.array(colours[number % len(colours)])
        frames.append(np.clip(np.roll(grey, number, axis=1)[:, :, np.newaxis] * 0.6 + tint, 0, 255).astype(np.uint8))
    return frames


def test_flicker_sees_colour_that_changes_and_not_motion() -> None:
    calm, restless = moving(6, [(40, 20, 0)]), moving(6, [(40, 20, 0), (10, 20, 40)])
    shot = [range(6)]
    assert flicker(calm, shot) < 1.0
    assert flicker(restless, shot) > 8 * flicker(calm, shot)
    assert flicker(restless, [range(n, n + 1) for n in range(6)]) == 0.0, "cuts are no flicker"


def test_cdc_is_zero_for_colours_that_stay_and_grows_with_their_change() -> None:
    still = [np.full((8, 8, 3), 90, np.uint8)] * 6
    assert cdc(still, [range(6)]) == 0
    other = [np.full((8, 8, 3), 90 + number, np.uint8) for number in range(6)]
    assert cdc(other, [range(6)]) == pytest.approx(np.log(2)), "histograms that share nothing"


def test_a_film_is_measured_at_each_steadiness(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "a.mkv", [np.roll(in_colour(96, 128), n, axis=1) for n in range(40)])
    rows = {row.steady: row for row in measure_film("a", source, FakeNet(), frames=20)}  # type: ignore[arg-type]
    assert set(rows) == {"off", "normal", "strong", "truth"}
    assert rows["normal"].frames == 20
    assert rows["normal"].psnr is not None
    assert rows["truth"].psnr is None
    assert rows["truth"].colourfulness > 50
    grey = write_clip(tmp_path / "grey.mkv", scenes(12, 128, 96))
    found = measure_film("grey", grey, FakeNet())  # type: ignore[arg-type]
    assert [(row.steady, row.psnr) for row in found] == [("off", None), ("normal", None), ("strong", None)]
    lines = list(clip_lines(found))
    assert len(lines) == 7
    assert lines[-1].endswith("mean of 1")


def test_the_command_measures_films(tmp_path: Path, colorize) -> None:
    write_clip(tmp_path / "reel.mp4", scenes(9, 96, 64))
    (tmp_path / "broken.mp4").write_bytes(b"\0\0\0\x18ftypisom" + bytes(64))
    run = colorize("evaluate", tmp_path, "--films", "--json", "--engine", "opencv", "--precision", "float32")
    assert run.returncode == 3, run.stderr
    found = json.loads(run.stdout)
    assert [row["film"] for row in found["clips"]] == ["reel.mp4"] * 3
    assert "moov" in found["failed"]["broken.mp4"]
    assert films(tmp_path / "reel.mp4") == [("reel.mp4", tmp_path / "reel.mp4")]
    with pytest.raises(InputError, match="holds no films"):
        films(Path(__file__).parent)

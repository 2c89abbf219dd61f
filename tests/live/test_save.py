"""What is shown, kept as a film."""

from __future__ import annotations

import errno
import os
import sys
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av")

import av

from pipeline.ground.errors import OutputError, SettingsError
from pipeline.media.film.encoders import ENCODERS, available
from pipeline.media.film.options import FilmOptions
from pipeline.web.live.frame import Frame
from pipeline.web.live.save import Recorder
from tests.conftest import in_colour
from tests.film.clips import pictures, times_of

EVERY = [
    (name, container) for name, encoder in ENCODERS.items() if not encoder.device for container in encoder.containers
]


def record(path: Path, times: list[float], **options: object) -> None:
    with Recorder(path, FilmOptions(**options)) as recorder:
        for number, at in enumerate(times):
            recorder.add(Frame(number, at, 0.0, in_colour(64, 96)), np.roll(in_colour(64, 96), number, axis=1))


@pytest.mark.parametrize(("encoder", "container"), EVERY)
def test_a_film_that_is_kept_can_be_decoded_and_each_frame_has_its_time(
    tmp_path: Path, encoder: str, container: str
) -> None:
    if not available()[encoder]:
        pytest.skip(f"this FFmpeg has no {encoder}")
    path = tmp_path / f"kept.{container}"
    times = [0.0, 0.04, 0.041, 0.2, 0.24, 0.5, 1.5, 1.54]
    record(path, times, encoder=encoder)
    assert times_of(path) == pytest.approx(times, abs=0.0011)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_an_encoder_takes_no_realtime_priority_also_where_root_runs_it(tmp_path: Path) -> None:
    if not available()["av1"]:
        pytest.skip("this FFmpeg has no av1")
    with Recorder(tmp_path / "kept.mkv", FilmOptions(encoder="av1")) as recorder:
        recorder.add(Frame(0, 0.0, 0.0, in_colour(64, 96)), in_colour(64, 96))
        threads = [int(each.name) for each in Path("/proc/self/task").iterdir()]
        assert {os.sched_getscheduler(each) for each in threads} == {os.SCHED_OTHER}


def test_its_colours_are_those_that_were_shown(tmp_path: Path) -> None:
    path = tmp_path / "kept.mkv"
    record(path, [0.0], encoder="ffv1")
    (frame,) = pictures(path)
    assert (frame.colorspace, frame.color_range) == (6, 1)
    shown = in_colour(64, 96)
    assert np.abs(frame.to_ndarray(format="bgr24").astype(int) - shown).mean() < 6  # 4:2:0


def test_frames_of_one_moment_stay_apart(tmp_path: Path) -> None:
    path = tmp_path / "kept.mp4"
    record(path, [0.0, 0.0, 0.0001, 0.0001, 0.001, 0.04])
    times = times_of(path)
    assert len(times) == 6
    assert times == sorted(set(times))


@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_a_frame_is_in_the_file_within_three_frames(tmp_path: Path, container: str) -> None:
    path = tmp_path / f"kept.{container}"
    noise = np.random.default_rng(1).integers(0, 255, (64, 96, 3), np.uint8)
    sizes = []
    with Recorder(path, FilmOptions(encoder="h264")) as recorder:
        for number in range(10):
            recorder.add(Frame(number, number / 25, 0.0, noise), np.roll(noise, 7 * number, axis=1))
            sizes.append(next(tmp_path.glob(".*.part")).stat().st_size)
    first = next(number for number, size in enumerate(sizes) if size > 4000)
    assert first <= 3
    assert sum(b > a for a, b in pairwise(sizes)) >= 3


def test_nothing_is_left_of_a_film_that_failed_nor_made_where_no_frame_came(tmp_path: Path) -> None:
    def fail() -> None:
        with Recorder(tmp_path / "kept.mkv", FilmOptions()) as recorder:
            recorder.add(Frame(0, 0.0, 0.0, in_colour(64, 96)), in_colour(64, 96))
            raise KeyError("net")

    with pytest.raises(KeyError):
        fail()
    with Recorder(tmp_path / "kept.mkv", FilmOptions()):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Recorder, coloured: np.ndarray, at: float) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Recorder, "_timed", full)
    with pytest.raises(OutputError, match=r"kept\.mp4 cannot be written: no space left on device"):
        record(tmp_path / "kept.mp4", [0.0])
    assert list(tmp_path.iterdir()) == []


def test_what_is_wrong_is_said_before_anything_is_opened(tmp_path: Path) -> None:
    there = tmp_path / "there.mp4"
    there.write_bytes(b"mine")
    (tmp_path / "folder.mp4").mkdir()
    for path, options, kind, words in (
        (there, {}, OutputError, "--force"),
        (tmp_path / "none" / "kept.mp4", {}, OutputError, "folder"),
        (tmp_path / "folder.mp4", {}, OutputError, "is a folder"),
        (tmp_path / "kept.gif", {}, SettingsError, r"\.mp4, \.mov, \.mkv, \.webm"),
        (tmp_path / "kept", {}, SettingsError, "chooses the container"),
        (tmp_path / "kept.webm", {"encoder": "h264"}, SettingsError, "h264 goes into mp4, mov, mkv"),
    ):
        with pytest.raises(kind, match=words):
            Recorder(path, FilmOptions(**options))
    assert there.read_bytes() == b"mine"
    with Recorder(there, FilmOptions(), force=True) as recorder:
        recorder.add(Frame(0, 0.0, 0.0, in_colour(64, 96)), in_colour(64, 96))
        assert there.read_bytes() == b"mine", "the old one stays until the new one is whole"
    assert len(pictures(there)) == 1


def test_the_film_says_that_its_colours_are_invented(tmp_path: Path) -> None:
    record(tmp_path / "kept.mkv", [0.0, 0.04], provenance="invented")
    with av.open(str(tmp_path / "kept.mkv")) as container:
        assert container.metadata["COMMENT"] == "invented"
        assert container.streams.video[0].time_base == Fraction(1, 1000)

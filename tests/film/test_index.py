from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pipeline.ground.errors import ItemError
from pipeline.media.film.index import Geometry, Index, load, save, spans


def an_index(frames: int = 100, shots: tuple[int, ...] = (0, 40)) -> Index:
    return Index(
        geometry=Geometry(640, 480, "yuv420p", "h264", display_matrix=(0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)),
        container="matroska,webm",
        time_base=Fraction(1, 1000),
        rate=Fraction(30000, 1001),
        start_time=-7000,
        timestamps=np.arange(frames, dtype=np.int64) * 33,
        checksums=np.arange(frames, dtype=np.uint32) * 40_000_000,
        last_duration=33,
        shots=np.array(shots, np.int64),
        kinds=np.zeros(len(shots), np.uint8),
        chroma=np.zeros(len(shots), np.float32),
        faults=3,
        streams=("0 video h264", "1 audio aac 48000 Hz 5.1 (eng)"),
    )


def test_an_index_is_read_back_as_it_was_and_written_alike(tmp_path: Path) -> None:
    index = an_index()
    save(index, tmp_path / "one")
    save(index, tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    again = load(tmp_path / "one")
    for name in Index.__slots__:
        wanted, got = getattr(index, name), getattr(again, name)
        assert np.array_equal(wanted, got) if isinstance(wanted, np.ndarray) else wanted == got
    assert again.timestamps.dtype == np.int64


def test_a_damaged_index_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "index"
    save(an_index(), path)
    whole = path.read_bytes()
    for data in (b"", b"nonsense", whole[: len(whole) // 2]):
        path.write_bytes(data)
        with pytest.raises(ItemError, match="index cannot be read back"):
            load(path)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nowhere")


def test_shots_know_their_frames() -> None:
    index = replace(an_index(), kinds=np.array([0, 2], np.uint8))
    assert index.shot_of(0) == index.shot_of(39) == range(0, 40)
    assert index.shot_of(40) == index.shot_of(99) == range(40, 100)
    assert (index.kind_of(39), index.kind_of(40)) == ("neutral", "color")
    assert index.verdict == "color"
    assert not index.all_color
    assert index.seconds == pytest.approx(3.3)


def test_spans_cover_a_film_once_and_prefer_cuts() -> None:
    index = an_index(1000, (0, 205, 500, 777))
    borders = spans(index, 200)
    assert borders[0][0] == 0
    assert [a for a, _ in borders[1:]] == [b for _, b in borders[:-1]]
    assert borders[-1][1] == 1000
    assert 500 in [a for a, _ in borders]
    assert spans(an_index(5, (0,)), 200) == [(0, 5)]


@pytest.mark.parametrize("frames", [1, 2, 100, 101, 199, 200, 399, 401, 1000, 1234, 8765])
def test_spans_leave_no_worker_waiting(frames: int) -> None:
    """Shots at every 37th frame: the worst that preferring cuts can do."""
    borders = spans(an_index(frames, tuple(range(0, frames, 37))), 200)
    lengths = [b - a for a, b in borders]
    assert sum(lengths) == frames
    assert len(lengths) % 2 == 0 or frames <= 100
    assert max(lengths) <= 200 * 5 // 4
    assert min(lengths) >= 0.7 * max(lengths)

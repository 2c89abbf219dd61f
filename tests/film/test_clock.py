"""Clocks that start again, and signals that change or mean something else."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

av = pytest.importorskip("av")

from pipeline.ground.errors import ItemError  # noqa: E402
from pipeline.media.film.clock import Clock  # noqa: E402
from pipeline.media.film.index import load, save  # noqa: E402
from pipeline.media.film.scan import scan  # noqa: E402
from pipeline.media.film.signals import refuse_unknown_signals  # noqa: E402
from pipeline.media.reels import _notes  # noqa: E402
from tests.film.clips import FakeNet, packets_of, scenes, times_of, write_clip  # noqa: E402
from tests.film.whole import colorize_film  # noqa: E402


def told(clock: Clock, said: list[int | None], step: int = 40) -> list[int]:
    times: list[int] = []
    for each in said:
        times.append(clock.time(each, times[-1] if times else None, step))
    return times


def test_a_clock_that_starts_again_goes_on_with_its_own_steps() -> None:
    clock = Clock()
    assert told(clock, [100, 140, 180, 0, 40, 110, 150]) == [100, 140, 180, 220, 260, 330, 370]
    assert (clock.restarts, clock.mended) == ([220], 0)


def test_one_time_out_of_order_is_no_new_beginning() -> None:
    clock = Clock()
    assert told(clock, [0, 40, 80, 10, 160, None, 240]) == [0, 40, 80, 120, 160, 200, 240]
    assert (clock.restarts, clock.mended) == ([], 2)


def test_a_clock_starts_again_more_than_once() -> None:
    clock = Clock()
    assert told(clock, [0, 40, 0, 40, 0, 40, 80]) == [0, 40, 80, 120, 160, 200, 240]
    assert clock.restarts == [80, 160]


def laid_behind_each_other(folder: Path, suffix: str, *options: dict[str, Any]) -> Path:
    ones = [
        write_clip(folder / f"{number}.{suffix}", scenes(60 - 10 * number, 64, 48, seed=number + 1), **each)
        for number, each in enumerate(options)
    ]
    source = folder / f"a.{suffix}"
    source.write_bytes(b"".join(each.read_bytes() for each in ones))
    return source


@pytest.mark.parametrize(
    ("suffix", "options"), [("ts", {}), ("mpg", {"codec": "mpeg2video", "format": "mpeg"})], ids=["ts", "mpg"]
)
def test_sound_stays_with_its_picture_where_the_clock_starts_again(
    suffix: str, options: dict[str, Any], tmp_path: Path
) -> None:
    one = {"sound": [("mp2", "stereo")], **options}
    source = laid_behind_each_other(tmp_path, suffix, one, one)
    result = colorize_film(source, tmp_path / "out.mkv", FakeNet(), length=40)
    assert "its clock starts again in the middle" in _notes(result.index)
    times = times_of(tmp_path / "out.mkv")
    assert len(times) == 110
    assert packets_of(tmp_path / "out.mkv", "audio") == packets_of(source, "audio")
    with av.open(str(tmp_path / "out.mkv")) as film:
        heard = [float(each.pts * each.time_base) for each in film.demux(film.streams.audio[0]) if each.size]
    steps = np.diff(heard)
    assert steps.min() > 0.02  # none on top of the other
    assert steps.max() < 0.1
    assert heard[-1] == pytest.approx(times[-1], abs=0.06)
    kept = tmp_path / "index.npz"
    save(result.index, kept)
    assert load(kept).restarts == result.index.restarts != ()


def test_what_changes_in_the_middle_is_said(tmp_path: Path) -> None:
    one, other = ({"picture": {"sample_aspect_ratio": Fraction(*each)}} for each in ((1, 1), (4, 3)))
    notes = _notes(scan(laid_behind_each_other(tmp_path, "ts", one, other)))
    assert "its sample aspect changes about frame" in notes
    assert "its sample aspect" not in _notes(scan(tmp_path / "0.ts"))


_NUMBERS = {"color_trc": 18, "colorspace": 9, "color_primaries": 9}


def tagged(path: Path, frames: list[np.ndarray], **picture: int) -> Path:
    return write_clip(path, frames, picture=picture, options={"qp": "0"})


def test_hdr_is_refused_or_said(tmp_path: Path) -> None:
    frames = scenes(5, 64, 48)
    for number, word in ((16, "PQ"), (8, "linear")):
        index = scan(tagged(tmp_path / "a.mkv", frames, **{**_NUMBERS, "color_trc": number}))
        with pytest.raises(ItemError, match=word):
            refuse_unknown_signals(index, keep_colour=True)
    hlg = scan(tagged(tmp_path / "a.mkv", frames, **_NUMBERS))
    refuse_unknown_signals(hlg, keep_colour=True)
    assert "HLG" in _notes(hlg)


def test_colour_in_a_matrix_that_is_not_known_is_refused_and_grey_is_not(tmp_path: Path) -> None:
    grey = scenes(20, 64, 48)
    refuse_unknown_signals(scan(tagged(tmp_path / "grey.mkv", grey, colorspace=8)), keep_colour=True)
    colour = [np.dstack([each, 255 - each, np.roll(each, 9)]) for each in grey]
    mixed = scan(tagged(tmp_path / "mixed.mkv", [np.dstack([each] * 3) for each in grey] + colour, colorspace=8))
    with pytest.raises(ItemError, match="YCgCo"):
        refuse_unknown_signals(mixed, keep_colour=True)
    refuse_unknown_signals(mixed, keep_colour=False)


def test_a_second_picture_is_kept_and_said_to_be_grey_still(tmp_path: Path) -> None:
    plain = write_clip(tmp_path / "b.mkv", scenes(8, 64, 48))
    source = tmp_path / "a.mkv"
    with av.open(str(plain)) as film, av.open(str(source), "w") as out:
        copies = [out.add_stream_from_template(film.streams.video[0], opaque=True) for _ in range(2)]
        packets = [(packet, bytes(packet)) for packet in film.demux() if packet.size]
        for (packet, data), copy in itertools.product(packets, copies):
            twin = av.Packet(data)
            twin.pts, twin.dts, twin.time_base, twin.stream = packet.pts, packet.dts, packet.time_base, copy
            out.mux(twin)
    result = colorize_film(source, tmp_path / "out.mkv", FakeNet())
    assert result.joined.lost == ("video stream 1 is another picture, and is kept as it is",)

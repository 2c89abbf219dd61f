"""What films do to those who open them: cut off, lying, hostile, damaged; and kills at random moments."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

av = pytest.importorskip("av")

from pipeline.ground.errors import ItemError  # noqa: E402
from pipeline.media.film.scan import scan  # noqa: E402
from tests.conftest import ENTRY, environment, manifest  # noqa: E402
from tests.film.clips import FakeNet, packets_of, pictures, scenes, times_of, write_clip  # noqa: E402
from tests.film.whole import colorize_film  # noqa: E402

Colorize = Callable[..., subprocess.CompletedProcess[str]]
ENGINE = ("--engine", "opencv", "--precision", "float32")
_PATIENCE = 900  # seconds for a run that nobody disturbs, on a machine that has other things to do


def headed(path: Path) -> Path:
    """A film with a header, and not one frame behind it."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        out.start_encoding()
    return path


def with_sound_of(picture: Path, sound: Path, target: Path) -> Path:
    with av.open(str(picture)) as one, av.open(str(sound)) as other, av.open(str(target), "w") as out:
        copies = [(source.streams[0] if source is one else source.streams.audio[0], source) for source in (one, other)]
        made = [out.add_stream_from_template(stream, opaque=True) for stream, _ in copies]
        for (stream, source), copy in zip(copies, made, strict=True):
            for packet in source.demux(stream):
                if packet.size and packet.dts is not None:
                    packet.stream = copy
                    out.mux(packet)
    return target


def test_a_header_without_frames_is_refused(tmp_path: Path) -> None:
    for suffix in ("mkv", "avi"):
        with pytest.raises(ItemError, match=r"before its first frame|holds no frames"):
            scan(headed(tmp_path / f"a.{suffix}"))


def test_sound_that_is_longer_than_the_picture_is_kept_whole(tmp_path: Path) -> None:
    picture = write_clip(tmp_path / "picture.mp4", scenes(10, 64, 48))
    sound = write_clip(tmp_path / "sound.mp4", scenes(75, 64, 48), sound=[("aac", "stereo")])
    source = with_sound_of(picture, sound, tmp_path / "a.mp4")
    colorize_film(source, tmp_path / "out.mp4", FakeNet())
    assert len(pictures(tmp_path / "out.mp4")) == 10
    assert packets_of(tmp_path / "out.mp4", "audio") == packets_of(source, "audio")
    assert len(packets_of(source, "audio")[0]) > 100


@pytest.mark.parametrize("factor", [0, 1000, 0.1])
def test_a_file_that_lies_about_its_length_is_colored_as_it_is(factor: float, tmp_path: Path) -> None:
    source = write_clip(tmp_path / "a.mp4", scenes(30, 64, 48), sound=[("aac", "mono")])
    honest = times_of(source)
    data = bytearray(source.read_bytes())
    for box, place in ((b"mvhd", 20), (b"mdhd", 20), (b"tkhd", 24)):
        at = data.find(box)
        while at >= 0:
            (length,) = struct.unpack_from(">I", data, at + place)
            struct.pack_into(">I", data, at + place, min(int(length * factor), 0xFFFFFFFE))
            at = data.find(box, at + 4)
    source.write_bytes(data)
    result = colorize_film(source, tmp_path / "out.mp4", FakeNet())
    assert result.joined.frames == 30
    assert np.allclose(times_of(tmp_path / "out.mp4"), honest, atol=0.0011)


HOSTILE = {
    "concat.mp4": "ffconcat version 1.0\nfile {there}\n",
    "concat.mkv": "\n\n ffconcat version 1.0\nfile {there}\n",
    "hls.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{there}\n#EXT-X-ENDLIST\n",
    "hls.mov": "\ufeff#EXTM3U\n#EXTINF:4,\nhttp://127.0.0.1:9/a.ts\n",
    "sdp.mp4": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n",
    "dash.mp4": '<?xml version="1.0"?><MPD><Period><BaseURL>{there}</BaseURL></Period></MPD>',
    "smil.avi": '<SMIL><body><video src="{there}"/></body></SMIL>',
    "asx.avi": '<asx version="3.0"><entry><ref href="{there}"/></entry></asx>',
    "pls.mkv": "[playlist]\nFile1={there}\n",
    "rtsp.mov": "rtsptextRTSP://127.0.0.1:9/a.mov\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_that_points_elsewhere_is_closed_again(name: str, tmp_path: Path) -> None:
    there = write_clip(tmp_path / "there.mp4", scenes(3, 64, 48))
    hostile = tmp_path / "in" / name
    hostile.parent.mkdir()
    hostile.write_text(HOSTILE[name].format(there=there))
    with pytest.raises(ItemError) as caught:
        scan(hostile)
    assert "there.mp4" not in str(caught.value)


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc and strace-like tools of Linux")
def test_a_reference_inside_a_mov_is_not_followed(tmp_path: Path) -> None:
    """The samples of a MOV may lie in another file: the data reference names it."""
    there = write_clip(tmp_path / "there.mov", scenes(12, 64, 48))
    data = there.read_bytes()
    name = str(there).encode() + b"\0"
    at = data.index(b"url \0\0\0\1") - 4
    # Names of one length would be needed to enlarge nothing: the reference gives up the room of a `free` box instead.
    reference = struct.pack(">I4sI", 12 + len(name), b"url ", 0) + name
    grown = len(reference) - 12
    hostile = bytearray(data[:at] + reference + data[at + 12 :])
    for box in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"):
        place = hostile.index(box) - 4
        (size,) = struct.unpack_from(">I", hostile, place)
        struct.pack_into(">I", hostile, place, size + grown)
    source = tmp_path / "a.mov"
    mdat = hostile.index(b"mdat")
    (size,) = struct.unpack_from(">I", hostile, mdat - 4)
    hostile[mdat + 4 : mdat - 4 + size] = bytes(size - 8)  # its own samples hold nothing
    source.write_bytes(hostile)
    with pytest.raises(ItemError):
        scan(source)


def test_faults_in_an_archive_each_have_their_reason(tmp_path: Path, colorize: Colorize) -> None:
    scans, colour = tmp_path / "scans", tmp_path / "colour"
    scans.mkdir()
    write_clip(scans / "good.mp4", scenes(10, 64, 48))
    cut = write_clip(scans / "cut.mp4", scenes(40, 64, 48))
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    headed(scans / "headed.mkv")
    (scans / "empty.mp4").write_bytes(b"")
    damaged = write_clip(scans / "damaged.mkv", scenes(60, 128, 96), options={"g": "20"})
    data = bytearray(damaged.read_bytes())
    for place in np.random.default_rng(2).integers(len(data) // 5, len(data) * 4 // 5, 12):
        data[int(place)] ^= 0x10
    damaged.write_bytes(data)
    with av.open(str(scans / "sound.mp4"), "w") as out:
        stream = out.add_stream("aac", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 48000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))

    run = colorize("run", scans, "-o", colour, "--executor", "serial", *ENGINE)

    assert run.returncode == 3, run.stderr
    found = manifest(colour)
    assert {name: row["status"] for name, row in found.items()} == {
        "good.mp4": "done",
        "damaged.mkv": "done",
        "cut.mp4": "failed",
        "headed.mkv": "failed",
        "sound.mp4": "failed",
        "empty.mp4": found["empty.mp4"]["status"],
    }
    assert found["empty.mp4"]["status"] in ("unsupported", "failed")
    assert "moov" in found["cut.mp4"]["reason"]
    assert "sound only" in found["sound.mp4"]["reason"]
    assert "empty" in found["empty.mp4"]["reason"]
    assert "packets or frames were concealed by the decoder" in found["damaged.mkv"]["reason"]


def _killed_again_and_again(
    tmp_path: Path, colorize: Colorize, cache: Path, net: Path, kills: int, frames: int
) -> None:
    """Kill runs at random moments, let them go on each time, and compare with a run that nobody disturbed.

    A film that is done before the kills are used up is coloured anew: no kill goes to a run that has nothing to do.
    """
    scans, whole = tmp_path / "scans", tmp_path / "whole"
    scans.mkdir()
    write_clip(scans / "reel.mp4", scenes(frames, 64, 48), options={"preset": "ultrafast"}, sound=[("aac", "mono")])
    command = ["run", scans, "-j", "2", "--no-progress", "--model", net, *ENGINE]
    began = time.monotonic()
    assert colorize(*command, "-o", whole, timeout=_PATIENCE).returncode == 0
    usual = time.monotonic() - began
    moments = random.Random(kills)
    left, rounds = kills, itertools.count()
    while left:
        colour = tmp_path / f"colour-{next(rounds)}"
        began = time.monotonic()
        while left and _killed([*command, "-o", colour], cache, moments.uniform(0.3, max(0.5, usual / 2))):
            left -= 1
            began = time.monotonic()
        if left:
            usual = min(usual, time.monotonic() - began)  # the first one had to choose an engine, too
        last = colorize(*command, "-o", colour, timeout=_PATIENCE)
        assert last.returncode == 0, last.stderr
        assert (colour / "reel.mp4").read_bytes() == (whole / "reel.mp4").read_bytes()
        files = [path for path in (colour / ".colorize").rglob("*") if path.is_file() and "journal" not in path.name]
        assert [path for path in files if path.suffix in (".part", ".npz", ".film")] == []
        assert manifest(colour)["reel.mp4"]["status"] == "done"
        print(f"whole again after kill {kills - left} of {kills}")


def _killed(command: list[Any], cache: Path, seconds: float) -> bool:
    """Begin a run and kill it after a while; False where it had finished before."""
    run = _begun(command, cache)
    try:
        run.wait(seconds)
    except subprocess.TimeoutExpired:
        _kill(run)
        return True
    assert run.returncode == 0
    return False


def _begun(command: list[Any], cache: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*ENTRY, *map(str, command)],
        env=environment(XDG_CACHE_HOME=str(cache)),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _kill(run: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):  # it had finished
        os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    time.sleep(0.5)  # workers see within a moment that their driver is gone


def test_three_kills_at_random_moments(tmp_path: Path, colorize: Colorize, user_cache: Path, tiny_net: Path) -> None:
    _killed_again_and_again(tmp_path, colorize, user_cache, tiny_net, 3, 500)


@pytest.mark.soak
def test_twenty_kills_at_random_moments(tmp_path: Path, colorize: Colorize, user_cache: Path, tiny_net: Path) -> None:
    _killed_again_and_again(tmp_path, colorize, user_cache, tiny_net, 20, 3000)


HOUR = """
import resource, sys
from pathlib import Path
from tests.film.clips import FakeNet, scenes, write_clip
from tests.film.whole import colorize_film
folder, frames = Path(sys.argv[1]), int(sys.argv[2])
few = scenes(50, 32, 32)

class Many:
    def __len__(self): return frames
    def __getitem__(self, number):
        if number >= frames: raise IndexError
        return few[number % 50]

source = write_clip(folder / f"{frames}.mkv", Many(), options={"preset": "ultrafast"})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
result = colorize_film(source, folder / f"{frames}-colour.mkv", FakeNet())
assert result.joined.frames == frames
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.soak
@pytest.mark.skipif(sys.platform != "linux", reason="memory in kilobytes, as Linux tells it")
def test_memory_stays_flat_over_an_hour(tmp_path: Path) -> None:
    peaks = {}
    for frames in (9_000, 90_000):  # six minutes, and an hour, at 25 frames a second
        call = [sys.executable, "-c", HOUR, str(tmp_path), str(frames)]
        run = subprocess.run(call, env=environment(), capture_output=True, text=True, check=True)
        peaks[frames] = int(run.stdout) * 1024
    print(f"peak memory: {peaks}")
    assert (peaks[90_000] - peaks[9_000]) / 81_000 < 200, "bytes a frame"


CLOSED = """
import sys
from pathlib import Path
from pipeline.media.film.source import decoded, moving_picture, open_film
with open_film(Path(sys.argv[1])) as film:
    frames = decoded(film, moving_picture(film))
    next(frames)
try:
    list(frames)
except ValueError as error:
    print(error)
"""


def test_frames_of_a_film_that_was_closed_are_an_error_and_no_crash(tmp_path: Path) -> None:
    film = write_clip(tmp_path / "a.mp4", scenes(30, 64, 48))
    call = [sys.executable, "-c", CLOSED, str(film)]
    run = subprocess.run(call, env=environment(), capture_output=True, text=True, check=True)
    assert "closed while its frames were still wanted" in run.stdout

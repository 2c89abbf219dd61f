"""What SOURCE means, and one sentence for what cannot be read."""

from __future__ import annotations

import http.server
import importlib.util
import socket
import threading
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("av")

from pipeline.ground.errors import InputError, SettingsError
from pipeline.media.reels import NEEDED
from pipeline.web.live import camera, moving
from pipeline.web.live.source import find_source, without_password
from tests.film.clips import pictures, scenes, write_clip

QUARTER = (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)


def shown(text: object, width: int = 500) -> list[tuple[float | None, np.ndarray]]:
    return list(find_source(str(text), width).pictures())


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The address of a folder, served over HTTP."""
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_file_gives_its_frames_at_their_times(clip: Path) -> None:
    found = shown(clip)
    assert [at for at, _ in found] == pytest.approx([number / 25 for number in range(50)])
    assert {each.shape for _, each in found} == {(64, 96, 3)}
    truth = [frame.to_ndarray(format="gray") for frame in pictures(clip)]
    assert np.abs(found[10][1].mean() - truth[10].mean()) < 2


def test_pictures_are_upright_and_no_wider_than_wanted(tmp_path: Path) -> None:
    frames = scenes(3, 96, 64)
    frames[0][:, :48], frames[0][:, 48:] = 20, 230
    film = write_clip(tmp_path / "turned.mp4", frames, matrix=QUARTER)
    _, picture = shown(film, 32)[0]
    assert picture.shape == (48, 32, 3)
    assert abs(int(picture[4].mean()) - int(picture[-4].mean())) > 150, "left and right are now above and below"


def test_a_film_with_an_end_behind_an_address_is_timed_like_a_file(tmp_path: Path, served: str) -> None:
    write_clip(tmp_path / "reel.mp4", scenes(10, 96, 64), container_options={"movflags": "+faststart"})
    found = shown(f"{served}/reel.mp4")
    assert [at for at, _ in found] == pytest.approx([number / 25 for number in range(10)])


def test_a_camera_of_the_network_gives_its_pictures_as_they_come(tmp_path: Path, served: str) -> None:
    body = b"".join(
        b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n" % (len(jpeg), jpeg)
        for jpeg in (cv2.imencode(".jpg", each)[1].tobytes() for each in scenes(5, 96, 64))
    )
    (tmp_path / "stream.mjpeg").write_bytes(body)
    found = shown(f"{served}/stream.mjpeg")
    assert len(found) == 5
    assert {at for at, _ in found} == {None}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("film.mp4", b"no film at all " * 90, "not a film"),
        ("film.mp4", b"", "no bytes"),
        ("film.m3u8", b"#EXTM3U\n/etc/passwd\n", "only the file itself is ever opened"),
        ("cut.mp4", b"\0\0\0\x18ftypisom" + bytes(64), "moov"),
    ],
)
def test_a_file_that_is_no_film(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        shown(tmp_path / name)
    assert str(caught.value).startswith(str(tmp_path / name))


def test_what_is_not_there(tmp_path: Path) -> None:
    for text, words in ((tmp_path / "none.mp4", "not there"), (tmp_path, "a folder"), ("", "a folder")):
        with pytest.raises(InputError, match=words):
            find_source(str(text), 500)
    with pytest.raises(InputError, match="no camera 97"):
        shown("97")


def test_an_address_that_does_not_answer() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # and never listens
        port = held.getsockname()[1]
        for scheme in ("http", "rtsp"):
            with pytest.raises(InputError, match="does not answer: connection refused") as caught:
                shown(f"{scheme}://user:secret@127.0.0.1:{port}/film")
            assert "secret" not in str(caught.value)


def test_an_address_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moving, "_SECONDS", (0.3, 0.3))
    refused = pytest.raises(InputError, match="does not answer: nothing came")
    with socket.create_server(("127.0.0.1", 0)) as silent, refused:
        shown(f"http://127.0.0.1:{silent.getsockname()[1]}/film")


def test_an_address_that_is_no_film_or_leads_to_files_here(tmp_path: Path, served: str, clip: Path) -> None:
    (tmp_path / "page.html").write_text("<html>" * 99, encoding="utf-8")
    (tmp_path / "list.m3u8").write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile://{clip}\n#EXT-X-ENDLIST\n", encoding="utf-8"
    )
    (tmp_path / "list.txt").write_text(f"ffconcat version 1.0\nfile '{clip}'\n", encoding="utf-8")
    for name in ("page.html", "list.m3u8", "list.txt"):
        with pytest.raises(InputError, match="sends no film"):
            shown(f"{served}/{name}")
    with pytest.raises(InputError, match=r"does not answer: .*404"):
        shown(f"{served}/none.mp4")


@pytest.mark.parametrize("text", ["file:///etc/passwd", "concat://a", "ftp://host/film.mp4", "HLS://x"])
def test_other_addresses_are_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="rtsp://, rtsps://, http://, https://"):
        find_source(text, 500)


def test_an_address_is_shown_without_its_secrets() -> None:
    assert without_password("rtsp://me:secret@cam:554/one?key=secret") == "rtsp://cam:554/one"
    assert find_source("http://me:secret@cam/one", 500).name == "http://cam/one"


def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch, clip: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for text in (str(clip), "http://host/film"):
        with pytest.raises(SettingsError) as caught:
            find_source(text, 500)
        assert str(caught.value) == NEEDED


class Capture:
    """Stands in for `cv2.VideoCapture`."""

    left = 3
    opened = True

    def __init__(self, which: int | str) -> None:
        self.which, self.released = which, False
        Capture.latest = self

    def isOpened(self) -> bool:
        return self.opened

    def set(self, name: int, value: float) -> bool:
        return False

    def read(self) -> tuple[bool, np.ndarray | None]:
        self.left -= 1
        return (True, np.full((480, 640, 3), 90, np.uint8)) if self.left >= 0 else (False, None)

    def release(self) -> None:
        self.released = True


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> type[Capture]:
    fresh = type("Plugged", (Capture,), {})
    monkeypatch.setattr(cv2, "VideoCapture", fresh)
    monkeypatch.setattr(camera.CameraSource, "_check", lambda self: None)
    return fresh


def test_a_camera_gives_pictures_as_they_come_and_is_let_go(plugged: type[Capture]) -> None:
    found = shown("0")
    assert [(at, picture.shape) for at, picture in found] == [(None, (374, 500, 3))] * 3
    assert Capture.latest.which == 0
    assert Capture.latest.released
    reader = find_source("0", 500).pictures()
    assert len(list(islice(reader, 1))) == 1
    reader.close()
    assert Capture.latest.released


def test_a_camera_that_is_taken_or_dead(plugged: type[Capture]) -> None:
    plugged.left = 0
    with pytest.raises(InputError, match="camera 0 gives no picture"):
        shown("0")
    plugged.opened = False
    with pytest.raises(InputError, match="no camera 0 here, or another program has it"):
        shown("0")

"""The page over real HTTP, and who may look."""

from __future__ import annotations

import base64
import http.client
import re
import socket
import threading
from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from pipeline.ground.errors import OutputError, SettingsError
from pipeline.web import server as serving_module
from pipeline.web.door import Door
from pipeline.web.live import server
from pipeline.web.live.screen import Figures, Pace, Screen, Shown
from pipeline.web.live.server import serving
from tests.conftest import in_colour
from tests.live.stand_ins import frame_of, get, until


def shown(number: int) -> Shown:
    colour = in_colour(48, 64)
    return Shown(number, (colour, colour[:, :, 1], colour), Figures(24.96, 31.4, 1, 7, 2), "reel.mp4")


class Page:
    """A page that is served, what it shows, and whether somebody ended it."""

    def __init__(self, host: str) -> None:
        self.screen, self.ended = Screen(), threading.Event()
        self.serving = serving(host, 0, self.screen, self.ended.set)


@pytest.fixture
def page() -> Iterator[Page]:
    made = Page("127.0.0.1")
    with made.serving as made.address:
        yield made


def test_the_page_runs_nothing_but_itself(page: Page) -> None:
    status, body, headers = get(page.address, "/")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    nonce = re.search(r"script-src 'nonce-([\w-]+)'", headers["Content-Security-Policy"])[1]
    assert f'<script nonce="{nonce}">'.encode() in body
    assert b"{{" not in body
    assert b"http://" not in body
    assert b"https://" not in body
    assert nonce not in get(page.address, "/")[2]["Content-Security-Policy"], "each answer has its own"
    assert headers["Cache-Control"] == "no-store"


def test_a_frame_is_three_pictures_and_its_figures(page: Page) -> None:
    page.screen.show(shown(4))
    frame = frame_of(page.address)
    pictures = [cv2.imdecode(np.frombuffer(base64.b64decode(each), np.uint8), -1) for each in frame.pop("pictures")]
    assert [each.shape for each in pictures] == [(48, 64, 3), (48, 64), (48, 64, 3)]
    assert np.abs(pictures[2].astype(int) - in_colour(48, 64)).mean() < 8
    assert frame == {
        "number": 4, "title": "reel.mp4", "rate": 25.0, "latency": 31.4, "behind": 1, "dropped": 2, "width": 64,
        "height": 48,
    }  # fmt: skip


def test_a_page_waits_for_the_next_frame_and_gets_the_newest(page: Page) -> None:
    page.screen.show(shown(4))
    found: list[int] = []
    waiting = threading.Thread(target=lambda: found.append(frame_of(page.address, after=4)["number"]))
    waiting.start()
    until(lambda: page.screen.watched)
    assert found == []
    page.screen.show(shown(9))
    waiting.join(10)
    assert found == [9]


def test_nothing_new_and_the_end(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_WAIT", 0.05)
    assert get(page.address, "/frame")[0] == 204
    page.screen.show(shown(4))
    assert get(page.address, "/frame?after=4")[0] == 204
    assert frame_of(page.address)["number"] == 4
    page.screen.end()
    assert get(page.address, "/frame?after=4")[0] == 410


def test_q_on_the_page(page: Page) -> None:
    origin = page.address.rstrip("/")
    assert get(page.address, "/quit")[0] == 404, "a link ends nothing"
    assert get(page.address, "/quit", "POST")[0] == 403
    assert get(page.address, "/quit", "POST", Origin="http://evil.example")[0] == 403
    assert get(page.address, "/quit", "POST", Origin="null")[0] == 403
    assert not page.ended.is_set()
    assert get(page.address, "/other", "POST", Origin=origin)[0] == 404
    assert get(page.address, "/quit", "POST", Origin=origin)[0] == 200
    assert page.ended.wait(5)


@pytest.mark.parametrize("path", ["/../pyproject.toml", "/page.html", "/frames", "/%2e%2e/x"])
def test_nothing_else_is_served(page: Page, path: str) -> None:
    assert get(page.address, path)[0] == 404


def test_a_name_that_leads_here_is_refused(page: Page) -> None:
    page.screen.show(shown(1))
    port = page.address.rstrip("/").rpartition(":")[2]
    for host in (f"evil.example:{port}", "192.168.1.5", "", "127.0.0.1.evil.example", "[::1", f"localhost.evil:{port}"):
        assert get(page.address, "/frame", Host=host)[0] == 403, host
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}", "localhost:9000"):  # a tunnel's port
        assert get(page.address, "/frame", Host=host)[0] == 200, host
    assert get(page.address, "/frame", Origin="http://evil.example")[0] == 403


def test_beyond_this_machine_the_token_is_asked_for() -> None:
    page = Page("0.0.0.0")
    page.screen.show(shown(1))
    with page.serving as address:
        token = address.partition("?token=")[2]
        assert len(token) >= 32
        wrong = ("", "?token=", f"?token={token[:-1]}", "?token=%C3%BC", f"?TOKEN={token}")
        for path in ("/" + each for each in (*wrong, *(f"frame{each}" for each in wrong))):
            assert get(address, path)[0] == 403, path
        assert get(address, f"/?token={token}")[0] == 200
        assert get(address, f"/frame?token={token}")[0] == 200
        assert get(address, f"/frame?token={token}", Host="evil.example")[0] == 403
        assert get(address, f"/frame?token={token}", Host="192.168.1.5:8765")[0] == 200
        assert get(address, f"/frame?token={token}", Host=f"{socket.gethostname()}:1")[0] == 200


def test_tokens_differ_and_one_is_made_only_where_it_is_needed() -> None:
    tokens = {Door("192.168.1.5").token for _ in range(20)}
    assert len(tokens) == 20
    assert [Door(host).token for host in ("127.0.0.1", "::1", "localhost", "127.0.0.2")] == [""] * 4


def test_a_port_that_is_taken_and_an_address_of_another_machine() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        with pytest.raises(OutputError, match=f"port {port}: address already in use.*--port 0"):
            serving("127.0.0.1", port, Screen(), lambda: None).__enter__()
    with pytest.raises(OutputError, match=r"203\.0\.113\.7"):
        serving("203.0.113.7", 0, Screen(), lambda: None).__enter__()
    with pytest.raises(SettingsError, match="no address of this machine"):
        serving("no such host", 0, Screen(), lambda: None).__enter__()


def test_so_many_connections_and_no_more(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    port = int(page.address.rstrip("/").rpartition(":")[2])
    idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(40)]

    def refused() -> bool:
        try:
            get(page.address, "/")
        except (http.client.HTTPException, OSError):
            return True
        return False

    assert until(refused)
    for each in idle:
        each.close()
    assert until(lambda: not refused())


def test_a_byte_now_and_then_does_not_hold_a_connection(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving_module._Handler, "timeout", 0.5)
    with socket.create_connection(("127.0.0.1", int(page.address.rstrip("/").rpartition(":")[2]))) as slow:

        def let_go() -> bool:
            try:
                slow.sendall(b"x")
            except OSError:
                return True
            return False

        slow.sendall(b"GET / HTTP/1.1\r\nX: ")
        assert until(let_go)


@pytest.mark.parametrize(("name", "second", "status"), [
    ("Host", "evil.example", b"403"), ("Origin", "http://evil.example", b"403"), ("Content-Length", "7", b"411"),
])  # fmt: skip
def test_what_is_said_twice_is_nobodys_word(page: Page, name: str, second: str, status: bytes) -> None:
    here = page.address.removeprefix("http://").rstrip("/")
    said = {"Host": here, "Origin": f"http://{here}", "Content-Length": "0", "Connection": "close"}
    lines = [f"{key}: {value}" for key, value in said.items()]
    for more, expected in (([f"{name}: {second}"], status), ([], b"200")):
        with socket.create_connection(("127.0.0.1", int(here.rpartition(":")[2]))) as connection:
            connection.sendall("\r\n".join(["POST /quit HTTP/1.1", *lines, *more, "", ""]).encode())
            assert connection.makefile("rb").readline().split()[1] == expected


def test_the_server_is_gone_after_the_block() -> None:
    page = Page("127.0.0.1")
    with page.serving as address:
        assert get(address, "/")[0] == 200
    with pytest.raises(ConnectionRefusedError):
        get(address, "/")


def test_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("pipeline.web.live.screen.time.monotonic", lambda: now[0])
    pace = Pace()
    for number in range(101):
        figures = pace.add(now[0] - 0.03, behind=3 if number == 7 else 1, dropped=number // 10)
        now[0] += 0.04
    assert figures.rate == pytest.approx(25)
    assert figures.latency == pytest.approx(30)
    assert (figures.shown, figures.dropped, figures.behind, figures.slowest) == (101, 10, 1, 3)

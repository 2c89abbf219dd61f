"""A small archive that a real run has coloured, and `colorize review` over it, as a user calls it."""

from __future__ import annotations

import http.client
import json
import queue
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import cv2
import pytest

from pipeline.ground.settings import Settings
from pipeline.run.driver import run_archive
from pipeline.run.summary import Summary
from pipeline.web.review.serve import Wanted, review
from tests.conftest import ENTRY, coat, environment, in_colour, landscape


@dataclass
class Archive:
    """INPUT and OUTPUT, and runs over them."""

    source: Path
    output: Path

    def run(self, **settings: object) -> Summary:
        """Colorize it, in this process."""
        wanted = Settings(engine="opencv", precision="float32", executor="serial", **settings)  # type: ignore[arg-type]
        return run_archive([self.source], self.output, wanted, bar=False, quiet=True)


@pytest.fixture
def archive(tmp_path: Path, user_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    monkeypatch.setenv("XDG_CACHE_HOME", str(user_cache))
    source = tmp_path / "in"
    for key, pixels in {
        "box/coat.jpg": coat(),
        "box/hills.jpg": landscape(1, 200, 300),
        "box/more.png": landscape(2, 200, 300),
        "colour.png": in_colour(),
    }.items():
        (source / key).parent.mkdir(parents=True, exist_ok=True)
        (source / key).write_bytes(cv2.imencode(Path(key).suffix, pixels)[1].tobytes())
    made = Archive(source, tmp_path / "out")
    made.run()
    return made


@dataclass
class Served:
    """A page that is served, asked as any program could."""

    address: str

    @property
    def token(self) -> str:
        return urlsplit(self.address).path

    def ask(self, path: str, body: Any = None, **headers: str) -> tuple[int, bytes, dict[str, str]]:
        """Ask for what is below the address; a body makes it a POST from the page itself."""
        place = urlsplit(self.address)
        connection = http.client.HTTPConnection("127.0.0.1", place.port, timeout=60)
        own = {"Host": place.netloc} | ({"Origin": f"http://{place.netloc}"} if body is not None else {})
        target = path if path.startswith("/") else self.token + path
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        try:
            connection.request("GET" if data is None else "POST", target, data, own | headers)
            answer = connection.getresponse()
            return answer.status, answer.read(), dict(answer.getheaders())
        finally:
            connection.close()

    def decide(self, key: str, **change: Any) -> tuple[int, str]:
        status, body, _ = self.ask("decide", {"key": key, "change": change})
        return status, body.decode()

    def preview(self, key: str, **said: Any) -> tuple[int, bytes]:
        status, body, _ = self.ask("preview", {"key": key, "said": said})
        return status, body

    def picture(self, side: str, key: str) -> tuple[int, bytes]:
        return self.ask(f"picture/{side}/{quote(key, safe='')}")[:2]


@contextmanager
def serve(output: Path) -> Iterator[Served]:
    """Serve an OUTPUT from a thread of this process."""
    addresses, stop, ended = queue.Queue[str](), threading.Event(), list[int]()
    thread = threading.Thread(
        target=lambda: ended.append(
            review(output, Wanted(0, 1), lambda address, made: addresses.put(address), stop.is_set)
        )
    )
    thread.start()
    try:
        yield Served(addresses.get(timeout=60))
    finally:
        stop.set()
        thread.join(60)
    assert ended


@contextmanager
def called(output: Path, cache: Path, number: int = signal.SIGINT) -> Iterator[Served]:
    """Serve an OUTPUT as a user does, and end it by a signal."""
    process = subprocess.Popen(
        [*ENTRY, "review", str(output), "--jobs", "1"],
        env=environment(XDG_CACHE_HOME=str(cache)),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/[\w-]{32,}/", line)
        assert found, line + process.stderr.read()
        yield Served(found[0])
        process.send_signal(number)
        assert process.wait(60) == 128 + number
    finally:
        process.kill()
        process.communicate()

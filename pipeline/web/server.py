"""A site over HTTP on this machine: each request is looked at by its door before the site hears of it."""

from __future__ import annotations

import hmac
import io
import math
import re
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, BinaryIO, Final
from urllib.parse import parse_qsl, urlsplit

from pipeline.ground.errors import OutputError, SettingsError
from pipeline.ground.files import words
from pipeline.web.door import Door
from pipeline.web.site import NOTHING, Answer, Request, Site

_MOST: Final = 32  # connections at a time
_MOST_BODY: Final = 4_000_000  # bytes
_BLOCK: Final = 1 << 18
_RANGE: Final = re.compile(r"bytes=(\d{1,15})-(\d{0,15})")


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, place: tuple[str, int], site: Site, door: Door) -> None:
        self.site, self.door = site, door
        self._room = threading.BoundedSemaphore(_MOST)
        # An IPv6 address needs a socket of its family.
        self.address_family = socket.AF_INET6 if ":" in place[0] else socket.AF_INET
        super().__init__(place, _Handler)

    def server_bind(self) -> None:
        # Not HTTPServer's: it asks the network for this machine's name, which can take long.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._room.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a page that went away is no error."""


class _Timed(socket.SocketIO):
    """Reads a connection until a moment: a byte now and then is not enough to hold it."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__(connection, "r")
        self._connection, self._pause = connection, connection.gettimeout()
        self.until = math.inf

    def readinto(self, buffer: Any) -> int | None:
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        try:
            return super().readinto(buffer)
        finally:
            self._connection.settimeout(self._pause)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = 30

    def setup(self) -> None:
        super().setup()
        self._heard = _Timed(self.connection)
        self.rfile = io.BufferedReader(self._heard)

    def handle_one_request(self) -> None:
        self._heard.until = time.monotonic() + self.timeout  # for all of its head, not for each line
        super().handle_one_request()

    def do_GET(self) -> None:
        request = self._admitted()
        if request is not None:
            self._answer(self.server.site.get(request))

    def do_POST(self) -> None:
        # Browsers say with each POST which page it came from.
        request = self._admitted(origin_needed=True)
        body = self._body() if request is not None else None
        if request is not None and body is not None:
            self._answer(self.server.site.post(replace(request, body=body)))

    def _admitted(self, *, origin_needed: bool = False) -> Request | None:
        origin, host = self._header("Origin"), self._header("Host") or ""
        request, token = self._asked()
        if self.server.door.admits(host, origin, token) and not (origin_needed and origin is None):
            return request
        self.close_connection = True
        said = f"Not for you: use the address that `{self.server.site.command}` printed."
        self._answer(Answer(said.encode(), status=HTTPStatus.FORBIDDEN))
        return None

    def _header(self, name: str) -> str | None:
        """Return a header; what is said twice is nobody's word."""
        said = self.headers.get_all(name)
        return None if said is None else said[0] if len(said) == 1 else ""

    def _asked(self) -> tuple[Request, str]:
        """Return what is asked, and the token: the path's first part, so that links keep it, or what the query says."""
        parts = urlsplit(self.path)
        query = dict(reversed(parse_qsl(parts.query, keep_blank_values=True)))
        first, slash, rest = parts.path.removeprefix("/").partition("/")
        token = self.server.door.token
        if token and slash and hmac.compare_digest(first.encode(), token.encode()):
            return Request(f"/{rest}", query), first
        return Request(parts.path, query), query.pop("token", "")

    def _body(self) -> bytes | None:
        length = self._header("Content-Length")
        length = "0" if length is None else length
        if not (length.isascii() and length.isdigit()) or "Transfer-Encoding" in self.headers:
            status = HTTPStatus.LENGTH_REQUIRED
        elif int(length) > _MOST_BODY:
            status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        else:
            self._heard.until = time.monotonic() + self.timeout
            return self.rfile.read(int(length))
        self.close_connection = True
        self._answer(Answer(b"That is too much at once.", status=status))
        return None

    def _answer(self, answer: Answer) -> None:
        if isinstance(answer.body, bytes):
            self._head(answer, answer.status, len(answer.body), {})
            self.wfile.write(answer.body)
            return
        with answer.body as file:
            start, stop = self._part(answer.size)
            partial = (start, stop) != (0, answer.size)
            said = {"Accept-Ranges": "bytes"}
            said |= {"Content-Range": f"bytes {start}-{stop - 1}/{answer.size}"} if partial else {}
            self._head(answer, HTTPStatus.PARTIAL_CONTENT if partial else answer.status, stop - start, said)
            self._send(file, start, stop)

    def _part(self, size: int) -> tuple[int, int]:
        """Return which bytes of a file are asked for: films are read in parts, and sought in."""
        found = _RANGE.fullmatch(self.headers.get("Range", ""))
        start = int(found[1]) if found else 0
        stop = min(size, int(found[2]) + 1) if found and found[2] else size
        return (start, stop) if start < stop else (0, size)

    def _send(self, file: BinaryIO, start: int, stop: int) -> None:
        file.seek(start)
        left = stop - start
        while left:
            block = file.read(min(left, _BLOCK))
            if not block:  # it became shorter: what was promised cannot be kept
                self.close_connection = True
                return
            self.wfile.write(block)
            left -= len(block)

    def _head(self, answer: Answer, status: HTTPStatus, length: int, said: dict[str, str]) -> None:
        self.send_response(status)
        headers = {
            "Content-Type": answer.kind,
            "Content-Length": str(length),
            "Cache-Control": "no-store",
            "Referrer-Policy": "same-origin",  # the address holds the token
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Content-Security-Policy": answer.policy or NOTHING,
        }
        for name, value in (headers | said).items():
            self.send_header(name, value)
        self.end_headers()

    def version_string(self) -> str:
        return "colorize"

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""


@contextmanager
def served(host: str, port: int, site: Site, door: Door) -> Iterator[str]:
    """Serve a site for the length of the block.

    Args:
        host: address that is listened at.
        port: 0 takes a free one.
        site: what answers.
        door: who may ask.

    Yields:
        The address without a token, such as "http://127.0.0.1:8765/".

    Raises:
        OutputError: the port is taken, or the address is not this machine's.
        SettingsError: the address is none.
    """
    server = _bound(host, port, site, door)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="server", daemon=True)
    thread.start()
    try:
        yield _address(host, server.server_port)
    finally:
        server.shutdown()
        server.server_close()


def _bound(host: str, port: int, site: Site, door: Door) -> _Server:
    try:
        return _Server((host, port), site, door)
    except socket.gaierror:
        raise SettingsError(f"--host {host}: no address of this machine has that name.") from None
    except OSError as error:
        hint = " Another program may have it: --port 0 takes a free one." if port else ""
        raise OutputError(f"The page cannot be served at {host}, port {port}: {words(error)}.{hint}") from None


def _address(host: str, port: int) -> str:
    everywhere = host in ("0.0.0.0", "::", "")
    name = socket.gethostname() if everywhere else f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}/"

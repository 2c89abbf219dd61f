"""The page and its frames, over HTTP."""

from __future__ import annotations

import importlib.resources
import secrets
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from pipeline.ground.errors import OutputError, SettingsError
from pipeline.ground.files import words
from pipeline.live.door import Door
from pipeline.live.screen import Screen

_WAIT: Final = 5.0  # seconds that a page waits for the next frame before it asks again
_FAREWELL: Final = 0.3  # seconds that pages are given to hear of the end
_MOST: Final = 32  # connections at a time
_POLICY: Final = (
    "default-src 'none'; img-src data:; connect-src 'self'; style-src 'nonce-{0}'; script-src 'nonce-{0}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, place: tuple[str, int], screen: Screen, door: Door, quit_: Callable[[], None]) -> None:
        self.screen, self.door, self.quit = screen, door, quit_
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


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        if not self._admitted():
            return
        path = urlsplit(self.path).path
        if path == "/":
            self._page()
        elif path == "/frame":
            self._frame()
        else:
            self._answer(HTTPStatus.NOT_FOUND, b"Not here.")

    def do_POST(self) -> None:
        # Browsers say with each POST which page it came from.
        if not self._admitted(origin_needed=True):
            return
        if urlsplit(self.path).path != "/quit":
            self._answer(HTTPStatus.NOT_FOUND, b"Not here.")
            return
        self._answer(HTTPStatus.OK, b"Ending.")
        self.server.quit()

    def _admitted(self, *, origin_needed: bool = False) -> bool:
        origin = self.headers.get("Origin")
        host, token = self.headers.get("Host", ""), self._asked("token")
        admitted = self.server.door.admits(host, origin, token) and not (origin_needed and origin is None)
        if not admitted:
            self.close_connection = True
            self._answer(HTTPStatus.FORBIDDEN, b"Not for you: use the address that `colorize live` printed.")
        return admitted

    def _asked(self, name: str) -> str:
        return parse_qs(urlsplit(self.path).query).get(name, [""])[0]

    def _page(self) -> None:
        nonce = secrets.token_urlsafe(16)
        text = importlib.resources.files("pipeline.live").joinpath("page.html").read_text(encoding="utf-8")
        body = text.replace("{{nonce}}", nonce).encode()
        self._answer(HTTPStatus.OK, body, "text/html; charset=utf-8", _POLICY.format(nonce))

    def _frame(self) -> None:
        after = self._asked("after")
        shown = self.server.screen.after(int(after) if after.isascii() and after.isdigit() else -1, _WAIT)
        if shown is not None:
            self._answer(HTTPStatus.OK, shown.body(), "application/json")
        elif self.server.screen.ended:
            self._answer(HTTPStatus.GONE, b"It has ended.")
        else:
            self._answer(HTTPStatus.NO_CONTENT, b"")

    def _answer(self, status: HTTPStatus, body: bytes, kind: str = "text/plain", policy: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "same-origin")  # the address holds the token
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Content-Security-Policy", policy or "default-src 'none'")
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        return "colorize"

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""


@contextmanager
def serving(host: str, port: int, screen: Screen, quit_: Callable[[], None]) -> Iterator[str]:
    """Serve the page for the length of the block.

    Args:
        host: address that is listened at.
        port: 0 takes a free one.
        screen: what is shown.
        quit_: called when the page says so.

    Yields:
        The page's address, with its token where one is needed.

    Raises:
        OutputError: the port is taken, or the address is not this machine's.
    """
    door = Door(host)
    server = _bound(host, port, screen, door, quit_)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="server", daemon=True)
    thread.start()
    try:
        yield _address(host, server.server_port, door.token)
    finally:
        screen.end()
        time.sleep(_FAREWELL if screen.watched else 0)
        server.shutdown()
        server.server_close()


def _bound(host: str, port: int, screen: Screen, door: Door, quit_: Callable[[], None]) -> _Server:
    try:
        return _Server((host, port), screen, door, quit_)
    except socket.gaierror:
        raise SettingsError(f"--host {host}: no address of this machine has that name.") from None
    except OSError as error:
        hint = " Another program may have it: --port 0 takes a free one." if port else ""
        raise OutputError(f"The page cannot be served at {host}, port {port}: {words(error)}.{hint}") from None


def _address(host: str, port: int, token: str) -> str:
    everywhere = host in ("0.0.0.0", "::", "")
    name = socket.gethostname() if everywhere else f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}/" + (f"?token={token}" if token else "")

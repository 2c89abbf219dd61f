"""The page and its frames."""

from __future__ import annotations

import importlib.resources
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

from pipeline.web.door import Door
from pipeline.web.live.screen import Screen
from pipeline.web.server import served
from pipeline.web.site import NOT_HERE, Answer, Request

_WAIT: Final = 5.0  # seconds that a page waits for the next frame before it asks again
_FAREWELL: Final = 0.3  # seconds that pages are given to hear of the end
_POLICY: Final = (
    "default-src 'none'; img-src data:; connect-src 'self'; style-src 'nonce-{0}'; script-src 'nonce-{0}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class _Live:
    """Implements `Site`."""

    command = "colorize live"

    def __init__(self, screen: Screen, quit_: Callable[[], None]) -> None:
        self._screen, self._quit = screen, quit_

    def get(self, request: Request) -> Answer:
        if request.path == "/":
            return _page()
        return self._frame(request) if request.path == "/frame" else NOT_HERE

    def post(self, request: Request) -> Answer:
        if request.path != "/quit":
            return NOT_HERE
        self._quit()
        return Answer(b"Ending.")

    def _frame(self, request: Request) -> Answer:
        after = request.query.get("after", "")
        shown = self._screen.after(int(after) if after.isascii() and after.isdigit() else -1, _WAIT)
        if shown is not None:
            return Answer(shown.body(), "application/json")
        if self._screen.ended:
            return Answer(b"It has ended.", status=HTTPStatus.GONE)
        return Answer(status=HTTPStatus.NO_CONTENT)


def _page() -> Answer:
    nonce = secrets.token_urlsafe(16)
    text = importlib.resources.files("pipeline.web.live").joinpath("page.html").read_text(encoding="utf-8")
    return Answer(text.replace("{{nonce}}", nonce).encode(), "text/html; charset=utf-8", policy=_POLICY.format(nonce))


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
        OutputError, SettingsError: as `served`.
    """
    door = Door(host)
    with served(host, port, _Live(screen, quit_), door) as address:
        try:
            yield address + (f"?token={door.token}" if door.token else "")
        finally:
            screen.end()
            time.sleep(_FAREWELL if screen.watched else 0)

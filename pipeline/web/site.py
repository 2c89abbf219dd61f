"""What a site is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import BinaryIO, Final, Protocol

NOTHING: Final = "default-src 'none'"


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked by somebody who may.

    Attributes:
        path: without the token, percent-encoded as it came, beginning with "/".
        query: what follows the question mark, the first value of each name.
        body: of a POST.
    """

    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered.

    Attributes:
        body: all of it, or a file that is read from its beginning and closed.
        kind: its media type.
        status: of HTTP.
        policy: what a page may load and do (Content-Security-Policy).
        size: of a file, in bytes.
    """

    body: bytes | BinaryIO = b""
    kind: str = "text/plain; charset=utf-8"
    status: HTTPStatus = HTTPStatus.OK
    policy: str = NOTHING
    size: int = 0


NOT_HERE: Final = Answer(b"Not here.", status=HTTPStatus.NOT_FOUND)


class Site(Protocol):
    """What answers; called from many threads at once."""

    command: str
    """Whose address a stranger is told to use."""

    def get(self, request: Request) -> Answer:
        """Answer a GET, which changes nothing."""

    def post(self, request: Request) -> Answer:
        """Answer a POST that came from a page of this very site."""

"""Who may look: by the names in the Host and Origin headers, and by a token where one is asked for."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
from urllib.parse import urlsplit


class Door:
    """Lets requests in, or not.

    A page of some other site can lead its own name to this machine's address (DNS rebinding), but can't change the
    Host header, which tells that name. Addresses in figures can't be led anywhere.

    Attributes:
        token: what a request has to bring; empty where none is asked for.
    """

    def __init__(self, host: str, *, guarded: bool = False) -> None:
        """Make a door.

        Args:
            host: address that is listened at; one that others reach always asks for a token.
            guarded: ask for one on this machine's own address, too: of other users' programs and other pages.
        """
        self._open = not is_own(host)
        self.token = secrets.token_urlsafe(24) if self._open or guarded else ""
        self._names = {"localhost"} | ({host.lower(), socket.gethostname().lower()} if self._open else set())

    def admits(self, host: str, origin: str | None, token: str) -> bool:
        """Say whether a request with these headers may be answered.

        Args:
            host: the Host header.
            origin: the Origin header; None where there is none.
            token: as the address had it.
        """
        known = self._knows(_name(host))
        same = origin is None or origin.lower() == f"http://{host.lower()}"
        return known and same and hmac.compare_digest(token.encode(), self.token.encode())

    def _knows(self, name: str) -> bool:
        try:
            return ipaddress.ip_address(name).is_loopback or self._open
        except ValueError:
            return name in self._names


def is_own(host: str) -> bool:
    """Say whether an address is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""

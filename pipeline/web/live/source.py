"""What SOURCE means: a camera, an address or a file; each gives its pictures one by one."""

from __future__ import annotations

import importlib.util
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

from pipeline.ground.errors import InputError, SettingsError
from pipeline.media.reels import NEEDED
from pipeline.web.live.frame import Pixels

SCHEMES: Final = ("rtsp", "rtsps", "http", "https")


class Source(Protocol):
    """Where pictures come from."""

    @property
    def name(self) -> str:
        """How it is called on the page and in messages: never with a password."""

    def pictures(self) -> Iterator[tuple[float | None, Pixels]]:
        """Open the source and yield its pictures.

        Yields:
            Seconds at which a recording shows the picture, None where it was taken just now; and uint8 BGR (H, W, 3),
            upright, at the size that is shown, the same for all.

        Raises:
            InputError: it is not there, does not answer, or holds no picture.
        """


def find_source(text: str, width: int) -> Source:
    """Return what SOURCE names; it is opened when its pictures are asked for.

    Args:
        text: number of a camera, a device, an address or a file.
        width: pictures that are wider are scaled down to it.

    Raises:
        SettingsError: an address of another kind, or the extra is missing.
        InputError: there is nothing of that name.
    """
    if text.isascii() and text.isdigit():
        return _camera(text, width)
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text):
        return _address(text, width)
    path = Path(text)
    if not path.exists():
        raise InputError(f"{path} is not there.")
    if stat.S_ISCHR(path.stat().st_mode):
        return _camera(text, width)
    if not path.is_file():
        raise InputError(f"{path} is {'a folder; name a film' if path.is_dir() else 'not a file'}.")
    require_films()
    from pipeline.web.live.moving import FileSource

    return FileSource(path, width)


def require_films() -> None:
    """Raise `SettingsError` where PyAV is not installed."""
    if importlib.util.find_spec("av") is None:
        raise SettingsError(NEEDED)


def _camera(text: str, width: int) -> Source:
    from pipeline.web.live.camera import CameraSource

    return CameraSource(text, width)


def _address(text: str, width: int) -> Source:
    scheme = text.partition("://")[0].lower()
    if scheme not in SCHEMES:
        raise SettingsError(f"{scheme}:// is no address that is read; they begin with {'://, '.join(SCHEMES)}://.")
    require_films()
    from pipeline.web.live.moving import AddressSource

    return AddressSource(text, without_password(text), width)


def without_password(address: str) -> str:
    """Return an address as it may be shown: without user, password and what follows a question mark.

    Raises:
        SettingsError: it is none.
    """
    try:
        parts = urlsplit(address)
        place = parts.netloc.rpartition("@")[2]
    except ValueError:
        raise SettingsError("That is no address.") from None
    return f"{parts.scheme}://{place}{parts.path}"

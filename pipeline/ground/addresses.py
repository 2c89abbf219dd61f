"""Addresses of storages, as texts: what is one, and what none may hold."""

from __future__ import annotations

import re
from typing import Final

from pipeline.ground.errors import SettingsError

SCHEMES: Final = ("s3", "gs", "sftp", "webdav", "webdavs")
NOT_HERE: Final = (
    "an address is INPUT or OUTPUT of `colorize run`, and OUTPUT of status, verify, gallery, review, compare, hints, "
    "reject, prune, recover and merge; nothing else can be one. Name a folder of this machine; `rclone copy` brings "
    "files here (docs/scale.md)."
)
_ADDRESS: Final = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_HALF: Final = re.compile(rf"({'|'.join(SCHEMES)}):/", re.IGNORECASE)
_SIGNED: Final = re.compile(r"\?[^/]*=")


def is_address(path: str) -> bool:
    """Tell an address from the path of a file, in which pathlib leaves no double slash."""
    return _ADDRESS.match(path) is not None


def spelled(text: str) -> str | None:
    """Return an address as this program writes it down; None of the path of a file.

    Raises:
        SettingsError: an address of another kind, one that holds a password or a signature, or none.
    """
    found = _ADDRESS.match(text)
    if found is None:
        if _HALF.match(text):
            raise SettingsError(f"{text}: an address has two slashes behind its colon (a pathlib.Path keeps one).")
        return None
    scheme, rest = found[1].lower(), text[found.end() :]
    host, *names = rest.rstrip("/").split("/")
    if scheme not in SCHEMES:
        raise SettingsError(f"{scheme}://: originals can be read at {', '.join(f'{each}://' for each in SCHEMES)}.")
    if ":" in host.rpartition("@")[0] or _SIGNED.search(rest) or (scheme == "s3" and "@" in host):
        raise SettingsError(
            f"{scheme}://{host.rpartition('@')[2]}: this address holds a password or a signature, which would be "
            "written down; give it in the environment, ~/.aws, ~/.ssh or ~/.netrc (docs/scale.md)."
        )
    if not host.rpartition("@")[2]:
        raise SettingsError(f"{text}: this address names no host or bucket.")
    if {".", ".."} & {*names} or (scheme in ("s3", "gs") and "" in names):
        raise SettingsError(
            f"{text}: write this address without . or .. in it, and with single slashes behind the host."
        )
    return f"{scheme}://{rest}"

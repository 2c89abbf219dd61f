"""Where a user's own files lie, also of a user whom the system does not know."""

from __future__ import annotations

import functools
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def user_cache() -> Path:
    """Return this program's folder in the user's cache; it need not be there.

    A user without a home (no HOME, no passwd entry: a container, a daemon) has one below the folder for temporary
    files, which nobody else can write.
    """
    from platformdirs import user_cache_path

    try:
        path = user_cache_path("colorize")
    except RuntimeError:  # there is no home
        return _homeless()
    return path if path.is_absolute() else _homeless()  # older platformdirs give `~/.cache` then


def from_home(path: str) -> str:
    """Return `~/x` as a shell has it: as it is it comes from `--output=~/x`, a file of settings, a unit of systemd.

    What is there under that very name is meant.
    """
    if not path.startswith("~/") or os.path.lexists(path):
        return path
    try:
        return str(Path.home()) + path[1:]
    except RuntimeError:  # there is no home
        return path


@functools.cache
def _homeless() -> Path:
    path = Path(tempfile.gettempdir()) / f"colorize-{os.getuid()}"
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077:
            return path
    except OSError:
        return path  # nothing can be kept; what is not found there is made anew each time
    return Path(tempfile.mkdtemp(prefix="colorize-"))  # somebody else has the name: nothing of theirs is taken


@contextmanager
def at_home() -> Iterator[None]:
    """Give a user without a home the cache for one, in the environment, for libraries that will not load without."""
    if _has_home():
        yield
        return
    os.environ["HOME"] = str(user_cache())
    try:
        yield
    finally:
        os.environ.pop("HOME", None)


def _has_home() -> bool:
    try:
        return Path.home().is_absolute()
    except RuntimeError:
        return False

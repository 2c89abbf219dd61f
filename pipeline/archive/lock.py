"""One run per OUTPUT: a lock that the kernel lets go when its process dies, and a note of who has it."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from pipeline.archive.own import FOLDER, check_own
from pipeline.archive.runs import now
from pipeline.archive.state import kept
from pipeline.ground import inside, shelf
from pipeline.ground.errors import LockedError, OutputError
from pipeline.ground.files import read_plain, words

_NO_FLOCK = {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK}
_PATIENCE = 0.3  # seconds; `colorize status` tries the lock for an instant


@dataclass(frozen=True, slots=True)
class Owner:
    """Who holds an OUTPUT."""

    pid: int
    host: str
    started_at: str


@contextmanager
def hold(output: Path, *, anew: bool = False, take_over: bool = False) -> Iterator[None]:
    """Hold OUTPUT (made if need be) for the length of a `with` block, and `pin` it.

    The lock is `flock`: gone with its process, however that ends, so a dead run's is simply taken over. A file system
    without it gets a lock file instead; there a dead process of this host is recognised, one of another host is not.
    Where the outputs stand in a storage, that is `kept` too; for `anew` and `take_over` see there.

    Raises:
        LockedError: another run has it; the sentence names its process and host.
        OutputError: OUTPUT can't be written.
    """
    check_own(output)
    with contextlib.ExitStack() as stack:
        try:
            output.mkdir(parents=True, exist_ok=True)
            stack.enter_context(inside.pinned(output))
            with inside.opened(output, FOLDER, make=True):
                lock = _acquire(output / FOLDER)
        except OSError as error:
            raise OutputError(f"{output} cannot be written: {words(error)}.") from None
        stack.callback(lock.release)
        with contextlib.suppress(OSError):  # it only serves the other run's sentence
            _note(output)
        stack.enter_context(kept(output, anew=anew, take_over=take_over))
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                inside.remove(output, f"{FOLDER}/owner.json")


def _note(output: Path) -> None:
    text = json.dumps(asdict(Owner(os.getpid(), socket.gethostname(), now())))
    with inside.opened(output, FOLDER) as folder:
        with contextlib.suppress(FileNotFoundError):
            os.unlink("owner.json", dir_fd=folder)
        with os.fdopen(inside.create("owner.json", folder), "w", encoding="utf-8") as file:
            file.write(text)


def _acquire(folder: Path) -> BaseFileLock:
    hard, soft = folder / "lock", folder / "lock.soft"
    try:
        lock: BaseFileLock = FileLock(hard, timeout=_PATIENCE)
        try:
            lock.acquire(poll_interval=0.02)
        except (NotImplementedError, OSError) as error:
            if isinstance(error, Timeout) or (isinstance(error, OSError) and error.errno not in _NO_FLOCK):
                raise
            lock = SoftFileLock(soft, timeout=_PATIENCE)
            lock.acquire(poll_interval=0.02)
    except Timeout:
        raise LockedError(_sentence(folder, soft)) from None
    return lock


def _sentence(folder: Path, soft: Path) -> str:
    owner = read_owner(folder.parent)
    who = f"process {owner.pid} on {owner.host}, since {owner.started_at}" if owner else "another process"
    output = shelf.name(folder.parent)
    here = f"{output} is in use by another run ({who}): wait for its end, stop it, or give another OUTPUT."
    if soft.exists() and owner and owner.host != socket.gethostname():
        here += f" If that run is dead, remove {soft}."
    return here


def read_owner(output: Path) -> Owner | None:
    """Return what the last holder noted, or None; whether it still holds OUTPUT says `is_held`."""
    try:
        note = json.loads(read_plain(output / FOLDER / "owner.json"))
        return Owner(int(note["pid"]), str(note["host"]), str(note["started_at"]))
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def is_held(output: Path) -> bool:
    """Tell whether a run works on OUTPUT now; nothing is written."""
    folder = output / FOLDER
    if (folder / "lock.soft").exists():
        return True
    try:
        import fcntl
    except ImportError:  # not on Windows
        return read_owner(output) is not None
    try:
        with (folder / "lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False

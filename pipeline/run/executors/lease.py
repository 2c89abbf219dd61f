"""A folder for each worker of a cluster: as long as it is there, the worker can publish.

The rule that a dead run's folder goes before the next run begins, so that no orphan of it can publish, holds for single
workers, too: one that is given up loses its folder before its units are given to another. No clock and no message to a
host that does not answer is needed for that; the storage that all share decides.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.ground import inside
from pipeline.ground.errors import OutputError
from pipeline.ground.files import read_plain, words
from pipeline.nets.content import content
from pipeline.nets.spec import NetSpec

_ASKED: Final = "asked"
_ANSWERED: Final = "answered"
_WEIGHTS: Final = "weights"
_AT: Final = "at"


@dataclass(frozen=True, slots=True)
class Leases:
    """The folders of one run's workers.

    Attributes:
        output, tmp_dir: as in `Job`, absolute.
    """

    output: Path
    tmp_dir: Path

    def _place(self, name: str) -> str:
        return (self.tmp_dir / name).relative_to(self.output).as_posix()

    def grant(self) -> Path:
        """Make a folder that a worker may write into, and a question in it that only who sees it can answer.

        Raises:
            OutputError: it cannot be made.
        """
        name = uuid.uuid4().hex
        try:
            with inside.opened(self.output, self._place(name), make=True) as folder:
                _write(_ASKED, os.urandom(16), folder)
        except OSError as error:
            raise OutputError(f"{self.tmp_dir / name} cannot be made: {words(error)}.") from None
        return self.tmp_dir / name

    def is_answered(self, lease: Path) -> bool:
        """Tell whether a worker has read the question, and this process reads its answer."""
        try:
            return _file(lease / _ANSWERED) == _answer(_file(lease / _ASKED))
        except OSError:
            return False

    def at(self, lease: Path) -> int | None:
        """Return the number of the unit that a worker has begun last; None: of none, as far as can be read."""
        try:
            return int(_file(lease / _AT))
        except (OSError, ValueError):
            return None

    def revoke(self, lease: Path) -> None:
        """Take a worker's folder away: it can publish nothing any more, even if it lives.

        Raises:
            OutputError: it cannot be removed.
        """
        try:
            inside.withdraw(self.output, self._place(lease.name))
        except OSError as error:
            raise OutputError(f"The folder {lease} of a lost worker cannot be removed: {words(error)}.") from None

    @property
    def weights(self) -> Path:
        """Where workers find the nets that their host lacks: a folder for each, called by its hash."""
        return self.tmp_dir / _WEIGHTS

    def lay_out(self, net: NetSpec) -> None:
        """Lay a net's files there, unless they are there; raises `ModelError`, `OutputError`."""
        if (self.weights / net.sha256).exists():
            return
        try:
            files = content(net)
            with inside.opened(self.output, self._place(f"{_WEIGHTS}/{net.sha256}"), make=True) as there:
                for number, data in enumerate(files):
                    _write(str(number), data, there)
        except OSError as error:
            raise OutputError(f"The net {net.name} cannot be laid into {self.weights}: {words(error)}.") from None

    def can_write(self) -> bool:
        """Tell whether this process, at least, can write into the run's folder."""
        name = f"{uuid.uuid4().hex}.try"
        try:
            with inside.opened(self.output, self.tmp_dir.relative_to(self.output).as_posix()) as folder:
                _write(name, b"\0" * 65536, folder)
                os.unlink(name, dir_fd=folder)
        except OSError:
            return False
        return True


def answer(lease: Path) -> None:
    """Read the question in a lease, and write the answer beside it, as files are published; raises `OSError`."""
    data = _answer(_file(lease / _ASKED))
    descriptor = os.open(lease, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _write(f"{_ANSWERED}.part", data, descriptor)
        os.replace(f"{_ANSWERED}.part", _ANSWERED, src_dir_fd=descriptor, dst_dir_fd=descriptor)
    finally:
        os.close(descriptor)


def begin(lease: Path, number: int) -> None:
    """Note which unit is begun: should this process die, nobody else is blamed. Raises `OSError`: the lease is gone."""
    descriptor = os.open(lease / _AT, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        os.write(descriptor, str(number).encode())
    finally:
        os.close(descriptor)


def _answer(asked: bytes) -> bytes:
    return hashlib.sha256(asked).hexdigest().encode()


def _file(path: Path) -> bytes:
    return read_plain(path, 1 << 16)


def _write(name: str, data: bytes, folder: int) -> None:
    # It is closed, so others see it; it need not outlive a power cut.
    with os.fdopen(inside.create(name, folder), "wb") as file:
        file.write(data)

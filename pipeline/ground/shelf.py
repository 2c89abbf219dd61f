"""Where the finished outputs of an OUTPUT stand: in it, or in a storage, while the folder keeps all else.

An OUTPUT whose outputs stand elsewhere is a *state folder*: journal, lock, manifest and parts lie in it as in any
other. It is one as long as this process has been told so (`stand`); what is written in a folder makes it none.
"""

from __future__ import annotations

import errno
import os
import shlex
import stat
import uuid
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.ground import files, inside, uploads
from pipeline.ground.errors import Cause, ItemError, OutputError
from pipeline.ground.items import Filed, Stamp
from pipeline.ground.storage import Entry, Origin, Taken, brought, fetch, scan
from pipeline.ground.uploads import Stood

_TMP: Final = ".colorize/tmp"
_TRIES: Final = 3
_REMEMBERED: Final = 16  # folders
_LONGEST_KEY: Final = 1024  # bytes, of S3 and Google
_OF_THE_FILE: Final = frozenset({errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.EINVAL})


@dataclass(frozen=True, slots=True)
class Shelf:
    """Outputs that stand in a storage.

    Attributes:
        address: of OUTPUT.
        blind: the storage writes over what it was told not to; names are looked at just before they are written.
        state: the state folder that a person has named; None: it is the user's own.
    """

    address: Origin
    blind: bool = False
    state: Path | None = None

    @property
    def typed(self) -> str:
        """As it stands in a command."""
        beside = f" --state {shlex.quote(str(self.state))}" if self.state else ""
        return f"{shlex.quote(str(self.address))}{beside}"


_shelves: Final = dict[Path, Shelf]()


def stand(root: Path, shelf: Shelf | None) -> None:
    """Say where the outputs of `root` stand; None: in it."""
    if shelf is None:
        _shelves.pop(root, None)
    else:
        _shelves[root] = shelf


def of(root: Path) -> Shelf | None:
    """Return where the outputs of `root` stand; None: in it."""
    return _shelves.get(root)


def path(root: Path, place: str) -> Path:
    """Return where an output lies: a path, or an `Origin`; raises `OSError` where that would lead out of OUTPUT."""
    shelf = of(root)
    return root / place if shelf is None else _at(shelf, place)


def name(root: Path) -> str:
    """Return what a person calls this OUTPUT."""
    shelf = of(root)
    return str(root) if shelf is None else str(shelf.address)


def typed(root: Path) -> str:
    """Return this OUTPUT as it stands in a command."""
    shelf = of(root)
    return shlex.quote(str(root)) if shelf is None else shelf.typed


def _at(shelf: Shelf, place: str) -> Origin:
    found = shelf.address.joinpath(*inside.parts_of(place))
    assert isinstance(found, Origin)
    return found


def lost(shelf: Shelf, error: OSError, verb: str = "written") -> OutputError:
    """Return the sentence that ends a run: the next file would meet the same."""
    missing = isinstance(error, FileNotFoundError)
    said = "there is no such bucket or folder" if missing else error.strerror or str(error)
    return OutputError(
        f"{shelf.address} cannot be {verb}: {said}. What is finished stays; see what became of it, then run again."
    )


@contextmanager
def _asked(shelf: Shelf, verb: str = "written") -> Iterator[None]:
    """Ask a storage of one file: that nothing stands there is an answer, and so is that it refuses this one alone.

    All else is as `lost`.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        if isinstance(error, PermissionError) and _answers(shelf, verb):
            raise
        raise lost(shelf, error, verb) from None


def _answers(shelf: Shelf, verb: str) -> bool:
    """Try whether a storage is read, or takes files, at all: then it is one name that it refuses."""
    probe = tmp_of(shelf) / f"{uuid.uuid4().hex}.part"
    assert isinstance(probe, Origin)
    try:
        if verb == "read":
            shelf.address.stat()
            return True
        uploads.carry(b"", probe, None, tmp_of(shelf))
    except OSError:
        return False
    with suppress(OSError):
        uploads.remove(probe)
    return True


def look(root: Path, place: str) -> os.stat_result:
    """Return what stands at a place.

    Raises:
        OSError: nothing does, or of a disk, see `inside.look`.
        OutputError: the storage does not say.
    """
    shelf = of(root)
    if shelf is None:
        return inside.look(root, place)
    with _asked(shelf, "read"):
        return _at(shelf, place).stat()


def time_of(root: Path, filed: Filed) -> int:
    """Return the time of an output, which tells it later from what somebody makes of it.

    Returns:
        0: it does not stand there as it was written.

    Raises:
        OutputError: the storage does not say.
    """
    if filed.mtime_ns:
        return filed.mtime_ns
    with suppress(OSError):
        found = look(root, filed.place)
        return found.st_mtime_ns if found.st_size == filed.size else 0
    return 0


def is_taken(root: Path, place: str) -> bool:
    """Tell whether anything has this name; where nobody may look, something may have it."""
    return files.may_be_there(lambda: look(root, place))


class Sight:
    """Looks at what stands in OUTPUT; `listing`: of a storage whole folders, as they were when it first looked."""

    def __init__(self, root: Path, *, listing: bool = False) -> None:
        """Take OUTPUT."""
        self._root, self._shelf, self._listing = root, of(root), listing
        self._prefix = f"{root}/"
        self._folders: OrderedDict[str, dict[str, Entry]] = OrderedDict()

    @property
    def far(self) -> bool:
        """Whether it looks into a storage."""
        return self._shelf is not None

    def look(self, place: str) -> os.stat_result:
        """Return what stands there, a link itself; "" is OUTPUT. Raises as `shelf.look`."""
        if self._shelf is None:
            return os.lstat(self._prefix + place) if place else self._root.stat()
        if not place:
            with _asked(self._shelf, "read"):
                return self._shelf.address.stat()
        if not self._listing:
            return look(self._root, place)
        folder, _, name = place.rpartition("/")
        entry = self._entries(folder, self._shelf).get(name)
        if entry is None:
            raise FileNotFoundError(errno.ENOENT, "no such file or folder")
        return entry.stat()

    def stamp(self, place: str) -> Stamp | None:
        """Return size and time of what stands there; None: nothing is seen. Raises `OutputError`."""
        try:
            found = self.look(place)
        except OSError:
            return None
        return found.st_size, found.st_mtime_ns

    def _entries(self, folder: str, shelf: Shelf) -> dict[str, Entry]:
        if folder not in self._folders:
            self._folders[folder] = self._listed(folder, shelf)
            if len(self._folders) > _REMEMBERED:
                self._folders.popitem(last=False)
        self._folders.move_to_end(folder)
        return self._folders[folder]

    def _listed(self, folder: str, shelf: Shelf) -> dict[str, Entry]:
        try:
            if folder and not stat.S_ISDIR(self.look(folder).st_mode):
                return {}
            with _asked(shelf, "read"):
                entries, _ = scan(_at(shelf, folder) if folder else shelf.address)
        except FileNotFoundError:
            return {}
        return {each.name: each for each in entries}


def sha256(root: Path, place: str) -> str:
    """Return the hash of an output, in hexadecimal; raises `OSError`, `OutputError` as `look`."""
    shelf = of(root)
    if shelf is None:
        return inside.sha256(root, place)
    with _asked(shelf, "read"):
        return files.sha256(_at(shelf, place))


@contextmanager
def as_file(root: Path, place: str) -> Iterator[Path]:
    """Give an output as a file of this machine, for the length of the block; raises as `sha256`."""
    shelf = of(root)
    if shelf is None:
        yield root / place
        return
    at = _at(shelf, place)
    with ExitStack() as stack:
        with _asked(shelf, "read"):
            path = stack.enter_context(brought(at))
        yield path


def bring(root: Path, place: str, to: Path) -> None:
    """Copy a file of the storage into a new one here; raises `FileNotFoundError`, `OutputError`."""
    shelf = _shelves[root]
    at = _at(shelf, place)
    with _asked(shelf, "read"):
        found = at.stat()
        fetch(at, to, (found.st_size, found.st_mtime_ns))


def remove(root: Path, place: str) -> None:
    """Remove an output; raises as `look`."""
    shelf = of(root)
    if shelf is None:
        inside.remove(root, place)
        return
    with _asked(shelf):
        uploads.remove(_at(shelf, place))


def remove_empty(root: Path, place: str) -> None:
    """Remove the folder at `place` and those above it inside OUTPUT, as long as they are empty."""
    shelf = of(root)
    if shelf is None:
        inside.remove_empty(root, place)
        return
    parts = place.split("/") if place else []
    with suppress(OSError):
        for end in range(len(parts), 0, -1):
            uploads.remove_empty(_at(shelf, "/".join(parts[:end])))


def move(root: Path, place: str, to: str) -> None:
    """Give an output another name; raises `FileExistsError` where something has that, else as `look`."""
    shelf = of(root)
    if shelf is None:
        inside.move(root, place, to)
        return
    try:
        with _asked(shelf):
            uploads.rename(_at(shelf, place), _at(shelf, to))
    except Taken:
        raise FileExistsError(errno.EEXIST, "something has that name", to) from None


def mirror(root: Path, place: str) -> None:
    """Bring a file of the program's own to the storage too, where there is one, over what is there.

    Raises:
        OutputError: that cannot be.
    """
    shelf = of(root)
    if shelf is None:
        return
    at = _at(shelf, place)
    try:
        for _ in range(_TRIES):
            with suppress(Taken):  # somebody else has written it, or it is gone, since it was looked at
                uploads.carry(root / place, at, uploads.look(at), tmp_of(shelf))
                return
    except OSError as error:
        raise lost(shelf, error) from None
    raise OutputError(f"{at} is written by somebody else at the same time: look who does.")


def tmp_of(shelf: Shelf) -> Origin:
    """Return the folder of what is not finished, in the storage."""
    return _at(shelf, _TMP)


def put(shelf: Shelf, data: Path, place: str, seen: Stamp | None) -> int:
    """Let a finished output stand in the storage, checked; nothing is replaced that the plan has not seen.

    Args:
        shelf: where.
        data: a file of this machine.
        place: its own.
        seen: what the plan saw there; None: nothing.

    Returns:
        Its time there.

    Raises:
        ItemError: this one can't be, or something else has its name.
        OutputError: none can be.
    """
    to = _at(shelf, place)
    if to.scheme in ("s3", "gs") and len(os.fsencode(to.inner.partition("/")[2])) > _LONGEST_KEY:
        raise ItemError("cannot be written: its path is too long", Cause.SYSTEM)
    try:
        return _put(shelf, data, to, seen)
    except FileNotFoundError as error:
        if not data.exists():
            raise OutputError(f"The file {data} is gone: another run has taken over this output.") from None
        raise lost(shelf, error) from None
    except OSError as error:
        if error.errno in _OF_THE_FILE or (isinstance(error, PermissionError) and _answers(shelf, "written")):
            raise ItemError(f"cannot be written: {error.strerror}", Cause.SYSTEM) from None
        raise lost(shelf, error) from None


def _put(shelf: Shelf, data: Path, to: Origin, seen: Stamp | None) -> int:
    over, ours = uploads.look(to), None
    for _ in range(_TRIES):
        if over is not None and over != ours and (over.size, over.mtime_ns) != seen:
            if _is_the_same(over, data, to):  # brought by a worker that could not say so any more
                return over.mtime_ns
            raise ItemError("something that this program did not write has taken its name", Cause.IN_THE_WAY)
        try:
            tag = uploads.carry(data, to, over, tmp_of(shelf))
        except Taken:
            over = uploads.look(to)
            continue
        over = uploads.look(to)
        if over is None:
            continue
        if over.tag.strip('"') == tag if tag else over.size == data.stat().st_size:
            return over.mtime_ns
        # A storage that encrypts has tags that are no hashes: what is there is read.
        if _is_the_same(over, data, to):
            return over.mtime_ns
        ours = over
    with suppress(OSError):
        if ours and uploads.look(to) == ours:
            uploads.remove(to)
    raise ItemError("it does not arrive in the storage as it was sent", Cause.SYSTEM)


def _is_the_same(over: Stood, data: Path, at: Origin) -> bool:
    return over.size == data.stat().st_size and files.sha256(data) == files.sha256(at)

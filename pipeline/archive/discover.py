"""What lies in the INPUTs: every file once, lazily, folder by folder in a stable order."""

from __future__ import annotations

import fnmatch
import operator
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from pipeline.archive.content import HEAD, kind_of, may_hold_pages
from pipeline.archive.own import COPY, FOLDER, GALLERY_MARK, JOURNAL
from pipeline.archive.places import Root
from pipeline.archive.spelling import escape
from pipeline.ground.addresses import is_address
from pipeline.ground.errors import InputError
from pipeline.ground.files import lost_folder, words
from pipeline.ground.items import PICTURED, Kind
from pipeline.ground.storage import Entry, Origin, heads, scan
from pipeline.media.photo.directories import TIFF_MARKS
from pipeline.media.photo.pages import has_several_pages

# Left behind by operating systems and network drives, in lower case; README lists them.
_JUNK_STARTS = ("._", ".trash")
_JUNK = frozenset(
    {
        "thumbs.db", "ehthumbs.db", "desktop.ini", "@eadir", "__macosx", "$recycle.bin", "icon\r", "#recycle",
        "system volume information", "lost+found", ".ds_store", ".spotlight-v100", ".fseventsd", ".temporaryitems",
        ".appledouble", ".directory", ".thumbnails", ".colorize",
    }
)  # fmt: skip

NOT_A_FILE = "not a file but a named pipe, socket or device"
NOT_FOLLOWED = "a symbolic link; --follow-symlinks takes up what it points to"
LINK_THERE = "a symbolic link, which is not followed in a storage"
WALKED_BEFORE = "a symbolic link to a folder that is walked anyway"
WALKED_ANYWAY = "a folder that is walked anyway, and was reached once more by a symbolic link"
UNREADABLE = "it cannot be read: "
EXCLUDED = "excluded by --exclude"
HIDDEN = "a hidden name"
ODD = "names in it that no file can have, or that a folder has too, are left out"
OTHER_OUTPUT = "filled by this program: its pictures are no originals"
_REFUSED = "{} was " + OTHER_OUTPUT + ". Give the originals as INPUT."

Identity = tuple[int, int]
_Entry = os.DirEntry[str] | Entry

_NAME: Callable[[_Entry], str] = operator.attrgetter("name")


class Found(NamedTuple):
    """One thing that was found; a tuple, since there may be a million.

    Attributes:
        path: where it lies, as the system spells it; of what lies in a storage, its address.
        place: its path inside the INPUT (under the INPUT's label where there are several), as the system spells it.
        key: `place` in valid UTF-8: the `source` of the manifest, unique. A folder's ends in "/".
        kind: what it is; None while nobody has looked inside (see `examine`).
        size, mtime_ns: of the file, in bytes and nanoseconds.
        reason: why nothing can be done with it, for a person; empty for what can be opened.
    """

    path: str
    place: str
    key: str
    kind: Kind | None
    size: int = 0
    mtime_ns: int = 0
    reason: str = ""

    @property
    def source(self) -> Path:
        """The file's path."""
        return Origin(self.path) if is_address(self.path) else Path(self.path)


@dataclass(slots=True)
class Folder:
    """One folder that was walked.

    Attributes:
        place: its path inside the INPUT, as `Found.place`; empty for the root.
        files: what lies in it, and itself where it cannot be read.
        folders: names of the folders in it that are walked, later.
        junk: what was passed over in it, as README lists it.
        elsewhere: how many of its files belong to other shares.
        gathers: it is none, but holds several INPUTs, or one that is a file.
    """

    place: str
    files: list[Found] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    junk: list[str] = field(default_factory=list)
    elsewhere: int = 0
    gathers: bool = False


def discover(
    roots: Sequence[Root], output: Path, *, follow_symlinks: bool = False, exclude: Sequence[str] = ()
) -> Iterator[Folder]:
    """Walk the INPUTs lazily; each folder before those in it, names sorted by their bytes. No file is opened.

    OUTPUT is passed over, and so is what systems leave behind (`Thumbs.db`), which is counted. Hidden names,
    and what another run of this program filled, are found and not walked into. Folders reached only through symbolic
    links come after all others, each real folder once.

    Args:
        roots: the INPUTs, from `places.check_places`.
        output: never walked, wherever it lies.
        follow_symlinks: take up what symbolic links inside the INPUTs point to.
        exclude: glob patterns; one without "/" meets the name of a file or of a folder above it, one with "/" the path
            inside the INPUT (`*` passes over "/" too).
    """
    return _Walk(output, follow_symlinks, exclude).over(roots)


def examined(files: Sequence[Found]) -> Iterator[Found]:
    """Examine the files of a folder; the beginnings of those that lie in a storage are asked for together."""
    far = [each.path for each in files if each.kind is None and each.size and is_address(each.path)]
    batches, known = heads(far, HEAD), dict[str, bytes | OSError]()
    for found in files:
        if far and found.kind is None and found.size and found.path not in known:
            known = next(batches)
        yield examine(found, known.get(found.path))


def examine(found: Found, told: bytes | OSError | None = None) -> Found:
    """Say what a file is by its first bytes; what is known already is returned as it is.

    Args:
        found: the file.
        told: its first bytes, or why they cannot be read; None: they are read here.
    """
    if found.kind is not None:
        return found
    suffix = os.path.splitext(found.path)[1]  # noqa: PTH122 - fast, for many
    try:
        if isinstance(told, OSError):
            raise told
        head = told if told is not None else _head(found.path) if found.size else b""
        kind = kind_of(head, suffix)
        if head.startswith(TIFF_MARKS) and may_hold_pages(suffix) and has_several_pages(found.source):
            kind = Kind.PAGES
    except OSError as error:
        lost = isinstance(error, FileNotFoundError)
        if lost and not lost_folder(found.source):
            return found._replace(kind=Kind.VANISHED, reason="gone while the folder was read")
        # The suffix alone, so that its neighbours keep their names while it can't be read.
        kind = kind_of(b"", suffix)
        kind = Kind.UNREADABLE if kind is Kind.OTHER else kind
        return found._replace(kind=kind, reason=f"{UNREADABLE}{'its folder is gone' if lost else words(error)}")
    if kind is Kind.OTHER:
        return found._replace(kind=kind, reason="not a picture or film" if found.size else "an empty file")
    return found._replace(kind=kind)


def pictures(roots: Sequence[Root], output: Path) -> Iterator[Found]:
    """Yield everything that can be opened as a picture or film, in the order of the walk."""
    for folder in discover(roots, output):
        for found in map(examine, folder.files):
            if found.kind in PICTURED and not found.reason:
                yield found


class _Walk:
    """The state of one walk: folders seen, links put off to the end."""

    def __init__(self, output: Path, follow_symlinks: bool, exclude: Sequence[str]) -> None:
        self._output = output
        self._follow = follow_symlinks
        self._patterns = [pattern.strip("/") if "/" in pattern.strip("/") else pattern for pattern in exclude]
        self._itself: Identity | None = None  # OUTPUT, which is not walked
        self._seen: set[Identity] = set()
        self._links: list[tuple[str, str]] = []

    def over(self, roots: Sequence[Root]) -> Iterator[Folder]:
        with suppress(OSError):  # not there yet, so there is nothing to walk into
            self._itself = _identity(self._output.stat())
        if roots and roots[0].label:  # several INPUTs, or one file: together they are as a folder
            files = [self._file(str(root.path), root.label, root.path.stat()) for root in roots if not root.is_folder]
            yield Folder("", files, [root.label for root in roots if root.is_folder], gathers=True)
        for root in roots:
            if root.is_folder:
                yield from self._tree(str(root.path), root.label)
        for path, place in self._links:  # grows while it is walked
            yield from self._tree(path, place, through_link=True)

    def _tree(self, path: str, place: str, *, through_link: bool = False) -> Iterator[Folder]:
        stack, folders = [(path, place)], False
        while stack:
            path, place = stack.pop()
            folder = Folder(place)
            try:
                identity = _identified(path)
                if identity == self._itself:
                    continue
                # What no link led to is walked whatever its number: some file systems give one to several folders.
                if through_link and identity in self._seen:
                    key, reason = (f"{place}/", WALKED_ANYWAY) if folders else (place, WALKED_BEFORE)
                    folder.files.append(Found(path, key, escape(key), Kind.OTHER, reason=reason))
                    yield folder
                    continue
                entries = self._entries(folder, path)
            except OSError as error:
                reason = f"this folder cannot be read: {words(error)}"
                folder.files.append(Found(path, f"{place}/", escape(f"{place}/"), Kind.UNREADABLE, reason=reason))
                yield folder
                continue
            finally:
                folders = True
            self._seen.add(identity)
            if FOLDER in folder.junk if is_address(path) else is_filled(path):
                if not place:
                    raise InputError(_REFUSED.format(path))
                folder.files.append(Found(path, f"{place}/", escape(f"{place}/"), Kind.EXCLUDED, reason=OTHER_OUTPUT))
                yield folder
                continue
            below = self._fill(folder, entries)
            yield folder
            stack.extend(reversed(below))

    def _entries(self, folder: Folder, path: str) -> list[_Entry]:
        if not is_address(path):
            with os.scandir(path) as found:
                return _sorted(found, folder.junk)
        there, odd = scan(Origin(path))
        if odd:
            key = f"{folder.place}/"
            folder.files.append(Found(path, key, escape(key), Kind.OTHER, reason=f"{odd:,} {ODD}"))
        return _sorted(there, folder.junk)

    def _fill(self, folder: Folder, entries: list[_Entry]) -> list[tuple[str, str]]:
        """Sort what lies in a folder into files and folders; return where the latter lie."""
        below = []
        for entry in entries:
            place = f"{folder.place}/{entry.name}" if folder.place else entry.name
            if entry.name.startswith("."):
                place += "/" if entry.is_dir(follow_symlinks=False) else ""
                folder.files.append(Found(entry.path, place, escape(place), Kind.EXCLUDED, reason=HIDDEN))
                continue
            if entry.is_dir(follow_symlinks=False):
                folder.folders.append(entry.name)
                below.append((entry.path, place))
                continue
            found = self._entry(entry, place)
            if found is not None:
                folder.files.append(found)
            else:
                folder.folders.append(entry.name)
        return below

    def _entry(self, entry: _Entry, place: str) -> Found | None:
        """Return a file, or None for a link to a folder, which is put off."""
        path = entry.path
        try:
            if not entry.is_symlink():
                return self._file(path, place, entry.stat(follow_symlinks=False))
            if not self._follow or isinstance(entry, Entry):
                reason = LINK_THERE if isinstance(entry, Entry) else NOT_FOLLOWED
                return Found(path, place, escape(place), Kind.OTHER, reason=reason)
            status = entry.stat()
        except FileNotFoundError:
            if entry.is_symlink():
                return Found(path, place, escape(place), Kind.UNREADABLE, reason="a symbolic link to something gone")
            return Found(path, place, escape(place), Kind.VANISHED, reason="gone while the folder was read")
        except OSError as error:
            return Found(path, place, escape(place), Kind.UNREADABLE, reason=f"{UNREADABLE}{words(error)}")
        if stat.S_ISDIR(status.st_mode):
            self._links.append((path, place))
            return None
        return self._file(path, place, status)

    def _file(self, path: str, place: str, status: os.stat_result) -> Found:
        key = escape(place)
        if not stat.S_ISREG(status.st_mode):
            return Found(path, place, key, Kind.OTHER, reason=NOT_A_FILE)
        excluded = bool(self._patterns) and self._is_excluded(place)
        kind, reason = (Kind.EXCLUDED, EXCLUDED) if excluded else (None, "")
        return Found(path, place, key, kind, status.st_size, status.st_mtime_ns, reason)

    def _is_excluded(self, place: str) -> bool:
        parts = place.split("/")
        for pattern in self._patterns:
            bare = pattern.rstrip("/")
            if "/" not in bare:
                if any(fnmatch.fnmatchcase(part, bare) for part in (parts[:-1] if bare != pattern else parts)):
                    return True
            elif any(fnmatch.fnmatchcase("/".join(parts[:end]), bare) for end in range(1, len(parts) + 1)):
                return True
        return False


def is_filled(path: str) -> bool:
    """Tell whether this program has filled a folder, as an OUTPUT (also where its journal was lost) or a gallery."""
    own = (GALLERY_MARK, *(f"{FOLDER}/{name}" for name in (JOURNAL, COPY, "lock")))
    return any(os.path.exists(f"{path}/{name}") for name in own)  # noqa: PTH110 - fast, for many


def refuse_filled(roots: Sequence[Root]) -> None:
    """Raise `InputError` where an INPUT is what this program has filled: was it exchanged for OUTPUT?

    The walk would find it too, but when OUTPUT, which may be the originals then, has been written to.
    """
    for root in roots:
        if root.is_folder and not isinstance(root.path, Origin) and is_filled(str(root.path)):
            raise InputError(_REFUSED.format(root.path))


def _sorted(entries: Iterable[_Entry], junk: list[str]) -> list[_Entry]:
    kept = []
    for each in entries:
        called = _junk(each.name)
        if called:
            junk.append(called)
        else:
            kept.append(each)
    if "".join([each.name for each in kept]).isascii():
        return sorted(kept, key=_NAME)
    return sorted(kept, key=lambda each: os.fsencode(each.name))


def _identified(path: str) -> Identity:
    """Return what tells a folder from all others; raises `OSError`."""
    if is_address(path):
        return -1, hash(path)
    return _identity(os.stat(path))  # noqa: PTH116 - fast, for many


def _identity(status: os.stat_result) -> Identity:
    return status.st_dev, status.st_ino


def _junk(name: str) -> str:
    """Return how the list of junk calls a name; nothing where it is none."""
    low = name.lower()
    if low in _JUNK:
        return low.strip()
    if low.startswith(_JUNK_STARTS):
        return next(f"{start}*" for start in _JUNK_STARTS if low.startswith(start))
    return ""


def _head(path: str) -> bytes:
    if is_address(path):
        with Origin(path).open("rb") as file:
            return file.read(HEAD)
    # Without O_NONBLOCK a file exchanged for a named pipe since it was listed would hang the run.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    try:
        return os.read(descriptor, HEAD)
    finally:
        os.close(descriptor)

"""What lies in the INPUTs: every file once, lazily and in a stable order, each opened at most once."""

from __future__ import annotations

import errno
import fnmatch
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.archive.content import HEAD, kind_of
from pipeline.archive.places import Root, check_places
from pipeline.archive.spelling import escape

# Left behind by operating systems and network drives; hidden names (.DS_Store, ._*) are passed over anyway.
_JUNK = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "@eadir", "__macosx", "$recycle.bin", "icon\r"})

NOT_A_FILE = "not a file but a named pipe, socket or device"
NOT_FOLLOWED = "a symbolic link; --follow-symlinks takes up what it points to"
WALKED_BEFORE = "a symbolic link to a folder that is walked anyway"
UNREADABLE = "it cannot be read: "
EXCLUDED = "excluded by --exclude"

Known = Callable[[str, int, int], str | None]
Identity = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that was found.

    Attributes:
        path: where it lies, as the system spells it.
        place: its path inside the INPUT (under the INPUT's label where there are several), as the system spells it.
        key: `place` in valid UTF-8: the `source` of the manifest, unique. A folder's ends in "/".
        kind: photo, film, other (neither), excluded (by a setting), unreadable, or vanished (gone when it was opened).
        size, mtime_ns: of the file, in bytes and nanoseconds.
        reason: why nothing can be done with it, for a person; empty for photos and films that can be opened.
    """

    path: str
    place: str
    key: str
    kind: str
    size: int = 0
    mtime_ns: int = 0
    reason: str = ""

    @property
    def source(self) -> Path:
        """The file's path."""
        return Path(self.path)


def discover(
    inputs: Sequence[Path],
    output: Path,
    *,
    follow_symlinks: bool = False,
    exclude: Sequence[str] = (),
    known: Known | None = None,
) -> Iterator[Found]:
    """Check the places, then walk the INPUTs lazily; folder by folder, names sorted by their bytes.

    Hidden names, OUTPUT, and what systems leave behind (`Thumbs.db`) are passed over in silence. Folders reached only
    through symbolic links come after all others, each real folder once.

    Args:
        inputs: files and folders.
        output: never walked, wherever it lies.
        follow_symlinks: take up what symbolic links inside the INPUTs point to.
        exclude: glob patterns; one without "/" meets the name of a file or of a folder above it, one with "/" the path
            inside the INPUT (`*` passes over "/" too).
        known: from key, size and mtime_ns to the kind that an earlier run found, or None: saves opening the file.

    Raises:
        InputError, OutputError: before anything is walked; see `check_places`.
    """
    roots = check_places(inputs, output)
    return _Walk(output, follow_symlinks, exclude, known).over(roots)


class _Walk:
    """The state of one walk: folders seen, links put off to the end."""

    def __init__(self, output: Path, follow_symlinks: bool, exclude: Sequence[str], known: Known | None) -> None:
        self._output = output
        self._follow = follow_symlinks
        self._patterns = [pattern.strip("/") if "/" in pattern.strip("/") else pattern for pattern in exclude]
        self._known = known
        self._seen: set[Identity] = set()
        self._links: list[tuple[str, str]] = []

    def over(self, roots: Sequence[Root]) -> Iterator[Found]:
        with suppress(OSError):  # not there yet, so there is nothing to walk into
            self._seen.add(_identity(self._output.stat()))
        for root in roots:
            path = str(root.path)
            if root.is_folder:
                yield from self._folder(path, root.label)
            else:
                yield self._file(path, root.label, root.path.stat())
        for path, place in self._links:  # grows while it is walked
            yield from self._folder(path, place, through_link=True)

    def _folder(self, path: str, place: str, *, through_link: bool = False) -> Iterator[Found]:
        stack: list[tuple[str, str, os.DirEntry[str] | None]] = [(path, place, None)]
        while stack:
            path, place, entry = stack.pop()
            if entry is not None and not entry.is_dir(follow_symlinks=False):
                found = self._entry(entry, path, place)
                if found is not None:
                    yield found
                continue
            try:
                identity = _identity(Path(path).stat())
                if identity in self._seen:
                    if through_link:
                        yield Found(path, place, escape(place), "other", reason=WALKED_BEFORE)
                    through_link = False
                    continue
                through_link = False
                with os.scandir(path) as entries:
                    inside = sorted(
                        (each for each in entries if not _is_silent(each.name)),
                        key=lambda each: os.fsencode(each.name),
                        reverse=True,
                    )
            except OSError as error:
                reason = f"this folder cannot be read: {_words(error)}"
                yield Found(path, f"{place}/", escape(f"{place}/"), "unreadable", reason=reason)
                continue
            self._seen.add(identity)
            stack.extend((each.path, f"{place}/{each.name}" if place else each.name, each) for each in inside)

    def _entry(self, entry: os.DirEntry[str], path: str, place: str) -> Found | None:
        try:
            if not entry.is_symlink():
                return self._file(path, place, entry.stat(follow_symlinks=False))
            if not self._follow:
                return Found(path, place, escape(place), "other", reason=NOT_FOLLOWED)
            status = entry.stat()
        except FileNotFoundError:
            if entry.is_symlink():
                return Found(path, place, escape(place), "unreadable", reason="a symbolic link to something gone")
            return Found(path, place, escape(place), "vanished", reason="gone while the folder was read")
        except OSError as error:
            return Found(path, place, escape(place), "unreadable", reason=f"{UNREADABLE}{_words(error)}")
        if stat.S_ISDIR(status.st_mode):
            self._links.append((path, place))
            return None
        return self._file(path, place, status)

    def _file(self, path: str, place: str, status: os.stat_result) -> Found:
        key = escape(place)
        if not stat.S_ISREG(status.st_mode):
            return Found(path, place, key, "other", reason=NOT_A_FILE)
        size, mtime_ns = status.st_size, status.st_mtime_ns
        if self._patterns and self._is_excluded(place):
            return Found(path, place, key, "excluded", size, mtime_ns, EXCLUDED)
        kind = self._known(key, size, mtime_ns) if self._known else None
        reason = ""
        if kind is None:
            try:
                kind = kind_of(_head(path) if size else b"", os.path.splitext(path)[1])  # noqa: PTH122 - fast, many
            except FileNotFoundError:
                kind, reason = "vanished", "gone while the folder was read"
            except OSError as error:
                # The suffix alone, so that its neighbours keep their names while it can't be read.
                kind, reason = kind_of(b"", os.path.splitext(path)[1]), f"{UNREADABLE}{_words(error)}"  # noqa: PTH122
                kind = "unreadable" if kind == "other" else kind
        if kind == "other":
            reason = "not a picture or film" if size else "an empty file"
        return Found(path, place, key, kind, size, mtime_ns, reason)

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


def _identity(status: os.stat_result) -> Identity:
    return status.st_dev, status.st_ino


def _is_silent(name: str) -> bool:
    return name.startswith(".") or name.lower() in _JUNK


def _head(path: str) -> bytes:
    # Without O_NONBLOCK a file exchanged for a named pipe since it was listed would hang the run.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    try:
        return os.read(descriptor, HEAD)
    finally:
        os.close(descriptor)


def _words(error: OSError) -> str:
    if error.errno == errno.ENAMETOOLONG:
        return "its path is too long"
    return (error.strerror or str(error)).lower()

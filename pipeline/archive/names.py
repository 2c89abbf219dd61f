"""What each output is called: mirrored, and never two sources under one name on any file system."""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Set
from functools import lru_cache
from itertools import chain
from pathlib import PurePosixPath
from typing import NamedTuple

from pipeline.archive.discover import Folder, Found
from pipeline.archive.refused import NOTHING, Refused
from pipeline.archive.spelling import fold
from pipeline.ground.items import PICTURED, Kind

_LONGEST = 255  # bytes of one name, on nearly every file system
_RESERVED = ("manifest.csv", ".colorize")  # in the root of OUTPUT
# "12.5.1931", "Mr. Smith" and "scan.001" have no suffix that a name should lose.
_SUFFIX = re.compile(r"\.(?=[^.]*[A-Za-z])[^\s.~]{1,15}\Z")
_HASH_DIGITS = (8, 16, 32, 64)

_Member = tuple[str, ...]  # the name of a folder; or of a file: its name, both halves of that, its output's suffix


_ALSO = {".jpeg": ".jpg", ".jpe": ".jpg", ".jfif": ".jpg", ".jif": ".jpg", ".tiff": ".tif"}  # of one format


def ending(name: str) -> str:
    """Return the suffix of an output's name, the same for all that say the same format."""
    suffix = PurePosixPath(name).suffix.lower()
    return _ALSO.get(suffix, suffix)


class Names(NamedTuple):
    """Where one item's output goes, relative to OUTPUT, as the system spells it, with "/" between parts.

    Attributes:
        output: of a colorized picture or film.
        copy_output: of a copy byte for byte, which keeps the source's own suffix.
    """

    output: str
    copy_output: str


class Naming:
    """Names the outputs of an archive folder by folder; the order of what lies in a folder changes nothing.

    A name is the source's stem and the output's suffix. Where two sources of a folder would meet, or differ only by
    case or Unicode form, each keeps its own suffix inside (`a.jpg.png`); where even that meets something, or a name
    grows too long, a hash of the source's own name is added (`a~1f2e3d4c.jpg.png`). A copy keeps its source's name.
    Folders whose names are equal but for case or Unicode form, or that would lie on the manifest, get a hash too.

    All names of different items, and of the folders above them, differ even when case and Unicode form are ignored.
    """

    def __init__(self, suffix: Callable[[Kind, str], str], refused: Refused = NOTHING) -> None:
        """Take how outputs end, and what OUTPUT takes no names with.

        Args:
            suffix: from an item's kind and its source's own suffix, "" for none, to that of its output, with its dot.
            refused: written otherwise.
        """
        self._suffix = lru_cache(maxsize=1024)(suffix)  # an archive has few
        self._refused, self._takes_all = refused, not refused
        self._renamed: dict[str, str] = {}

    def names(self, folder: Folder) -> dict[str, Names]:
        """Return the names of a folder's photos, pages and films by `Found.key`; folders come before those in them."""
        target = self._target(folder.place)
        reserved = set(_RESERVED) if not target else set()
        inside = _apart([(name,) for name in folder.folders], self._folder_name, reserved)
        for (name,), (chosen,) in inside.items():
            if chosen != name:
                self._renamed[posixpath.join(folder.place, name)] = posixpath.join(target, chosen)
        taken = reserved | {fold(chosen) for (chosen,) in inside.values()}
        members = {self._member(found): found for found in folder.files if found.kind in PICTURED}
        prefix = f"{target}/" if target else ""
        return {
            members[member].key: Names(prefix + output, prefix + copy)
            for member, (output, copy) in _apart(members, self._file_names, taken).items()
        }

    def _member(self, found: Found) -> _Member:
        assert found.kind is not None
        name = found.place.rpartition("/")[2]
        stem, own = _split(name)
        return name, stem, own, self._suffix(found.kind, own)

    def _folder_name(self, member: _Member, level: int) -> tuple[str, ...]:
        (name,) = member
        spelled = self._refused.spell(name)
        return (self._tagged(spelled, name, "", _HASH_DIGITS[level - 1]) if level else spelled,)

    def _file_names(self, member: _Member, level: int) -> tuple[str, ...]:
        name, stem, own, suffix = member
        if level == 0 and self._takes_all:
            return stem + suffix, name
        spell = self._refused.spell
        if level == 0:
            return spell(stem + suffix), spell(name)
        if level == 1:
            return spell(name + suffix), spell(name)
        digits = _HASH_DIGITS[level - 2]
        stem, own = spell(stem), spell(own)
        return self._tagged(stem, name, own + suffix, digits), self._tagged(stem, name, own, digits)

    @staticmethod
    def _tagged(stem: str, name: str, ending: str, digits: int) -> str:
        """Return the stem with a hash of the whole source name, cut so that the result fits."""
        tail = f"~{hashlib.sha256(os.fsencode(name)).hexdigest()[:digits]}{ending}"
        room = _LONGEST - len(os.fsencode(tail))
        stem = stem[:room]
        while len(os.fsencode(stem)) > room:
            stem = stem[:-1]
        return stem + tail

    def _target(self, place: str) -> str:
        """Return where a folder is mirrored: at its own place, but for renamed ones above it."""
        if not self._renamed:
            return place
        above, below = place, ""
        while above and above not in self._renamed:
            above, _, name = above.rpartition("/")
            below = f"{name}/{below}" if below else name
        return posixpath.join(self._renamed[above], below).rstrip("/") if above else place


def _apart(
    members: Iterable[_Member], choice: Callable[[_Member, int], tuple[str, ...]], taken: Set[str]
) -> dict[_Member, tuple[str, ...]]:
    """Choose for each member of one folder the plainest names that no other member and nothing in `taken` has.

    All members that meet step up together, round after round, so the order in which they come changes nothing.

    Args:
        members: without doubles.
        choice: from a member and a level (0: plainest) to its names.
        taken: folds of names that are used already.
    """
    chosen = {member: choice(member, 0) for member in members}
    folds = {member: set(map(fold, names)) for member, names in chosen.items()}
    if _are_apart(chosen, folds, taken):
        return chosen
    levels = dict.fromkeys(chosen, 0)
    claims = Counter(chain.from_iterable(folds.values()))
    while True:
        met = {each for each, count in claims.items() if count > 1 or each in taken}
        meeting = [
            member for member, own in folds.items() if not met.isdisjoint(own) or any(map(_is_too_long, chosen[member]))
        ]
        if not meeting:
            return chosen
        for member in meeting:
            claims.subtract(folds[member])
            levels[member] += 1
            chosen[member] = choice(member, levels[member])
            folds[member] = set(map(fold, chosen[member]))
            claims.update(folds[member])


def _are_apart(chosen: Mapping[_Member, tuple[str, ...]], folds: Mapping[_Member, set[str]], taken: Set[str]) -> bool:
    """Tell whether the plainest names of a folder will do, as they nearly always do."""
    used = set(chain.from_iterable(folds.values()))
    longest = max(map(len, chain.from_iterable(chosen.values())), default=0)
    # No character takes more than four bytes.
    return longest * 4 <= _LONGEST and len(used) == sum(map(len, folds.values())) and used.isdisjoint(taken)


def _is_too_long(name: str) -> bool:
    return len(name) * 4 > _LONGEST and len(os.fsencode(name)) > _LONGEST


def _split(name: str) -> tuple[str, str]:
    match = _SUFFIX.search(name)
    return (name[: match.start()], match[0]) if match and match.start() else (name, "")

"""What each output is called: mirrored, and never two sources under one name on any file system."""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass

from pipeline.archive.discover import Found
from pipeline.archive.spelling import fold

_LONGEST = 255  # bytes of one name, on nearly every file system
_RESERVED = ("manifest.csv", ".colorize")  # in the root of OUTPUT
# "12.5.1931", "Mr. Smith" and "scan.001" have no suffix that a name should lose.
_SUFFIX = re.compile(r"\.(?=[^.]*[A-Za-z])[^\s.~]{1,15}\Z")
_HASH_DIGITS = (8, 16, 32, 64)

_Member = tuple[str, ...]  # the name of a folder, or the name of a file and the suffix of its output


@dataclass(frozen=True, slots=True)
class Names:
    """Where one item's output goes, relative to OUTPUT, as the system spells it, with "/" between parts.

    Attributes:
        output: of a colorized picture or film.
        copy_output: of a copy byte for byte, which keeps the source's own suffix.
    """

    output: str
    copy_output: str


def output_names(found: Iterable[Found], suffix: str, *, film_suffix: str = ".mp4") -> dict[str, Names]:
    """Name the outputs of all photos and films among `found`; the order in which they come changes nothing.

    A name is the source's stem and the output's suffix. Where two sources of a folder would meet, or differ only by
    case or Unicode form, each keeps its own suffix inside (`a.jpg.png`); where even that meets something, or a name
    grows too long, a hash of the source's own name is added (`a~1f2e3d4c.jpg.png`). A copy keeps its source's name.
    Folders whose names are equal but for case or Unicode form, or that would lie on the manifest, get a hash too.

    Args:
        found: everything that was found; other kinds get no name.
        suffix: of pictures, with its dot.
        film_suffix: of films, with its dot.

    Returns:
        From `Found.key` to its names. All names of different items, and the folders above them, differ even when
        case and Unicode form are ignored.
    """
    files: defaultdict[str, dict[_Member, Found]] = defaultdict(dict)
    for item in found:
        if item.kind in ("photo", "film"):
            folder, name = posixpath.split(item.place)
            files[folder][name, film_suffix if item.kind == "film" else suffix] = item
    targets = _folders(files)
    children: defaultdict[str, set[str]] = defaultdict(set)
    for target in targets.values():
        if target:
            parent, name = posixpath.split(target)
            children[parent].add(fold(name))
    names: dict[str, Names] = {}
    for folder, members in files.items():
        target = targets[folder]
        taken = children[target] | (set(_RESERVED) if not target else set())
        chosen = _apart(members, _file_names, taken)
        for (name, ending), item in members.items():
            output, copy = chosen[name, ending]
            names[item.key] = Names(posixpath.join(target, output), posixpath.join(target, copy))
    return names


def _folders(files: Iterable[str]) -> dict[str, str]:
    """Return where each source folder, and each above it, is mirrored."""
    inside: defaultdict[str, set[str]] = defaultdict(set)
    known = {""}
    for folder in files:
        while folder not in known:
            known.add(folder)
            parent, name = posixpath.split(folder)
            inside[parent].add(name)
            folder = parent
    targets = {"": ""}
    for parent in sorted(inside):  # a folder sorts before what it holds
        taken = set(_RESERVED) if not parent else set()
        chosen = _apart([(name,) for name in sorted(inside[parent])], _folder_name, taken)
        for (name,), (target,) in chosen.items():
            targets[posixpath.join(parent, name)] = posixpath.join(targets[parent], target)
    return targets


def _folder_name(member: _Member, level: int) -> tuple[str, ...]:
    (name,) = member
    return (_tagged(name, name, "", _HASH_DIGITS[level - 1]) if level else name,)


def _file_names(member: _Member, level: int) -> tuple[str, ...]:
    name, suffix = member
    stem, own = _split(name)
    if level == 0:
        return stem + suffix, name
    if level == 1:
        return name + suffix, name
    digits = _HASH_DIGITS[level - 2]
    return _tagged(stem, name, own + suffix, digits), _tagged(stem, name, own, digits)


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
    levels = dict.fromkeys(chosen, 0)
    folds = {member: set(map(fold, names)) for member, names in chosen.items()}
    claims = Counter(each for own in folds.values() for each in own)
    while True:
        meeting = [
            member
            for member, own in folds.items()
            if any(claims[each] > 1 or each in taken for each in own)
            or any(len(os.fsencode(name)) > _LONGEST for name in chosen[member])
        ]
        if not meeting:
            return chosen
        for member in meeting:
            claims.subtract(folds[member])
            levels[member] += 1
            chosen[member] = choice(member, levels[member])
            folds[member] = set(map(fold, chosen[member]))
            claims.update(folds[member])


def _split(name: str) -> tuple[str, str]:
    match = _SUFFIX.search(name)
    return (name[: match.start()], match[0]) if match and match.start() else (name, "")


def _tagged(stem: str, name: str, ending: str, digits: int) -> str:
    """Return the stem with a hash of the whole source name, cut so that the result fits."""
    tail = f"~{hashlib.sha256(os.fsencode(name)).hexdigest()[:digits]}{ending}"
    room = _LONGEST - len(os.fsencode(tail))
    stem = stem[:room]
    while len(os.fsencode(stem)) > room:
        stem = stem[:-1]
    return stem + tail

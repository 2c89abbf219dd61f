"""Names as the folders of OUTPUT list them: where case or Unicode form makes no difference, several lead to one file.

Numbers of files (inodes) do not tell that: what is served by FUSE may give each spelling a number of its own.
"""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.archive.spelling import fold


def as_listed(output: Path, place: str) -> str:
    """Return how a file is listed that is there, relative to OUTPUT and spelled as `place` or otherwise."""
    here = ""
    for part in place.split("/"):
        names = _names(f"{output}/{here}")
        alike = part if part in names else next((each for each in names if fold(each) == fold(part)), part)
        here = f"{here}/{alike}" if here else alike
    return here


def is_one(output: Path, place: str, other: str) -> bool:
    """Tell whether two names lead to one file because OUTPUT makes no difference between them."""
    if place == other or fold(place) != fold(other):
        return False
    there = all(os.path.lexists(f"{output}/{each}") for each in (place, other))
    return there and as_listed(output, place) == as_listed(output, other)


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - names
    except OSError:
        return []

"""What a person says of single items: `--on-color-list FILE`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline.ground.errors import SettingsError
from pipeline.ground.files import read_plain, words
from pipeline.ground.settings import field_of

_LARGEST = 1 << 28


def read_list(place: str) -> Mapping[str, str]:
    """Read a list of items: on each line a word of --on-color, a space, and the item as the manifest spells it.

    Args:
        place: of the file, UTF-8; empty: there is none. Empty lines and those that begin with "#" say nothing.

    Returns:
        word by item; of two lines on one item the later counts.

    Raises:
        SettingsError: the file cannot be read, or a line begins otherwise.
    """
    if not place:
        return {}
    try:
        lines = read_plain(Path(place), _LARGEST).decode("utf-8-sig").splitlines()
    except OSError as error:
        raise SettingsError(f"The list {place} cannot be read: {words(error)}.") from None
    except UnicodeDecodeError:
        raise SettingsError(f"The list {place} is not UTF-8.") from None
    said = [(number, line.strip()) for number, line in enumerate(lines, 1)]
    return dict(_decision(place, number, line) for number, line in said if line and not line.startswith("#"))


def _decision(place: str, number: int, line: str) -> tuple[str, str]:
    word, _, item = line.partition(" ")
    words = field_of("on_color").metadata["choices"]
    if word not in words or not item.strip():
        raise SettingsError(
            f"{place}, line {number}: write {', '.join(words[:-1])} or {words[-1]}, then the path as the manifest's "
            f'source column has it, for example "recolor {"box 3/017.jpg" if not item else line}".'
        )
    return item.strip(), word

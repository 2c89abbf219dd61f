"""How the names of files are spelled: on the disk, in the journal and the manifest, and compared with each other."""

from __future__ import annotations

import os
import re
import unicodedata

_LOOKS_ESCAPED = re.compile(r"\\x[89a-f][0-9a-f]")
_ESCAPE = re.compile(rb"\\(\\|x[89a-f][0-9a-f])")


def escape(path: str) -> str:
    r"""Return the valid UTF-8 spelling of a path as the system gives it; no two paths share one.

    Nearly every path stays as it is. One with bytes that are not UTF-8 (old Latin-1 archives) shows them as `\xe9`,
    and its backslashes doubled; so does one that could be mistaken for such a spelling.
    """
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        pass
    else:
        if not _LOOKS_ESCAPED.search(path):
            return path
    return os.fsencode(path).replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")


def unescape(spelling: str) -> str:
    """Return the path as the system takes it, from its spelling by `escape`."""
    if not _LOOKS_ESCAPED.search(spelling):
        return spelling

    def byte(match: re.Match[bytes]) -> bytes:
        return b"\\" if match[1] == b"\\" else bytes([int(match[1][1:], 16)])

    return os.fsdecode(_ESCAPE.sub(byte, spelling.encode("utf-8")))


def fold(name: str) -> str:
    """Return what a file system may take `name` for: one text for all spellings equal but for case or Unicode form.

    Unicode's canonical caseless match (The Unicode Standard, section 3.13, D145), the widest of what HFS+, APFS, NTFS
    and exFAT do: two names with different folds are different files everywhere.
    """
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold()))

"""How the names of files are spelled: on the disk, in the journal and the manifest, and compared with each other."""

from __future__ import annotations

import os
import re
import unicodedata

_LOOKS_ESCAPED = re.compile(r"\\x[89a-f][0-9a-f]")
_ESCAPE = re.compile(rb"\\(\\|x[89a-f][0-9a-f])")

# What steers a terminal, turns the direction of text, or breaks a line: C0, C1, marks of direction, U+2028 and U+2029.
_STEERING = "\\x00-\\x1f\\x7f-\\x9f\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ufeff"
_STEERS = re.compile(f"[{_STEERING}]")
_ODD_CELL = re.compile(rf"\A[=+\-@']|[{_STEERING}]|\\u[0-9a-f]{{4}}")
_CODE = re.compile(r"\\u[0-9a-f]{4}")
_CODES = re.compile(r"\\(\\|u[0-9a-f]{4})")


def escape(path: str) -> str:
    r"""Return the valid UTF-8 spelling of a path as the system gives it; no two paths share one.

    Nearly every path stays as it is. One with bytes that are not UTF-8 (old Latin-1 archives) shows them as `\xe9`,
    and its backslashes doubled; so does one that could be mistaken for such a spelling.
    """
    if "\\" not in path and path.isascii():
        return path
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
    if "\\" not in spelling or not _LOOKS_ESCAPED.search(spelling):
        return spelling

    def byte(match: re.Match[bytes]) -> bytes:
        return b"\\" if match[1] == b"\\" else bytes([int(match[1][1:], 16)])

    return os.fsdecode(_ESCAPE.sub(byte, spelling.encode("utf-8")))


def cell(text: str) -> str:
    r"""Return how a text stands in a cell of the manifest: no spreadsheet takes it for a formula; see `uncell`.

    Nearly every text stays as it is. One that begins with `=`, `+`, `-`, `@` or `'` gets a `'` before it. One with
    control characters, line breaks or marks of direction shows them as `\u001b`, and its backslashes doubled; so does
    one that could be mistaken for such a spelling.
    """
    if not _ODD_CELL.search(text):
        return text
    if _STEERS.search(text) or _CODE.search(text):
        text = _STEERS.sub(lambda match: f"\\u{ord(match[0]):04x}", text.replace("\\", "\\\\"))
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "'") else text


def uncell(text: str) -> str:
    """Return the text that `cell` made a cell of."""
    text = text.removeprefix("'")
    if not _CODE.search(text):
        return text
    return _CODES.sub(lambda match: "\\" if match[1] == "\\" else chr(int(match[1][1:], 16)), text)


def readable(text: str) -> str:
    r"""Return `text` as valid UTF-8 has it: bytes of a name that are none stand there as `\xe9`."""
    if text.isascii():
        return text
    try:
        return os.fsencode(text).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # half a character, which no file system gives
        return text.encode("utf-8", "backslashreplace").decode("utf-8")


def printable(text: str) -> str:
    """Return `text` as `readable` does, without what may steer a terminal: control characters, marks of direction."""
    return _STEERS.sub("?", readable(text))


def fold(name: str) -> str:
    """Return what a file system may take `name` for: one text for all spellings equal but for case or Unicode form.

    Unicode's canonical caseless match (The Unicode Standard, section 3.13, D145), the widest of what HFS+, APFS, NTFS
    and exFAT do: two names with different folds are different files everywhere.
    """
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold()))

"""How names and numbers stand on a page: nothing that steers, nothing that a browser takes for markup."""

from __future__ import annotations

import html
import json
import os
import re
from typing import Any, Final
from urllib.parse import quote

from pipeline.ground.errors import Cause

# The same that the manifest shows by their codes, see `spelling.cell`; a lone surrogate is none of these names.
_STEERS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_MARKUP: Final = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}

ADVICE: Final[dict[str, str]] = {
    Cause.IN_COLOUR: "It is in colour already. Where that is wrong, name it in a file for --on-color-list.",
    Cause.NO_PICTURE: "It is neither a picture nor a film.",
    Cause.DAMAGED: "Copy it again from where it came from; --on-damage done --retry-failed takes what is left.",
    Cause.NOT_SUPPORTED: "This version cannot read this kind of file. Save it as TIFF, PNG or JPEG.",
    Cause.LIBRARY: "What reads it is not installed. The next run after that tries it again.",
    Cause.TOO_LARGE: "It is larger than --max-megapixels allows.",
    Cause.FORMAT_LIMIT: "The format of the output cannot hold it. Choose another --format.",
    Cause.MEMORY: "There was not enough memory for it. Run again with fewer --jobs.",
    Cause.SYSTEM: "The system did not let it be read or written. The next run tries it again.",
    Cause.FOLDER_GONE: "Its folder was gone. Bring the disk back and run again.",
    Cause.IN_THE_WAY: "Something in OUTPUT has its name. Move that away and run again.",
    Cause.CRASH: "A decoder crashed on it twice. Another copy of the file may be whole.",
    Cause.TIME: "It took longer than --item-timeout allows.",
    Cause.SAME: "Another source has the same bytes: its output is a copy of that one's.",
    Cause.MODEL: "Get that net, or take the hint back, and run again.",
    Cause.BY_HINT: "A hint says that nobody wants it. Take that back and run again to have it.",
    Cause.NOT_WANTED: "Nobody wanted it before its source was gone. If that comes back: `colorize reject --undo`.",
    Cause.FAULT: "A fault of this program. Please report it with the file.",
}


def shown(text: str) -> str:
    r"""Return a text with what steers a terminal, a line or the direction of writing shown by its code: `\u202e`."""
    return _STEERS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def escaped(text: str) -> str:
    """Return a text as it stands in HTML, in an element or a quoted attribute."""
    return html.escape(shown(text), quote=True)


def script(value: Any) -> str:
    """Return a value as JavaScript that may stand in a file or in an element of a page: ASCII, no markup."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return re.sub("[<>&]", lambda match: _MARKUP[match[0]], text)


def link(path: str) -> str:
    """Return a path as the system spells it as a link's path, percent-encoded byte by byte."""
    return quote(os.fsencode(path), safe="/")

"""The pages themselves: what lies beside this file, put together."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from pipeline.web.gallery.place import SIGN

_FOLDER: Final = Path(__file__).with_name("page")
_SCRIPTS: Final = ("items.js", "review.js", "decisions.js", "grid.js", "pane.js", "viewer.js", "main.js")
# By this the page knows that somebody serves it and takes down what is decided.
_SERVED: Final = '<meta name="colorize-review" content="on">'
_META: Final = re.compile('<meta http-equiv="Content-Security-Policy"[^>]*>')
# Nothing but the folder's own files, and no other host: what a name or a reason says is never more than text.
_POLICY: Final = (
    "default-src 'none'; script-src {script}; style-src {style}; img-src 'self' file: data:; "
    "media-src 'self' file: data:; base-uri 'none'; form-action 'none'"
)


def _text(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def script() -> str:
    """Return the page's script."""
    return '"use strict";\n' + "\n".join(map(_text, _SCRIPTS))


def style() -> str:
    """Return the pages' style."""
    return _text("gallery.css")


def head(policy: str, *links: str) -> str:
    """Return what stands in the head of every page, but its title."""
    return "\n".join((f'<meta http-equiv="Content-Security-Policy" content="{policy}">', SIGN, *links))


def index(about: str) -> str:
    """Return the page of a gallery that is a folder.

    Args:
        about: link to the script that tells of the data.
    """
    policy = _POLICY.format(script="'self' file:", style="'self' file:")
    links = '<link rel="stylesheet" href="gallery.css">'
    scripts = f'<script src="gallery.js"></script>\n<script src="{about}"></script>'
    return _page(head(policy, links), scripts, "statistics.html")


def served(page: str) -> str:
    """Return the page of a gallery as it is served: it takes its policy from whoever serves it, and talks to them."""
    return _META.sub(_SERVED, page, count=1)


def _page(in_head: str, scripts: str, statistics: str) -> str:
    page = _text("index.html")
    return (
        page.replace("<!--head-->", in_head).replace("<!--scripts-->", scripts).replace("statistics.html", statistics)
    )


def single(scripts: Sequence[str], statistics: str) -> str:
    """Return one page that holds all of a gallery; only the scripts and the style that are in it can be at work.

    Args:
        scripts: in their order; they hold no markup, see `words.script`.
        statistics: the other page, which is linked to as data.
    """
    shown = style()
    policy = _POLICY.format(script=" ".join(map(_hash, scripts)), style=_hash(shown))
    elements = "\n".join(f"<script>{each}</script>" for each in scripts)
    page = _page(head(policy, f"<style>{shown}</style>"), elements, "#statistics")
    return page.replace("<!--statistics-->", _body(statistics))


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _body(page: str) -> str:
    return page.partition("<main")[2].partition(">")[2].rpartition("</main>")[0]


def pictures(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """Return thumbnails as data URLs by their names."""
    found = {}
    for name in names:
        kind = "image/webp" if name.endswith(".webp") else "image/jpeg"
        with suppress(OSError):
            found[name] = f"data:{kind};base64,{base64.b64encode((folder / name).read_bytes()).decode()}"
    return found

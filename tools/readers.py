"""What other programs show of coloured copies, compared pixel by pixel with Pillow: `python -m tools.readers FILE...`.

Browsers are started headless and take a screenshot of the picture at its own size; a program that is not installed has
"-". Prints a table: the largest and the mean difference of a sample, or that nothing was shown.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_PAGE: Final = '<!doctype html><body style="margin:0;background:#fff"><img src="{0}" style="display:block">'
_SECONDS: Final = 120
_BLANK: Final = 12.0  # of a page with a small sign for a broken picture, in levels
Command = Callable[[Path, Path, tuple[int, int], Path], Sequence[str]]


def _page(source: Path, room: Path) -> str:
    page = room / "page.html"
    page.write_text(_PAGE.format(source.resolve().as_uri()))
    return page.as_uri()


def _chromium(source: Path, shown: Path, size: tuple[int, int], room: Path) -> Sequence[str]:
    plain = (
        "--headless",
        "--no-sandbox",
        "--hide-scrollbars",
        "--force-color-profile=srgb",
        "--allow-file-access-from-files",
    )
    window = f"--window-size={size[0]},{size[1]}"
    return ("chromium", *plain, window, f"--user-data-dir={room}/c", f"--screenshot={shown}", _page(source, room))


def _firefox(source: Path, shown: Path, size: tuple[int, int], room: Path) -> Sequence[str]:
    window = f"{size[0]},{size[1]}"
    profile = str(room / "f")
    Path(profile).mkdir(exist_ok=True)
    return ("firefox-esr", "--headless", "--profile", profile, "--window-size", window, f"--screenshot={shown}",
            _page(source, room))  # fmt: skip


READERS: Final[dict[str, Command]] = {
    "Chromium": _chromium,
    "Firefox": _firefox,
    "ImageMagick": lambda source, shown, size, room: ("convert", f"{source}[0]", "-depth", "8", f"PNG24:{shown}"),
    "GraphicsMagick": lambda source, shown, size, room: ("gm", "convert", f"{source}[0]", f"PNG24:{shown}"),
    "ffmpeg": lambda source, shown, size, room: (
        "ffmpeg",
        "-v",
        "error",
        "-y",
        "-i",
        str(source),
        "-frames:v",
        "1",
        "-pix_fmt",
        "rgb24",
        str(shown),
    ),
    "libvips": lambda source, shown, size, room: ("vips", "copy", str(source), str(shown)),
}


def _pixels(path: Path) -> NDArray[np.int16]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(np.int16)


def compared(source: Path, reader: str) -> str:
    """Return how far what a reader shows is from Pillow's decode: largest and mean difference of a sample."""
    wanted = _pixels(source)
    with tempfile.TemporaryDirectory() as name:
        room = Path(name)
        shown = room / "shown.png"
        command = READERS[reader](source, shown, (wanted.shape[1], wanted.shape[0]), room)
        if not shutil.which(command[0]):
            return "-"
        try:
            subprocess.run(
                command, capture_output=True, timeout=_SECONDS, check=False, env={"HOME": name, "PATH": _path()}
            )
        except subprocess.TimeoutExpired:
            return "no answer"
        if not shown.exists():
            return "nothing"
        made = _pixels(shown)[: wanted.shape[0], : wanted.shape[1]]
    if made.std() < _BLANK < wanted.std():
        return "nothing"
    if made.shape != wanted.shape:
        return f"{made.shape[1]} x {made.shape[0]}"
    apart = np.abs(made - wanted)
    return f"{apart.max()} ({apart.mean():.2f})"


def _path() -> str:
    return ":".join(("/usr/local/bin", "/usr/bin", "/bin"))


def main(paths: Sequence[str]) -> None:
    """Print the table of these files."""
    print("| | " + " | ".join(READERS) + " |")
    print("|" + "---|" * (len(READERS) + 1))
    for path in map(Path, paths):
        print(f"| {path.name} | " + " | ".join(compared(path, reader) for reader in READERS) + " |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])

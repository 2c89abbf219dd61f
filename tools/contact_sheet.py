"""Draw a contact sheet: every picture of a run before and after, side by side.

A picture or film that cannot be shown has its reason there instead.

Usage: python tools/contact_sheet.py OUTPUT SHEET.jpg --input INPUT [--width 320] [--columns 3]
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.archive.spelling import uncell, unescape
from pipeline.ground.errors import ItemError
from pipeline.ground.pixels import eight_bits
from pipeline.media.photo.read import read

Picture = npt.NDArray[np.uint8]


def thumbnail(path: Path, width: int, height: int) -> Picture:
    """Read a picture upright, fitted onto a grey tile (height, width, 3) BGR; on it stands why it cannot be read."""
    tile = np.full((height, width, 3), 96, np.uint8)
    try:
        pixels = eight_bits(read(path, max_megapixels=1000.0, damaged=True).pixels)
    except (ItemError, FileNotFoundError) as error:
        said = "it is gone" if isinstance(error, FileNotFoundError) else str(error)
        return labelled(tile, said, height // 2)
    if pixels.ndim == 2:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR).astype(np.uint8)
    scale = min(width / pixels.shape[1], height / pixels.shape[0])
    size = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    tile[top : top + size[1], left : left + size[0]] = small
    return tile


def pair(before: Path, after: Path, name: str, width: int) -> Picture:
    """Return before | after with the name below."""
    height = width * 3 // 4
    tiles = np.hstack([thumbnail(before, width, height), thumbnail(after, width, height)])
    label = np.full((20, tiles.shape[1], 3), 255, np.uint8)
    return np.vstack([tiles, labelled(label, name, 14)])


def labelled(tile: Picture, text: str, base: int) -> Picture:
    """Write a line onto a tile; letters that are not ASCII become question marks."""
    cv2.putText(tile, text.encode("ascii", "replace").decode()[:60], (4, base), 0, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
    return tile


def main() -> None:
    """Draw the sheet from OUTPUT's manifest."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("output", type=Path)
    parser.add_argument("sheet", type=Path)
    parser.add_argument("--input", type=Path, required=True)
    parser.add_argument("--width", type=int, default=320)
    parser.add_argument("--columns", type=int, default=3)
    arguments = parser.parse_args()
    with (arguments.output / "manifest.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["output"] and row["status"] in ("done", "copied")]
    pairs = [
        pair(
            arguments.input / unescape(uncell(row["source"])),
            arguments.output / unescape(uncell(row["output"])),
            row["source"],
            arguments.width,
        )
        for row in rows
    ]
    if not pairs:
        parser.error(f"{arguments.output}: nothing is finished there")
    blank = np.full_like(pairs[0], 255)
    pairs += [blank] * (-len(pairs) % arguments.columns)
    lines = [np.hstack(pairs[i : i + arguments.columns]) for i in range(0, len(pairs), arguments.columns)]
    cv2.imwrite(str(arguments.sheet), np.vstack(lines), [cv2.IMWRITE_JPEG_QUALITY, 90])
    print(f"{len(rows)} pictures on {arguments.sheet}.")


if __name__ == "__main__":
    main()

"""Prepare colour photographs for training: `python -m models.training.prepare INPUT... --out FOLDER`.

Reads folders and zips of colour photographs and writes three files that training maps into memory:

- `lightness.npy`  uint8 (N, 128, 128): CIE L* 0..100 stored as L * 2.55
- `chroma.npy`     int8 (N, 2, 64, 64): CIE a* and b*, rounded, area-averaged to half size
- `names.txt`      one name a line, `set__name` where the source names its set

What teaches nothing about colour is left out and counted: near-monochrome and toned pictures, drawings, logos and maps.
"""

from __future__ import annotations

import argparse
import multiprocessing
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

SIDE = 128
CHROMA_SIDE = 64
HELD_OUT_OF_1000 = 10
SUFFIXES = {".webp", ".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp"}

Bytes = npt.NDArray[np.uint8]


def is_held_out(name: str) -> bool:
    """Whether a picture is kept for choices (temperature, saturation) and never trained on; by a hash of its name."""
    return zlib.crc32(name.encode()) % 1000 < HELD_OUT_OF_1000


def photographs(source: Path) -> Iterator[tuple[str, bytes]]:
    """Yield (name, encoded bytes) of every picture in a folder (recursively) or a zip, sorted by name."""
    if source.is_dir():
        for path in sorted(p for p in source.rglob("*") if p.suffix.lower() in SUFFIXES):
            yield path.name, path.read_bytes()
        return
    with zipfile.ZipFile(source) as archive:
        for name in sorted(archive.namelist()):
            if Path(name).suffix.lower() in SUFFIXES:
                yield Path(name).name, archive.read(name)


def square(picture: Bytes) -> Bytes:
    """Centre square of a BGR picture uint8 (H, W, 3), area-resized to SIDE."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    cut = picture[top : top + side, left : left + side]
    if side != SIDE:
        cut = cv2.resize(cut, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.uint8)
    return cut


def split_lab(picture: Bytes) -> tuple[Bytes, npt.NDArray[np.int8]]:
    """BGR uint8 (128, 128, 3) -> lightness uint8 (128, 128) and chroma int8 (2, 64, 64), as stored."""
    lab = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_BGR2LAB)
    lightness = np.clip(lab[..., 0] * 2.55 + 0.5, 0, 255).astype(np.uint8)
    chroma = cv2.resize(lab[..., 1:], (CHROMA_SIDE, CHROMA_SIDE), interpolation=cv2.INTER_AREA)
    return lightness, np.clip(np.round(chroma), -127, 127).astype(np.int8).transpose(2, 0, 1)


def reason_to_drop(lightness: Bytes, chroma: npt.NDArray[np.int8]) -> str | None:
    """Why a picture teaches nothing about the colour of photographs, or None.

    monochrome: hardly any chroma. toned: one chroma for all (sepia, cyanotype). drawing: most of it perfectly flat, or
    hardly any shades (logos, maps, screenshots).
    """
    a, b = chroma.astype(np.float32)
    strength = np.hypot(a, b)
    if np.percentile(strength, 95) < 6:
        return "monochrome"
    spread = float(np.hypot(a.std(), b.std()))
    if spread < 2.2:
        return "toned"
    across = np.abs(np.diff(lightness.astype(np.int16), axis=1))
    if float((across == 0).mean()) > 0.72 or np.unique(lightness).size < 40:
        return "drawing"
    return None


def read_source(source: Path) -> tuple[list[str], Bytes, npt.NDArray[np.int8], Counter[str]]:
    """Read one folder or zip: names, lightness (n, 128, 128), chroma (n, 2, 64, 64), and what was dropped and why."""
    cv2.setNumThreads(1)
    names: list[str] = []
    lightness: list[Bytes] = []
    chroma: list[npt.NDArray[np.int8]] = []
    dropped: Counter[str] = Counter()
    for name, data in photographs(source):
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        if picture is None:
            dropped["unreadable"] += 1
            continue
        light, colour = split_lab(square(picture.astype(np.uint8)))
        why = reason_to_drop(light, colour)
        if why is not None:
            dropped[why] += 1
            continue
        names.append(name)
        lightness.append(light)
        chroma.append(colour)
    if not names:
        return names, np.zeros((0, SIDE, SIDE), np.uint8), np.zeros((0, 2, CHROMA_SIDE, CHROMA_SIDE), np.int8), dropped
    return names, np.stack(lightness), np.stack(chroma), dropped


def prepare(sources: list[Path], out: Path, jobs: int = 1) -> int:
    """Prepare all sources into `out`; returns how many pictures were kept."""
    out.mkdir(parents=True, exist_ok=True)
    if jobs > 1:
        with multiprocessing.Pool(jobs) as pool:
            parts = pool.map(read_source, sources, chunksize=1)
    else:
        parts = [read_source(source) for source in sources]
    names = [name for part in parts for name in part[0]]
    np.save(out / "lightness.npy", np.concatenate([part[1] for part in parts]))
    np.save(out / "chroma.npy", np.concatenate([part[2] for part in parts]))
    (out / "names.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    dropped = sum((part[3] for part in parts), Counter[str]())
    print(f"{len(names)} pictures kept in {out}; dropped: {dict(dropped) or 'none'}")
    return len(names)


def main() -> None:
    """Parse the command line and prepare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", nargs="+", type=Path, help="folders or zips of colour photographs")
    parser.add_argument("--out", required=True, type=Path, help="folder for the prepared arrays")
    parser.add_argument("--jobs", type=int, default=1, help="sources read at once")
    arguments = parser.parse_args()
    if not prepare(arguments.input, arguments.out, arguments.jobs):
        raise SystemExit("no usable colour photograph found")


if __name__ == "__main__":
    main()

"""Check the verdict on pictures it was not fitted to: `python -m models.training.check_verdict COLOUR --prints OLD`.

Every colour photograph is judged as it is, and as a print of each of the ten kinds, made of it at its own size; every
picture of `--prints`, true black-and-white photographs, is judged as it is.
"""

from __future__ import annotations

import argparse
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from models.training.old_prints import KINDS, filed, grey_of
from models.training.prepare import photographs
from models.training.verdict import decoded
from pipeline.colour.verdict import Verdict, judge
from pipeline.media.photo.read import read

Judge = Callable[[npt.NDArray[Any], npt.NDArray[Any] | None], Verdict]
Judged = tuple[str, str, npt.NDArray[Any], npt.NDArray[Any] | None]


def pictures(colour: Path, prints: Path | None) -> Iterator[Judged]:
    """Yield (kind, name, pixels, alpha); "colour" is in colour, all others are not."""
    for name, data in photographs(colour):
        picture = decoded(data)
        yield "colour", name, picture, None
        rng = np.random.default_rng(zlib.crc32(name.encode()) + 1)
        for kind, make in KINDS.items():
            yield kind, name, filed(rng, make(rng, grey_of(picture.astype(np.float32) / 255, rng))), None
    for path in sorted(prints.iterdir()) if prints is not None else ():
        scan = read(path, max_megapixels=1000)
        yield "true prints", path.name, scan.pixels, scan.alpha


def check(judged: Iterator[Judged], by: Judge = judge, keep: Path | None = None) -> dict[str, tuple[int, int, int]]:
    """Return by kind how many there were, were judged wrongly, were doubtful; `keep`: a folder for the wrong ones."""
    total, wrong, doubtful = Counter[str](), Counter[str](), Counter[str]()
    for kind, name, pixels, alpha in judged:
        verdict = by(pixels, alpha)
        total[kind] += 1
        doubtful[kind] += verdict.doubtful
        if (verdict.kind == "color") != (kind == "colour"):
            wrong[kind] += 1
            if keep is not None:
                cv2.imwrite(str(keep / f"{kind}-{Path(name).stem}.png"), pixels)
    return {kind: (total[kind], wrong[kind], doubtful[kind]) for kind in total}


def main() -> None:
    """Parse the command line, check, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("colour", type=Path, help="folder or zip of colour photographs")
    parser.add_argument("--prints", type=Path, help="folder of true black-and-white photographs")
    parser.add_argument("--keep", type=Path, help="folder that gets the pictures that were judged wrongly")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    print(f"{'kind':<12} {'pictures':>8} {'wrong':>6} {'doubtful':>8}")
    for kind, counts in check(pictures(arguments.colour, arguments.prints), keep=arguments.keep).items():
        print(f"{kind:<12} {counts[0]:>8} {counts[1]:>6} {counts[2]:>8}")


if __name__ == "__main__":
    main()

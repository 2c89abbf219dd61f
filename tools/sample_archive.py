"""Write a small sample archive: scikit-image's bundled photographs, greyed, as an archive would hold them.

Usage: python tools/sample_archive.py FOLDER
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import skimage

Picture = npt.NDArray[np.uint8]

# Where each photograph goes, by its name in scikit-image's data folder; the names are to be awkward.
GREY = {
    "astronaut.png": "people/Portrait of an astronaut, 1990.jpg",
    "camera.png": "people/Mann mit Kamera (Düsseldorf).png",
    "rocket.jpg": "events/1958–1966/Start der Rakete.jpg",
    "coffee.png": "still life/café/Šálek kávy.jpg",
    "chelsea.png": "animals/Chelsea the cat.jpg",
    "motorcycle_left.png": "events/1958–1966/東京 motorcycle.png",
    "grass.png": "nature/grass.jpg",
    "gravel.png": "nature/grass.png",
    "brick.png": "nature/Brick wall #3.jpg",
    "horse.png": "animals/horse.png",
    "coins.png": "still life/coins.jpg",
}
SEPIA = ("rocket.jpg", "events/sepia print.jpg")
COLOUR = ("astronaut.png", "people/already in colour.png")
DEEP = ("coffee.png", "still life/16 bit scan.tif")
NOTE = ("events/read me.txt", "Box 3, found in the attic. Not a picture.\n")


def load(name: str, flags: int = cv2.IMREAD_COLOR) -> Picture:
    """Read one of scikit-image's bundled pictures as BGR or grey uint8."""
    path = Path(skimage.__file__).parent / "data" / name
    picture = cv2.imdecode(np.fromfile(path, np.uint8), flags)
    if picture is None:
        raise FileNotFoundError(f"{path} is not there; another release of scikit-image?")
    return np.asarray(picture, dtype=np.uint8)


def save(path: Path, picture: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]) -> None:
    """Write a picture; its suffix chooses the format. cv2.imwrite cannot be trusted with every file name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    encoded, data = cv2.imencode(path.suffix, picture)
    if not encoded:
        raise OSError(f"{path} could not be encoded.")
    path.write_bytes(data.tobytes())


def sepia(grey: Picture) -> Picture:
    """Tone a grey picture (H, W) as a faded print: brown shadows, yellow lights."""
    levels = np.arange(256, dtype=np.float32)
    tone = np.stack([levels * 0.62 + 28, levels * 0.80 + 34, levels * 0.88 + 40], axis=-1)
    table = tone.clip(0, 255).astype(np.uint8)
    toned: Picture = table[grey]
    return toned


def write_archive(folder: Path) -> int:
    """Write the sample archive and return the number of files."""
    for name, place in GREY.items():
        save(folder / place, load(name, cv2.IMREAD_GRAYSCALE))
    save(folder / SEPIA[1], sepia(load(SEPIA[0], cv2.IMREAD_GRAYSCALE)))
    save(folder / COLOUR[1], load(COLOUR[0]))
    save(folder / DEEP[1], cv2.cvtColor(load(DEEP[0]), cv2.COLOR_BGR2GRAY).astype(np.uint16) * 257)
    (folder / NOTE[0]).write_text(NOTE[1], encoding="utf-8")
    return len(GREY) + 4


def main() -> None:
    """Write the archive into a folder that is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    # Whole or not at all: an interrupted call must not leave half an archive that the next one takes for a whole.
    unfinished = folder.with_name(folder.name + ".unfinished")
    count = write_archive(unfinished)
    unfinished.rename(folder)
    print(f"A sample archive of {count} files is in {folder}/.")


if __name__ == "__main__":
    main()

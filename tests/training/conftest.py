"""Made-up photographs to prepare and train on."""

import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest


def made_up(seed: int) -> np.ndarray:
    """A picture of soft coloured clouds, BGR uint8."""
    noise = np.random.default_rng(seed).standard_normal((150, 170, 3)).astype(np.float32)
    clouds = cv2.GaussianBlur(noise, (0, 0), 12) * 900 + 128 + noise * 4
    return np.clip(clouds, 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A folder and a zip with 30 pictures; a grey and a toned one, a logo and a broken file among them."""
    base = tmp_path_factory.mktemp("photographs")
    folder = base / "folder"
    folder.mkdir()
    for number in range(24):
        cv2.imwrite(str(folder / f"clouds__{number:03}.png"), made_up(number))
    grey = cv2.cvtColor(made_up(99), cv2.COLOR_BGR2GRAY)
    cv2.imwrite(str(folder / "grey__0.png"), grey)
    one_tone = np.dstack([60 + grey / 255 * 40, np.full(grey.shape, 4), np.full(grey.shape, 18)])
    toned = np.clip(cv2.cvtColor(one_tone.astype(np.float32), cv2.COLOR_LAB2BGR) * 255, 0, 255)
    cv2.imwrite(str(folder / "toned__0.png"), toned.astype(np.uint8))
    logo = np.full((140, 140, 3), 255, np.uint8)
    logo[40:80, 40:80] = (0, 0, 255)
    cv2.imwrite(str(folder / "logo__0.png"), logo)
    (folder / "broken__0.jpg").write_bytes(b"not a picture")
    (folder / "notes.txt").write_text("no picture, and not counted as one")
    with zipfile.ZipFile(base / "more.zip", "w") as archive:
        for number in range(24, 30):
            archive.writestr(f"zipped__{number}.png", cv2.imencode(".png", made_up(number))[1].tobytes())
    return [folder, base / "more.zip"]

"""What stands behind the picture in a JPEG, such as a telephone's film: it stays there, or is said to be lost."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.media.photo.jpeg.segments import behind, parse
from tests.cli.bench import Bench, bench
from tests.conftest import landscape

__all__ = ["bench"]

FILM = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 4 + b"\xff\xd8\xff\xd9 the end of a film"


def jpegs() -> dict[str, bytes]:
    """JPEGs of grey whose luma is kept bit for bit, coded anew from its coefficients, or coded anew from its pixels."""
    grey = Image.fromarray(landscape(1))
    made = {}
    for name, picture in {"grey": grey, "ycc": grey.convert("RGB"), "inks": grey.convert("CMYK")}.items():
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=90)
        made[f"{name}.jpg"] = file.getvalue()
    return made


@pytest.mark.parametrize("scans", ["separate", "interleaved"])
def test_a_copy_as_jpeg_keeps_it(bench: Bench, scans: str) -> None:
    bench.scans.mkdir()
    for name, data in jpegs().items():
        (bench.scans / name).write_bytes(data + FILM)
    bench.run("--jpeg-scans", scans)
    for name, row in bench.manifest().items():
        copy = (bench.colour / name).read_bytes()
        assert (row["status"], behind(copy)) == ("done", FILM), name
        assert "behind" not in row["metadata"]
        assert np.ptp(cv2.imread(str(bench.colour / name)), axis=2).max() > 0


@pytest.mark.parametrize("words", [["--format", "png"], ["--layout", "side-by-side"], ["--config", "tutorial"]])
def test_a_copy_that_cannot_keep_it_says_so(bench: Bench, words: list[str]) -> None:
    bench.scans.mkdir()
    (bench.scans / "film.jpg").write_bytes(jpegs()["ycc.jpg"] + FILM)
    (bench.scans / "padded.jpg").write_bytes(jpegs()["ycc.jpg"] + bytes(5000))
    bench.run(*words)
    rows = bench.manifest()
    assert (
        f"behind the picture: {len(FILM):,} bytes, such as a film or further pictures" in rows["film.jpg"]["metadata"]
    )
    assert "behind" not in rows["padded.jpg"]["metadata"]


def test_that_the_index_of_further_pictures_is_left_out_is_said(bench: Bench) -> None:
    bench.scans.mkdir()
    for name, mode in {"grey.jpg": "L", "ycc.jpg": "RGB"}.items():
        pair = [Image.fromarray(landscape(number)).convert(mode) for number in (1, 2)]
        pair[0].save(bench.scans / name, "MPO", save_all=True, append_images=pair[1:])
    bench.run()
    for name, row in bench.manifest().items():
        assert row["metadata"] == "MPF: the index of the pictures behind it"
        second = behind((bench.colour / name).read_bytes())
        assert parse(second).frame.width == 80
        assert second == behind((bench.scans / name).read_bytes())

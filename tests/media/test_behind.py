"""What stands behind the picture in a JPEG, such as a telephone's film: it stays there, or is said to be lost."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.ground.errors import ItemError
from pipeline.media.photo.jpeg.segments import behind, parse
from pipeline.media.photo.read import read
from pipeline.run.verify import verify
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


def of_samsung(*notes: bytes) -> bytes:
    """What Samsung's telephones write behind a panorama: notes, and a directory of them."""
    back, entries = sum(map(len, notes)), b""
    for note in notes:
        entries += struct.pack("<HHII", 0, 0x0A01, back, len(note))
        back -= len(note)
    directory = b"SEFH" + struct.pack("<II", 107, len(notes)) + entries
    return b"".join(notes) + directory + struct.pack("<I", len(directory)) + b"SEFT"


NO_END = {
    "nothing": b"",
    "notes": of_samsung(bytes(2) + b"\x01\x0aImage_UTC_Data17"),
    "film": of_samsung(b"a note", FILM),
}


@pytest.mark.parametrize("name", NO_END)
def test_a_picture_that_lacks_only_the_marker_of_its_end_is_whole(bench: Bench, name: str) -> None:
    """Samsung's panoramas, which most programs refuse; what follows stays behind the copy, which has an end."""
    bench.scans.mkdir()
    for kind, data in jpegs().items():
        (bench.scans / kind).write_bytes(data[:-2] + NO_END[name])
    bench.run()
    for kind, row in bench.manifest().items():
        copy = (bench.colour / kind).read_bytes()
        assert (row["status"], row["reason"].rpartition("; ")[2]) == ("done", "the marker of its end is missing"), kind
        assert behind(copy) == NO_END[name]
        grey = cv2.imdecode(np.frombuffer(jpegs()[kind], np.uint8), cv2.IMREAD_GRAYSCALE)
        made = cv2.imdecode(np.frombuffer(copy, np.uint8), cv2.IMREAD_GRAYSCALE)
        assert np.array_equal(grey, made) or kind == "inks.jpg"
    assert not any(finding.problems for finding in verify(bench.colour))


@pytest.mark.parametrize("left", [1, 3, 40, 200])
@pytest.mark.parametrize("rest", [b"", of_samsung(b"a note", FILM), bytes(50), bytes(9000), FILM], ids=len)
def test_a_picture_that_lacks_more_is_cut(tmp_path: Path, left: int, rest: bytes) -> None:
    for kind, data in jpegs().items():
        (tmp_path / kind).write_bytes(data[: -2 - left] + rest)
        with pytest.raises(ItemError, match=r"truncated|damaged"):
            read(tmp_path / kind, max_megapixels=1)

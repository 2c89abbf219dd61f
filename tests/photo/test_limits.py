"""Files that are made to keep a reader busy, or to fill its memory: each is refused, or cut, with a clear sentence."""

from __future__ import annotations

import io
import os
import re
import struct
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from pipeline.ground.errors import Cause, ItemError
from pipeline.ground.items import Kind, Unit, Verb
from pipeline.ground.memory import bounded
from pipeline.ground.settings import Settings
from pipeline.media.photo import directories, png
from pipeline.media.photo.jpeg.segments import parse
from pipeline.media.photo.metadata import gather
from pipeline.media.photo.pages import pages
from pipeline.media.photo.read import read
from pipeline.media.table import work

GREY = np.tile(np.arange(0, 128, 2, dtype=np.uint8), (48, 1))
PACKED = zlib.compress(bytes(64 << 20), 9)
# Width, height, bits, no compression, black is zero, strip, samples, rows, strip's size: 16 x 16 from byte 8 on.
PAGE = ((256, 3, 16), (257, 3, 16), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8), (277, 3, 1), (278, 3, 16))
PAGE = (*PAGE, (279, 4, 256))


def saved(format: str, **how: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(GREY).save(buffer, format, **how)
    return buffer.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_with(*chunks: bytes) -> bytes:
    data = saved("PNG")
    return data[:33] + b"".join(chunks) + data[33:]


def tiff(count: int) -> bytes:
    """A TIFF of so many pages, all of which show the same strip."""
    made = [b"II*\0", struct.pack("<I", 264), bytes(range(256))]
    size = 2 + 12 * len(PAGE) + 4
    entries = struct.pack("<H", len(PAGE)) + b"".join(struct.pack("<HHII", tag, kind, 1, at) for tag, kind, at in PAGE)
    made += (entries + struct.pack("<I", 264 + (n + 1) * size if n < count - 1 else 0) for n in range(count))
    return b"".join(made)


def test_a_jpeg_of_thousands_of_scans_is_refused_at_once(tmp_path: Path) -> None:
    data = saved("JPEG", progressive=True)
    jpeg = parse(data)
    last = jpeg.scans[-1]
    path = tmp_path / "scans.jpg"
    path.write_bytes(data[: last.end] + data[last.segment.body - 4 : last.end] * 3000 + data[last.end :])
    with pytest.raises(ItemError, match=re.escape("a JPEG of more than 200 scans or 4,096 segments is not read")):
        read(path, max_megapixels=1)


def test_marks_of_scans_within_metadata_are_no_scans(tmp_path: Path) -> None:
    path = tmp_path / "comment.jpg"
    path.write_bytes(saved("JPEG", comment=b"\xff\xda" * 1000))
    assert read(path, max_megapixels=1).pixels.shape == GREY.shape


def test_a_png_of_thousands_of_chunks_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "chunks.png"
    path.write_bytes(png_with(*[chunk(b"tEXt", b"a\0b")] * 10_001))
    with pytest.raises(ItemError, match=re.escape("a PNG of more than 10,000 chunks is not read")) as refused:
        read(path, max_megapixels=1)
    assert refused.value.cause is Cause.NOT_SUPPORTED


@pytest.mark.parametrize(
    "bomb",
    [
        pytest.param([chunk(b"zTXt", b"Comment\0\0" + PACKED)], id="zTXt"),
        pytest.param([chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + PACKED)], id="iTXt"),
        pytest.param([chunk(b"iCCP", b"x\0\0" + PACKED)], id="iCCP"),
        pytest.param([chunk(b"tEXt", b"%d\0" % n + b"b" * 999_999) for n in range(70)], id="many tEXt"),
    ],
)
def test_texts_that_would_fill_the_memory_are_left_out_and_the_picture_is_read(
    tmp_path: Path, bomb: list[bytes]
) -> None:
    path = tmp_path / "text.png"
    path.write_bytes(png_with(*bomb))
    picture = read(path, max_megapixels=1)
    assert np.array_equal(picture.pixels, GREY)
    assert png.TEXTS_LEFT_OUT in picture.note
    assert gather(path).lost == ("metadata: damaged",)


def test_a_packet_of_some_megabytes_is_no_bomb(tmp_path: Path) -> None:
    path = tmp_path / "xmp.png"
    packet = b"x" * (3 << 20)
    path.write_bytes(png_with(chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(packet))))
    assert read(path, max_megapixels=1).note == ""
    assert gather(path).xmp == packet


def test_a_tiff_of_too_many_pages_is_refused_and_not_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directories, "MOST_DIRECTORIES", 50)
    path = tmp_path / "pages.tif"
    path.write_bytes(tiff(50))
    assert len(pages(path)) == 50
    path.write_bytes(tiff(51))
    for refused in (
        lambda: pages(path),
        lambda: read(path, max_megapixels=1),
        lambda: read(path, max_megapixels=1, page=7),
    ):
        with pytest.raises(ItemError, match="a TIFF of more than 50 pages is not read"):
            refused()


def test_a_page_is_found_without_those_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "pages.tif"
    path.write_bytes(tiff(300))
    loaded = list[int]()
    original = directories.TiffImagePlugin.ImageFileDirectory_v2.load
    monkeypatch.setattr(
        directories.TiffImagePlugin.ImageFileDirectory_v2,
        "load",
        lambda self, file: (loaded.append(1), original(self, file))[1],
    )
    picture = read(path, max_megapixels=1, page=299)
    assert picture.pixels[3, 5] == 3 * 16 + 5
    assert gather(path, 299).lost == ()
    assert len(loaded) < 20


def test_a_chain_that_bites_its_tail_ends_there(tmp_path: Path) -> None:
    data = bytearray(tiff(3))
    struct.pack_into("<I", data, len(data) - 4, 264)
    path = tmp_path / "tail.tif"
    path.write_bytes(data)
    assert pages(path) == [0, 1, 2]
    with path.open("rb") as file:
        assert len(directories.offsets(file)) == 3
        assert directories.directory(file, 3) is None


@pytest.mark.parametrize("head", [None, b""])
def test_a_file_larger_than_any_picture_is_not_read(tmp_path: Path, head: bytes | None) -> None:
    path = tmp_path / "sparse.jpg"
    path.write_bytes(saved("JPEG") if head is None else head)
    os.truncate(path, 2 << 30)  # no block of the disk is taken
    with pytest.raises(ItemError) as caught, bounded(64 << 20):
        read(path, max_megapixels=1)
    assert caught.value.cause in (Cause.TOO_LARGE, Cause.NO_PICTURE)
    unit = Unit(Verb.LOOK, "sparse.jpg", Kind.PHOTO, path, "sparse.jpg", "sparse.jpg", size=2 << 30)
    tools = SimpleNamespace(settings=Settings(max_megapixels=1))
    with pytest.raises(ItemError, match="2,147,483,648 bytes are more than a picture of 1 megapixels has"):
        work(unit, tools)  # type: ignore[arg-type]

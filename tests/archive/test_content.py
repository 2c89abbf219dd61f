from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.archive.content import HEAD, kind_of
from pipeline.ground.items import Kind
from pipeline.media.photo.decoders import FORMATS, Format

FIXTURES = Path(__file__).parents[1] / "fixtures"


@pytest.mark.parametrize(
    "format", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000", "DDS", "AVIF", "MPO", "QOI"]
)
def test_what_pillow_writes_is_a_photo_without_its_suffix(format: str) -> None:
    Image.init()
    if format not in Image.SAVE:
        pytest.skip(f"this Pillow writes no {format}")
    buffer = io.BytesIO()
    try:
        Image.new("RGB", (9, 7), "grey").save(buffer, format)
    except (OSError, KeyError) as error:
        pytest.skip(f"this Pillow writes no {format}: {error}")
    assert kind_of(buffer.getvalue()[:HEAD], "") == "photo"


@pytest.mark.parametrize(
    "suffix", [".jpg", ".png", ".bmp", ".tif", ".webp", ".pgm", ".pbm", ".pam", ".hdr", ".jp2", ".ras"]
)
def test_what_opencv_writes_is_a_photo_without_its_suffix(suffix: str) -> None:
    picture = np.full((64, 80, 3), 128, np.uint8)
    if suffix in (".pgm", ".pbm"):
        picture = picture[:, :, 0]
    ok, data = cv2.imencode(suffix, picture.astype(np.float32) if suffix == ".hdr" else picture)
    assert ok
    assert kind_of(data.tobytes()[:HEAD], "") == "photo"


@pytest.mark.parametrize("format", FORMATS, ids=lambda each: each.name)
def test_what_is_read_is_found_by_a_walk(format: Format) -> None:
    """A file of faxes (.dcx) was read by itself, and passed for no picture in an archive."""
    assert format.suffixes
    assert {kind_of(b"", suffix) for suffix in format.suffixes} == {Kind.PHOTO}


def test_a_fax_without_its_suffix_is_a_photo() -> None:
    assert kind_of(b"\xb1\x68\xde\x3a\x0c\0\0\0", "") is Kind.PHOTO


@pytest.mark.parametrize(
    ("head", "suffix", "kind"),
    [
        (b"", ".JPG", "photo"),
        (b"", ".mkv", "film"),
        (b"", ".txt", "other"),
        (b"<html>not found</html>", ".jpeg", "photo"),
        (b"<html>not found</html>", ".html", "other"),
        (b"BM is a bench mark, says this text.", ".txt", "other"),
        (b"P1 the first paragraph", ".txt", "other"),
        (b"P5\n# a scanner\n640 480\n255\n", "", "photo"),
        (b"II+\0\x08\0\0\0", "", "photo"),
        (b"%PDF-1.7", ".pdf", "other"),
        (b"PK\x03\x04", ".zip", "other"),
        (b"RIFF\0\0\0\0WAVEfmt ", ".wav", "other"),
        (b"RIFF\0\0\0\0AVI LIST", "", "film"),
        (b"\0\0\0\x18ftypheic", "", "photo"),
        (b"\0\0\0\x18ftypavis", "", "photo"),
        (b"\0\0\0\x18ftypM4A ", ".m4a", "other"),
        (b"\0\0\0\x18ftypisom", ".jpg", "film"),
        (b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypmjp2", ".mj2", "film"),
        (b"\x1aE\xdf\xa3", ".webm", "film"),
        (b"\x1aE\xdf\xa3", ".mka", "other"),
        (b"OggS\0\x02" + bytes(22) + b"\x80theora", "", "film"),
        (b"OggS\0\x02" + bytes(22) + b"\x01vorbis", ".ogg", "other"),
        (b"\0\0\x01\xba\x44", "", "film"),
        ((b"G" + bytes(187)) * 3, ".ts", "film"),
        ((b"\0\0\0\0G" + bytes(187)) * 3, "", "film"),
        (b"Got to export const a = 1\n" * 40, ".ts", "other"),
    ],
)
def test_content_decides_before_the_suffix(head: bytes, suffix: str, kind: str) -> None:
    assert kind_of(head, suffix) == kind


@pytest.mark.parametrize(
    ("folder", "kind"), [("colour", "photo"), ("grey", "photo"), ("odd", "photo"), ("films", "film")]
)
def test_files_of_other_programs_are_known_by_content_alone(folder: str, kind: str) -> None:
    files = sorted((FIXTURES / folder).iterdir())
    assert files
    assert [path.name for path in files if kind_of(path.read_bytes()[:HEAD], "") != kind] == []


@pytest.mark.parametrize("suffix", [".h264", ".hevc", ".mjpeg", ".y4m"])
def test_a_raw_stream_is_a_film_by_its_suffix(suffix: str) -> None:
    assert kind_of(b"\x00\x00\x00\x01\x67\x42", suffix) is Kind.FILM

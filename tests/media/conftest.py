"""Pictures with metadata of every kind, and what makes a coloured copy of them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from pipeline.ground.hints import NO_HINTS, Hints
from pipeline.ground.items import Kind, Result, Unit
from pipeline.ground.settings import Settings
from pipeline.media.medium import Job
from pipeline.media.photo.embed import png_chunks
from pipeline.media.photo.jpeg.marks import photoshop
from pipeline.media.photo.jpeg.record import segment
from pipeline.media.photo.metadata import Metadata
from pipeline.media.table import first_verb
from pipeline.nets.engine import Engine
from pipeline.nets.resolve import resolve
from pipeline.run.worker import Worker
from tests.conftest import landscape
from tests.media.specimens import whole
from tests.photo.test_profile import gamma, grey_profile

XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="box 7" '
    b'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)
IPTC = b"\x1c\x02\x78\x00\x09a caption" + b"\x1c\x02\x69\x00\x08headline"
PROFILE = grey_profile(gamma(1.8))


def exif(orientation: int) -> Image.Exif:
    made = Image.Exif()
    made[0x010E] = "a street"
    made[0x013B] = "somebody"
    made[0x0112] = orientation
    made[0x8769] = {0x9003: "1931:05:12 10:00:00", 0x829A: 0.02}
    return made


def grey_source(format: str, orientation: int = 1) -> bytes:
    """A grey picture that says all it can: EXIF, XMP, IPTC, profile, 300 dots an inch, comment."""
    image, buffer = Image.fromarray(landscape(3, 61, 83)), io.BytesIO()
    block = exif(orientation).tobytes()
    if format == "jpg":
        image.save(buffer, "JPEG", quality=90, dpi=(300, 300), exif=block, icc_profile=PROFILE, comment=b"hello")
        data = buffer.getvalue()
        resource = segment(0xED, b"Photoshop 3.0\0" + photoshop(IPTC))
        packet = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP)
        at = data.index(b"\xff\xdb")
        return data[:at] + packet + resource + data[at:]
    if format == "png":
        image.save(buffer, "PNG")
        bare = block.removeprefix(b"Exif\0\0")
        plain = buffer.getvalue()
        chunks = png_chunks(Metadata(bare, XMP, IPTC, PROFILE, (300, 300), b"hello"))
        return plain[:33] + chunks + plain[33:]
    if format == "tif":
        tags = TiffImagePlugin.ImageFileDirectory_v2()
        tags[270], tags[315], tags[274] = "a street", "somebody", orientation
        tags[700], tags.tagtype[700] = XMP, 1
        tags[33723], tags.tagtype[33723] = IPTC, 7
        image.save(buffer, "TIFF", tiffinfo=tags, icc_profile=PROFILE, dpi=(300, 300), compression="tiff_lzw")
        return buffer.getvalue()
    image.convert("RGB").save(buffer, "WEBP", lossless=True, exif=block, xmp=XMP)
    return buffer.getvalue()


Make = Callable[..., tuple[Result, Path]]


@pytest.fixture
def make(tmp_path: Path, tiny_net: Path) -> Iterator[Make]:
    """Colorize the bytes of a source; returns the result and the output's path."""
    tmp = tmp_path / "out" / "unfinished"
    tmp.mkdir(parents=True)
    threads = cv2.getNumThreads()
    settings = Settings(engine="opencv", precision="float32", on_color="recolor")

    def call(
        data: bytes, name: str, output: str = "", *, hints: Hints = NO_HINTS, kind: Kind = Kind.PHOTO, **changes: Any
    ) -> tuple[Result, Path]:
        source = tmp_path / name
        source.write_bytes(data)
        job = Job(
            replace(settings, **changes), resolve(str(tiny_net)), Engine("opencv", "float32"), tmp_path / "out", tmp
        )
        output, verb = output or name, first_verb(kind, job.settings)
        found = source.stat()
        unit = Unit(verb, name, kind, source, output, output, found.st_size, found.st_mtime_ns, hints=hints)
        unit = replace(unit, parts_place=".colorize/parts/item")
        answer = whole(Worker(job), unit)
        assert isinstance(answer, Result), answer
        assert answer.status == "done", answer.reason
        return answer, tmp_path / "out" / output

    yield call
    cv2.setNumThreads(threads)


def luma_of(path: Path) -> np.ndarray:
    """The luma as it is stored: of a JPEG its first component, else as Pillow takes it."""
    data = path.read_bytes()
    if data[:2] == b"\xff\xd8":
        flags = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION
        return cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    return np.asarray(Image.open(path).convert("L"))

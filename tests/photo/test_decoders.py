"""Content decides who decodes a file; nobody else sees it, and no program starts because of one."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from pipeline.ground.errors import Cause, ItemError
from pipeline.media.photo.decoders import FORMATS, PILLOW_FORMATS, recognise
from pipeline.media.photo.metadata import gather
from pipeline.media.photo.read import read

PROGRAM = Path(__file__).parents[2] / "pipeline"
LOOP = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 300 200\n%%EndComments\n{ } loop\n"


@pytest.mark.parametrize("name", ["holiday.jpg", "a.eps", "a.tif", "a"])
@pytest.mark.parametrize("head", [b"", b"\x04"])
def test_postscript_is_refused_at_once_and_nothing_is_started(tmp_path, monkeypatch, name, head):
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a program was started"))
    path = tmp_path / name
    path.write_bytes(head + LOOP)
    with pytest.raises(ItemError, match="PostScript is a program, and none is run to read a picture") as caught:
        read(path, max_megapixels=10)
    assert caught.value.cause is Cause.NOT_SUPPORTED
    assert gather(path).lost


def test_no_picture_is_opened_without_saying_what_it_may_be():
    for path in PROGRAM.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Image.open":
                assert any(each.arg == "formats" for each in node.keywords), f"{path.name}:{node.lineno}"


def test_pillow_never_gets_what_calls_out_and_knows_all_that_is_named():
    Image.init()
    assert set(PILLOW_FORMATS) <= set(Image.ID)
    assert not {"EPS", "WMF", "PDF", "GBR", "STUB", "HDF5", "GRIB", "BUFR"} & set(PILLOW_FORMATS)
    assert len({each.name for each in FORMATS}) == len(FORMATS)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "GIF", "BMP", "JPEG2000", "PPM", "PCX", "SGI", "TGA",
                                  "ICO", "XBM", "DDS", "QOI", "AVIF"])  # fmt: skip
def test_what_pillow_writes_is_known_by_its_first_bytes(tmp_path, kind):
    path = tmp_path / "a"
    Image.new("1" if kind == "XBM" else "RGB", (32, 32)).save(path, kind)
    found = recognise(path.read_bytes()[:4096])
    assert found is not None
    assert kind in found.pillow

"""Metadata that are rubbish never cost a picture."""

from __future__ import annotations

import io
import random
import struct
from xml.etree import ElementTree

import pytest
from PIL import Image, TiffImagePlugin

from pipeline.media.photo import embed, xmp
from pipeline.media.photo.jpeg import marks
from pipeline.media.photo.metadata import Metadata, gather, made_upright
from pipeline.media.photo.write import encode
from tests.conftest import landscape
from tests.media.conftest import XMP, grey_source

SAID = xmp.Provenance("colorize 1", 'a <net> & "more"', "m", "s")


@pytest.mark.parametrize("format", ["jpg", "png", "tif", "webp"])
def test_damaged_metadata_are_said_or_carried_but_never_raised(format: str) -> None:
    whole = grey_source(format, 6)
    base = grey_source("jpg")
    for seed in range(60):
        chance = random.Random(seed)
        data = bytearray(whole)
        for _ in range(8):
            data[chance.randrange(12, min(len(data), 1500))] = chance.randrange(256)
        found = made_upright(gather(bytes(data)))
        embed.png_chunks(found)
        marks.written(base, found)
        embed.tiff_tail({}, 8, found)


def test_a_copy_that_carries_nothing_is_what_the_encoder_made() -> None:
    made = bytes(encode(landscape(1), "jpg"))
    nothing = Metadata(lost=("EXIF: damaged",))
    assert marks.written(made, nothing)[0] == made
    assert embed.png_chunks(nothing) == b""


def test_provenance_joins_what_is_there() -> None:
    made = xmp.with_provenance(XMP, SAID)
    assert b'dc:source="box 7"' in made
    assert made.count(b"DigitalSourceType") == 1
    assert xmp.with_provenance(made, SAID).count(b"DigitalSourceType") == 1
    assert b"a &lt;net&gt; &amp;" in made
    assert xmp.with_provenance(b"rubbish", SAID) == b""
    assert xmp.with_provenance(b"", SAID).count(b"<rdf:Description") == 1


def test_orientation_of_rubbish_stays_rubbish() -> None:
    assert made_upright(Metadata(exif=b"II*\0\xff\xff\xff\xff")).exif == b""


def test_what_is_said_of_the_origin_stays_short() -> None:
    # Of a small JPEG every byte counts: 14 kB may grow by 15 %, colour included.
    said = xmp.Provenance("colorize 0.2.0", "embedded-v4", "a" * 64, "b" * 64)
    made = xmp.with_provenance(b"", said)
    assert len(made) < 640
    assert ElementTree.fromstring(made).tag == "{adobe:ns:meta/}xmpmeta"


def tagged(**tags: tuple[int, object]) -> TiffImagePlugin.ImageFileDirectory_v2:
    """A directory with tags, called `_65000` and the like, each with its type."""
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    for name, (kind, value) in tags.items():
        directory.tagtype[int(name[1:])] = kind
        directory[int(name[1:])] = value
    return directory


def resources(*ids: int) -> bytes:
    return b"".join(b"8BIM" + struct.pack(">HHI", each, 0, 4) + b"data" for each in ids)


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({"_270": (2, "a train"), "_315": (2, "somebody"), "_282": (5, 300.0), "_50341": (7, b"PrintIM")}, ()),
        ({"_65000": (2, "inventory 1931/7")}, ("tags: 65000",)),
        ({"_37724": (7, b"Adobe Photoshop Document Data Block\0")}, ("tags: Photoshop's layers",)),
        (
            {"_33550": (12, (1.0, 1.0, 0.0)), "_34735": (3, (1, 1, 0, 0)), "_42112": (2, "<x/>")},
            ("tags: GeoTIFF, 42112",),
        ),
        ({"_34377": (7, resources(0x03ED, 0x0404))}, ()),
        ({"_34377": (7, resources(0x03ED, 0x07D0))}, ("tags: Photoshop's paths",)),
        ({"_40091": (1, "Oma".encode("utf-16-le"))}, ("tags: Windows' title, comment, author, keywords, rating",)),
    ],
)
def test_tags_of_a_tiff_that_no_other_form_takes_are_said(
    tags: dict[str, tuple[int, object]], said: tuple[str, ...]
) -> None:
    file = io.BytesIO()
    Image.fromarray(landscape(1)).save(file, "TIFF", tiffinfo=tagged(**tags))
    assert gather(file.getvalue()).lost == said


def test_tags_of_exif_that_a_tiff_is_not_given_are_said() -> None:
    exif = Image.Exif()
    exif[270], exif[40095] = "a train", "Zug".encode("utf-16-le")
    block = exif.tobytes().removeprefix(b"Exif\0\0")
    assert embed.tiff_tail({}, 8, Metadata(exif=block))[2] == [
        "tags: Windows' title, comment, author, keywords, rating"
    ]

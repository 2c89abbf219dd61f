"""How outputs are called, by kind and the source's own suffix."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipeline.colour.recipe import Look, colorize
from pipeline.ground.items import Kind
from pipeline.ground.settings import Settings
from pipeline.media.photo.write import encode
from pipeline.media.table import suffix
from pipeline.nets.engine import Engine
from pipeline.nets.engines.open import open_net
from pipeline.nets.resolve import resolve
from tests.conftest import landscape


@pytest.mark.parametrize(
    ("own", "wanted"),
    [(".jpg", ".jpg"), (".JPEG", ".JPEG"), (".tiff", ".tiff"), (".webp", ".webp"), (".pgm", ".png"), ("", ".png")],
)
def test_formats_stay_what_they_are_by_the_name_alone(own: str, wanted: str) -> None:
    assert suffix(Kind.PHOTO, own, Settings()) == wanted
    assert suffix(Kind.PHOTO, own, Settings(format="jpg")) == ".jpg"
    assert suffix(Kind.PAGES, own, Settings()) == (own if own.startswith(".tif") else ".tif")


def test_sixteen_bits_stay_sixteen_where_a_reader_delivers_them() -> None:
    grey = landscape(2).astype(np.uint16) * 256 + 77
    made = colorize(grey, open_net(resolve("embedded"), Engine("opencv", "float32")), Look())
    assert made.dtype == np.uint16
    np.testing.assert_array_equal(cv2.cvtColor(made, cv2.COLOR_BGR2GRAY), grey)
    for format in ("png", "tif"):
        back = cv2.imdecode(np.frombuffer(encode(made, format), np.uint8), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(back, made)

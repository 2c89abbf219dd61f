"""A caption: below the picture, inside its width, in letters that the font has."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.ground.errors import SettingsError
from pipeline.media.photo.caption import Caption, band_height, captioned, check_caption


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("size", [(400, 300), (300, 400, 3), (20, 30, 3), (1, 1), (900, 40)])
def test_the_picture_stays_and_the_band_is_legible(size: tuple[int, ...], dtype: Any) -> None:
    picture = np.full(size, 7, dtype)
    made = captioned(picture, Caption("Colorized by software, 2026: no colour is known to be true"))
    height, width = size[:2]
    band = made[height:]
    assert band.shape == (band_height(width, height), *size[1:])
    assert made.dtype == dtype
    np.testing.assert_array_equal(made[:height], picture)
    most = np.iinfo(dtype).max
    assert band.max() == most
    if width >= 300:
        assert band.min() < most / 3
        assert (band[:, -3:] == most).all(), "the last letters are cut off"


def test_letters_that_the_font_lacks_are_named() -> None:
    check_caption(Caption("Colorized by software © 2026"))
    with pytest.raises(SettingsError, match="着"):
        check_caption(Caption("着色"))
    with pytest.raises(SettingsError, match="one line"):
        check_caption(Caption("a\nb"))

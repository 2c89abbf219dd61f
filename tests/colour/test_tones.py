"""A picture of another tone curve: the net sees what a person sees, colours are those that were meant, luma stays."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from pipeline.colour.lightness import net_lightness
from pipeline.colour.recipe import Look, colorize, planes, predict
from pipeline.colour.tones import Tones
from pipeline.media.photo.profile import coloured
from tests.conftest import landscape
from tests.photo.test_profile import gamma, grey_profile

LINEAR = Tones(np.linspace(0, 1, 256, dtype=np.float32))
SHOWN = landscape(2, 96, 128)  # sRGB
LIGHT = np.where(SHOWN <= 10, SHOWN / 255 / 12.92, ((SHOWN / 255 + 0.055) / 1.055) ** 2.4)
AB = np.dstack([np.full((8, 8), 14.0), np.full((8, 8), -11.0)]).astype(np.float32)


class Spec:
    """As large as a net's input is."""

    input_size = 32


class Net:
    """Answers one colour, and keeps what it saw."""

    spec = Spec()

    def predict(self, lightness: np.ndarray) -> np.ndarray:
        self.saw = lightness
        return AB


def of_depth(dtype: type) -> np.ndarray:
    return np.rint(LIGHT * np.iinfo(dtype).max).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_net_sees_the_tones_that_a_person_sees(dtype: type, channels: int) -> None:
    pixels, net = np.squeeze(np.dstack([of_depth(dtype)] * channels)), Net()
    predict(pixels, net, Look(tones=LINEAR))  # type: ignore[arg-type]
    wanted = net_lightness(SHOWN, 32)
    assert np.abs(net.saw - wanted).max() < (2.5 if dtype is np.uint8 else 0.3)
    predict(pixels, net, Look())  # type: ignore[arg-type]
    assert np.abs(net.saw - wanted).mean() > 10


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_luma_stays_and_colours_are_those_of_the_same_picture_in_srgb(dtype: type) -> None:
    pixels, net = of_depth(dtype), Net()
    made = colorize(pixels, net, Look(tones=LINEAR))  # type: ignore[arg-type]
    np.testing.assert_array_equal(cv2.cvtColor(made, cv2.COLOR_BGR2GRAY), pixels)
    plain = colorize(SHOWN, net, Look())  # type: ignore[arg-type]
    assert np.abs(lab(in_srgb(made)) - lab(plain))[SHOWN > 60, 1:].mean() < 1.5
    # What sRGB's own curve would make of it is something else.
    other = colorize(pixels, net, Look())  # type: ignore[arg-type]
    assert np.abs(lab(in_srgb(other)) - lab(plain))[SHOWN > 60, 1:].mean() > 4


def in_srgb(made: np.ndarray) -> np.ndarray:
    """As LittleCMS shows a linear picture."""
    small = made if made.dtype == np.uint8 else np.rint(made / 257).astype(np.uint8)
    profile = ImageCms.ImageCmsProfile(io.BytesIO(coloured(grey_profile(gamma(1.0)))))
    image = Image.fromarray(np.ascontiguousarray(small[:, :, ::-1]))
    shown = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), 1, outputMode="RGB")
    return np.ascontiguousarray(np.asarray(shown)[:, :, ::-1])


def lab(bgr: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(bgr.astype(np.float32) / 255, cv2.COLOR_BGR2LAB)


@pytest.mark.parametrize("half", [False, True])
def test_a_jpegs_chroma_is_that_of_the_picture(half: bool) -> None:
    grey = cv2.resize(of_depth(np.uint8), None, fx=4, fy=4)
    cb, cr = planes(grey, AB, Look(tones=LINEAR), half=half)
    b, g, r = cv2.split(colorize(grey, Net(), Look(tones=LINEAR)).astype(np.float32))  # type: ignore[arg-type]
    luma = 0.299 * r + 0.587 * g + 0.114 * b
    size = cb.shape[::-1]
    for plane, wanted in ((cb, (b - luma) / 1.772), (cr, (r - luma) / 1.402)):
        assert np.abs(plane - 128.0 - cv2.resize(wanted, size, interpolation=cv2.INTER_AREA)).mean() < 1


def test_the_tutorial_knows_no_tones() -> None:
    pixels = of_depth(np.uint8)
    made = [colorize(pixels, Net(), Look(lightness="lab", tones=each)) for each in (None, LINEAR)]  # type: ignore[arg-type]
    np.testing.assert_array_equal(*made)

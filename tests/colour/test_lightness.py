import cv2
import numpy as np
import pytest

from pipeline.colour.lightness import grey_lightness, net_lightness
from pipeline.colour.reference import lab_of


def test_grey_table_has_the_bits_of_the_conversion():
    grey = np.random.default_rng(0).integers(0, 256, (33, 47), dtype=np.uint8)
    np.testing.assert_array_equal(grey_lightness()[grey], lab_of(grey)[:, :, 0])


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("size", [160, 224])
@pytest.mark.parametrize("shape", [(224, 224), (100, 57), (2, 2), (481, 641), (900, 1777), (3, 20000), (700, 40)])
def test_equals_the_resized_lab_of_the_whole_picture(shape, size, colour):
    rng = np.random.default_rng(sum(shape))
    picture = rng.integers(0, 256, (*shape, 3) if colour else shape, dtype=np.uint8)
    wanted = cv2.resize(lab_of(picture), (size, size))[:, :, 0]
    assert np.abs(net_lightness(picture, size) - wanted).max() < 1e-4


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (1, 60000)])
def test_pictures_one_pixel_wide(shape):
    # OpenCV takes these by another road, with positions in float32: a pixel in 60,000 is known to 0.004.
    picture = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    wanted = cv2.resize(lab_of(picture), (224, 224))[:, :, 0]
    assert np.abs(net_lightness(picture, 224) - wanted).max() < 0.4
    assert net_lightness(picture, 224).dtype == np.float32

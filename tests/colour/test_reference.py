import cv2
import numpy as np

from pipeline.colour.reference import colorize_reference, lab_of


def test_net_sees_resized_lightness_minus_fifty():
    picture = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    seen = []

    def predict(lightness):
        seen.append(lightness)
        return np.zeros((2, 56, 56), np.float32)

    colorize_reference(picture, predict)
    lab = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_BGR2LAB)
    assert seen[0].shape == (224, 224)
    np.testing.assert_array_equal(seen[0], cv2.resize(lab, (224, 224))[:, :, 0] - 50)


def test_values_are_truncated_not_rounded():
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    out = colorize_reference(grey, lambda _: np.zeros((2, 56, 56), np.float32))
    lab = lab_of(grey)
    lab[:, :, 1:] = 0
    exact = np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2BGR), 0, 1) * 255
    np.testing.assert_array_equal(out, np.floor(exact))


def test_truncation_is_seen_in_colour_too():
    # Grey alone lies so near to whole numbers that rounding might pass for truncating.
    grey = np.random.default_rng(1).integers(30, 226, (60, 80), dtype=np.uint8)
    ab = np.random.default_rng(2).normal(0, 20, (2, 56, 56)).astype(np.float32)
    out = colorize_reference(grey, lambda _: ab)
    lab = lab_of(grey)
    lab[:, :, 1:] = cv2.resize(ab.transpose(1, 2, 0), (80, 60))
    exact = np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2BGR), 0, 1) * 255
    np.testing.assert_array_equal(out, np.floor(exact))
    assert np.count_nonzero(out != np.round(exact)) > out.size / 3


def test_positive_a_is_red_and_positive_b_is_yellow():
    grey = np.full((8, 8), 128, np.uint8)
    ab = np.zeros((2, 56, 56), np.float32)
    ab[0] = 40
    blue, green, red = colorize_reference(grey, lambda _: ab)[4, 4].astype(int)
    assert red > 150 > green
    ab[0], ab[1] = 0, 40
    blue, green, red = colorize_reference(grey, lambda _: ab)[4, 4].astype(int)
    assert blue < 80 < green

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.colour.verdict import judge

FIXTURES = Path(__file__).parents[1] / "fixtures"
TONES = json.loads((FIXTURES / "tones.json").read_text(encoding="utf-8"))


def landscape(seed=0):
    """Lightness with the spectrum of a photograph, 0..100."""
    rng = np.random.default_rng(seed)
    noise = sum(
        cv2.resize(rng.normal(0, 1, (2**k, 2**k)).astype(np.float32), (400, 300), interpolation=cv2.INTER_CUBIC)
        / 1.6**k
        for k in range(1, 8)
    )
    return cv2.normalize(noise, None, 3, 97, cv2.NORM_MINMAX)


def from_lab(lightness, a, b, grain=0.8):
    rng = np.random.default_rng(9)
    lab = np.dstack([lightness, a + 0 * lightness, b + 0 * lightness]).astype(np.float32)
    lab[:, :, 1:] += rng.normal(0, grain, lab[:, :, 1:].shape)
    picture = (np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2BGR), 0, 1) * 255).astype(np.uint8)
    return cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])[1], cv2.IMREAD_COLOR)


def test_grey_is_neutral():
    grey = landscape().astype(np.uint8)
    assert judge(grey).kind == "neutral"
    assert judge(grey).chroma == 0
    assert judge(cv2.merge([grey] * 3)).kind == "neutral"


def test_a_trace_of_colour_noise_is_neutral():
    assert judge(from_lab(landscape(), 0.3, 0.8)).kind == "neutral"


@pytest.mark.parametrize(
    "tone",
    [
        lambda light: (9 * light * (1 - light) * 2, 24 * light * (1 - light) * 2),  # sepia
        lambda light: (2 * light, 22 * light**0.5),  # yellowed paper
        lambda light: (10 - 12 * light, -30 + 28 * light),  # cyanotype
        lambda light: (-8 + 6 * light, -6 + 4 * light),
    ],
)
@pytest.mark.parametrize("stained", [False, True])
def test_one_tone_is_toned(tone, stained):
    lightness = landscape()
    a, b = tone(lightness / 100)
    stain = 1 + 0.2 * (landscape(5) - 50) / 50 if stained else 1
    verdict = judge(from_lab(lightness, a * stain, b * stain))
    assert verdict.kind == "toned"
    assert verdict.chroma > 3


def test_hues_that_lightness_does_not_explain_are_colour():
    lightness = landscape()
    assert judge(from_lab(lightness, (landscape(2) - 50) * 0.5, (landscape(3) - 50) * 0.6)).kind == "color"


def test_weak_colour_is_colour():
    lightness = landscape()
    assert judge(from_lab(lightness, (landscape(2) - 50) * 0.2, (landscape(3) - 50) * 0.25)).kind == "color"


def test_a_patch_of_the_opposite_hue_is_colour():
    # Its hue lies on the tone's own axis, and it is too small to spread what is left over.
    lightness = landscape()
    strength = np.where(landscape(7) > np.percentile(landscape(7), 96), -6, 16)
    assert judge(from_lab(lightness, 0.4 * strength, 0.9 * strength, grain=0.3)).kind == "color"
    assert judge(from_lab(lightness, 0.4 * np.abs(strength), 0.9 * np.abs(strength), grain=0.3)).kind == "toned"


def test_a_plain_red_card_is_colour():
    assert judge(np.full((60, 80, 3), (20, 20, 200), np.uint8)).kind == "color"


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 5000, 3), (5000, 1, 3), (2, 70000, 3), (3, 2, 3)])
def test_any_shape(shape):
    assert judge(np.full(shape, 77, np.uint8)).kind == "neutral"
    assert judge(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)).kind in ("neutral", "toned", "color")


def printed(grey, scan):
    """A grey photograph with the tone, the stains and the grain that were measured on a real scan."""
    lightness = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR).astype(np.float32) / 255
    lightness = cv2.cvtColor(lightness, cv2.COLOR_BGR2LAB)[:, :, 0]
    knots, a, b = np.transpose(scan["tone"])
    rng = np.random.default_rng(11)
    stain = cv2.resize(rng.normal(0, 1, (4, 5)).astype(np.float32), grey.shape[::-1], interpolation=cv2.INTER_CUBIC)
    strength = 1 + scan["stain"] * stain / stain.std()
    a, b = (np.interp(lightness, knots, tone) * strength for tone in (a, b))
    return from_lab(lightness, a, b, grain=scan["grain"] / 2**0.5)


@pytest.mark.parametrize("scan", TONES, ids=lambda scan: scan["scan"])
def test_the_tones_of_real_scans_are_toned(scan):
    for path in sorted((FIXTURES / "grey").iterdir()):
        verdict = judge(printed(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), scan))
        assert verdict.kind == "toned", path.name
        assert scan["chroma"] / 3 < verdict.chroma < scan["chroma"] * 3, path.name


@pytest.mark.parametrize("path", sorted((FIXTURES / "grey").iterdir()), ids=lambda path: path.stem)
def test_grey_photographs_are_neutral_as_one_channel_and_as_three(path):
    assert judge(cv2.imread(str(path), cv2.IMREAD_UNCHANGED)).kind == "neutral"
    assert judge(cv2.imread(str(path), cv2.IMREAD_COLOR)).kind == "neutral"


@pytest.mark.parametrize("path", sorted((FIXTURES / "colour").iterdir()), ids=lambda path: path.stem)
def test_colour_photographs_are_colour_whole_and_in_quarters(path):
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    height, width = picture.shape[0] // 2, picture.shape[1] // 2
    quarters = [picture[y : y + height, x : x + width] for y in (0, height) for x in (0, width)]
    assert judge(picture).kind == "color"
    assert [judge(each).kind for each in quarters].count("color") >= (
        2 if path.stem == "rocket" else 4
    )  # above it is only sky

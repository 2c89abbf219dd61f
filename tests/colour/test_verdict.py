import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.training.old_prints import COLOUR_KINDS, KINDS, filed, grey_of
from pipeline.colour import features
from pipeline.colour.one_tone import is_one_tone
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


@pytest.mark.parametrize("path", sorted((FIXTURES / "colour").iterdir()), ids=lambda path: path.stem)
def test_weak_colour_is_colour(path):
    lab = cv2.cvtColor(cv2.imread(str(path), cv2.IMREAD_COLOR).astype(np.float32) / 255, cv2.COLOR_BGR2LAB)
    assert judge(from_lab(lab[:, :, 0], 0.5 * lab[:, :, 1], 0.5 * lab[:, :, 2], grain=0.3)).kind == "color"


def test_a_patch_of_the_opposite_hue_is_colour_or_doubtful():
    # Its hue lies on the tone's own axis, and it is too small to spread what is left over.
    lightness = landscape()
    strength = np.where(landscape(7) > np.percentile(landscape(7), 96), -6, 16)
    verdict = judge(from_lab(lightness, 0.4 * strength, 0.9 * strength, grain=0.3))
    assert verdict.kind == "color" or verdict.doubtful
    assert judge(from_lab(lightness, 0.4 * np.abs(strength), 0.9 * np.abs(strength), grain=0.3)).kind == "toned"


@pytest.mark.parametrize("strength", [-3, -6])
def test_the_strict_rule_takes_no_patch_of_the_opposite_hue_for_one_tone(strength):
    lightness = landscape()
    patched = np.where(landscape(7) > np.percentile(landscape(7), 95), strength, 16)
    assert is_one_tone(from_lab(lightness, 0.4 * np.abs(patched), 0.9 * np.abs(patched), grain=0.3))
    assert not is_one_tone(from_lab(lightness, 0.4 * patched, 0.9 * patched, grain=0.3))


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
    judged = [judge(each) for each in quarters]
    # Above the rocket is only sky; one quarter of the cat is fur alone.
    assert sum(each.kind == "color" or each.doubtful for each in judged) >= (2 if path.stem == "rocket" else 3)


COLOUR = sorted((FIXTURES / "colour").iterdir())
GREY = sorted((FIXTURES / "grey").iterdir())


def unit(path):
    return cv2.imread(str(path), cv2.IMREAD_COLOR).astype(np.float32) / 255


@pytest.mark.parametrize("kind", KINDS)
def test_made_prints_of_ten_kinds_are_not_colour(kind):
    judged = []
    for number, path in enumerate([*COLOUR, *GREY]):
        rng = np.random.default_rng([number, 77])
        judged += [judge(filed(rng, KINDS[kind](rng, grey_of(unit(path), rng)))) for _ in range(6)]
    assert sum(verdict.kind == "color" for verdict in judged) <= (3 if kind == "table" else 1)  # of 48


@pytest.mark.parametrize("kind", COLOUR_KINDS)
def test_colour_pictures_are_colour_whatever_they_suffered(kind):
    judged = []
    for number, path in enumerate(COLOUR):
        rng = np.random.default_rng([number, 78])
        judged += [judge(filed(rng, COLOUR_KINDS[kind](rng, unit(path)))) for _ in range(3)]
    assert sum(verdict.kind != "color" and not verdict.doubtful for verdict in judged) == 0
    assert sum(verdict.kind != "color" for verdict in judged) <= 1


# What the first verdict got wrong, made without the generator that the table was fitted with.


@pytest.mark.parametrize("path", [*COLOUR, *GREY], ids=lambda path: path.stem)
@pytest.mark.parametrize("apart", [1, 2, -2])
def test_channels_apart_are_no_colour(path, apart):
    grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert judge(np.dstack([np.roll(grey, apart, 1), grey, np.roll(grey, -apart, 0)])).kind != "color"


@pytest.mark.parametrize("path", [*COLOUR, *GREY], ids=lambda path: path.stem)
@pytest.mark.parametrize("card", [(216, 235, 245), (130, 200, 225), (45, 70, 105)], ids=["cream", "yellow", "brown"])
@pytest.mark.parametrize("share", [0.08, 0.2])
def test_a_mount_is_no_colour(path, card, share):
    grey = cv2.imread(str(path), cv2.IMREAD_COLOR_BGR)
    grey = cv2.cvtColor(cv2.cvtColor(grey, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    wide = round(share * min(grey.shape[:2]))
    assert judge(cv2.copyMakeBorder(grey, wide, wide, wide, wide, cv2.BORDER_CONSTANT, value=card)).kind != "color"


@pytest.mark.parametrize("path", [*COLOUR, *GREY], ids=lambda path: path.stem)
def test_a_cast_of_three_levels_is_no_colour(path):
    grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).astype(np.float32)
    across = np.linspace(-3, 3, grey.shape[1], dtype=np.float32)
    down = np.linspace(3, -3, grey.shape[0], dtype=np.float32)[:, np.newaxis]
    picture = np.clip(np.dstack([grey + across, grey, grey + down]), 0, 255).astype(np.uint8)
    assert judge(picture).kind != "color"


@pytest.mark.parametrize("path", [*COLOUR, *GREY], ids=lambda path: path.stem)
@pytest.mark.parametrize("ink", [(0, 120, 255), (150, 40, 120)], ids=["orange", "purple"])
def test_a_print_in_one_strong_ink_is_no_colour(path, ink):
    grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).astype(np.float32)[:, :, np.newaxis] / 255
    verdict = judge(np.clip(grey * 1.3 * ink, 0, 255).astype(np.uint8))
    assert verdict.kind == "toned"
    assert verdict.chroma > 20


def test_what_is_transparent_is_not_looked_at():
    picture = cv2.imread(str(FIXTURES / "colour" / "coffee.jpg"), cv2.IMREAD_COLOR)
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    picture[40:120, 60:200] = grey[40:120, 60:200, np.newaxis]
    alpha = np.zeros_like(grey)
    alpha[44:116, 64:196] = 255
    assert judge(picture, alpha).kind == "neutral"
    assert judge(picture).kind != "neutral"
    assert judge(picture, np.full_like(alpha, 255)) == judge(picture)
    assert judge(picture, np.zeros_like(alpha)) == judge(picture)  # nothing to be seen: the pixels are all there is


@pytest.mark.parametrize("path", COLOUR, ids=lambda path: path.stem)
def test_depth_does_not_matter(path):
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    shallow = judge(picture)
    for deep in (picture.astype(np.uint16) * 257, picture / np.float32(255), picture / 255.0):
        verdict = judge(deep)
        assert (verdict.kind, verdict.doubtful) == (shallow.kind, shallow.doubtful)
        assert verdict.chroma == pytest.approx(shallow.chroma, abs=0.3)
    assert judge(picture.astype(np.uint16) * 257, np.full(picture.shape[:2], 65535, np.uint16)).kind == shallow.kind
    assert judge((picture / np.float32(255)).astype(np.float32) * np.float32(np.nan)).kind == "neutral"


def test_channels_are_laid_on_one_another():
    grey = unit(FIXTURES / "grey" / "camera.jpg")[:, :, 0]
    apart = np.dstack([np.roll(grey, 2, 1), grey, np.roll(grey, -1, 0)])
    inside = (slice(8, -8), slice(8, -8))
    before, after = (
        np.abs(each - grey[:, :, np.newaxis])[inside].mean() for each in (apart, features.registered(apart))
    )
    assert after < before / 4


def test_a_print_is_found_within_its_mount():
    grey = cv2.cvtColor(unit(FIXTURES / "grey" / "camera.jpg"), cv2.COLOR_BGR2GRAY)
    picture = cv2.copyMakeBorder(np.dstack([grey] * 3), 40, 40, 40, 40, cv2.BORDER_CONSTANT, value=(0.7, 0.85, 0.9))
    small = features.small(picture)
    inside, (share, alike, around, _) = features._within(small)
    assert inside is not None
    rows, columns = np.nonzero(inside)
    scale = features.LONGEST / max(picture.shape)
    for found in (rows.min(), columns.min(), 127 - rows.max(), 127 - columns.max()):
        assert found == pytest.approx(40 * scale + 3, abs=2.5)
    assert share == pytest.approx((256 / 336) ** 2, abs=0.08)
    assert alike > 0.95
    assert around < 0.1

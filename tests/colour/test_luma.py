import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.colour import chroma as chroma_room
from pipeline.colour.chroma import chroma_of, lightness_of
from pipeline.colour.compose import compose
from pipeline.colour.exact import exact_rgb
from pipeline.colour.luma import chroma_planes, halved
from pipeline.colour.reference import lab_of
from tests.conftest import landscape

SHAPES = [(1, 1), (1, 300), (300, 1), (2, 3), (97, 131), (480, 641), (1, 60000), (7, 30000), (20000, 3)]


def noise(strength, seed=0, size=(48, 48)):
    return np.random.default_rng(seed).normal(0, strength, (*size, 2)).astype(np.float32)


def smooth(strength, seed=0):
    small = np.random.default_rng(seed).normal(0, strength, (5, 6, 2)).astype(np.float32)
    return cv2.resize(small, (48, 48), interpolation=cv2.INTER_CUBIC)


def channels(grey, cb, cr):
    """Red, green and blue as a decoder makes them, before they are cut off."""
    y, cb, cr = grey.astype(np.float64), cb - 128.0, cr - 128.0
    return np.stack((y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb), axis=-1)


def lumas(picture):
    """The luma of a picture as readers take it; 8 bits."""
    blue, green, red = (picture[:, :, number].astype(np.int64) for number in range(3))
    yield "cvtColor", cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    weights = {"opencv tiff": (4899, 9617, 1868, 14, 1), "libpng": (9797, 19234, 3737, 15, 0)}
    weights["pillow"] = 19595, 38470, 7471, 16, 1
    for name, (r, g, b, bits, rounds) in weights.items():
        yield name, (r * red + g * green + b * blue + (rounds << (bits - 1))) >> bits
    for name, half in (("rounded", 500), ("cut off", 0)):
        yield name, (299 * red + 587 * green + 114 * blue + half) // 1000


@pytest.mark.parametrize("halve", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_colours_stay_in_range_in_any_shape(shape, halve):
    grey = np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)
    small = halved(grey) if halve else grey
    cb, cr = chroma_planes(small, noise(60), size=shape if halve else None)
    assert cb.shape == cr.shape == small.shape
    seen = channels(small, cb, cr)
    # Half a level of chroma, rounded off, is up to 0.9 levels of blue.
    assert seen.min() > -1
    assert seen.max() < 256


@pytest.mark.parametrize("strength", [0, 10, 40, 1000])
def test_black_and_white_stay_what_they_are(strength):
    ramp = np.tile(np.array([0, 255], np.uint8), (400, 200))
    cb, cr = chroma_planes(ramp, noise(strength))
    assert set(np.unique((cb, cr))) == {128}


@pytest.mark.parametrize("small", [True, False])
def test_what_fits_is_compositions_colour(small):
    grey = cv2.normalize(landscape(1, 90, 120) if small else landscape(1, 600, 800), None, 40, 210, cv2.NORM_MINMAX)
    ab = smooth(9)
    cb, cr = chroma_planes(grey, ab)
    wanted = cv2.cvtColor(compose(grey, ab), cv2.COLOR_BGR2YCrCb).astype(int)
    assert np.abs(cr - wanted[:, :, 1]).mean() < 0.6
    assert np.abs(cb - wanted[:, :, 2]).mean() < 0.6
    assert max(np.abs(cr - wanted[:, :, 1]).max(), np.abs(cb - wanted[:, :, 2]).max()) <= 4


def test_colour_matches_composition_with_luma_kept():
    grey, ab = landscape(2, 400, 500), smooth(20)
    cb, cr = chroma_planes(grey, ab)
    made = cv2.cvtColor(cv2.merge((grey, cr, cb)), cv2.COLOR_YCrCb2BGR)
    apart = lab_of(made) - lab_of(compose(grey, ab))
    assert np.hypot(apart[..., 1], apart[..., 2]).mean() < 1.2
    assert np.abs(apart[..., 0]).mean() < 2


@pytest.mark.parametrize("ab", [(40, 10), (-30, 60), (20, -60), (70, 50)])
def test_where_chroma_is_limited_the_hue_is_compositions(ab):
    luma = np.linspace(1, 254, 254, dtype=np.float32).reshape(-1, 1)
    a, b = (np.full_like(luma, value) for value in ab)
    cb, cr = chroma_of(luma, lightness_of(luma), a, b)
    seen = channels(luma, cb + 128, cr + 128)
    assert seen.min() > -1e-3
    assert seen.max() < 255 + 1e-3
    composed = compose(np.rint(luma).astype(np.uint8), np.array([[ab]], np.float32)).astype(np.float32)
    blue, _, red = cv2.split(composed - composed @ np.array([0.114, 0.587, 0.299], np.float32)[:, None])
    own = blue / 1.772, red / 1.402
    share = np.hypot(cb, cr) / np.maximum(np.hypot(*own), 1)
    assert share.max() < 1.2
    assert share.min() < 0.5  # at both ends it had to be limited
    across = (cb * own[1] - cr * own[0]) / np.maximum(np.hypot(*own), 1)
    assert np.abs(across).max() < 1


@settings(max_examples=30)
@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    seed=st.integers(0, 999),
    deep=st.booleans(),
    columns=st.integers(5, 40),
)
def test_table_and_formula_agree_and_strips_leave_no_seam(height, width, seed, deep, columns):
    grey = np.random.default_rng(seed).integers(0, 65536 if deep else 256, (height, width))
    grey = grey.astype(np.uint16 if deep else np.uint8)
    ab = smooth(15, seed)

    def whole():
        planes = np.zeros((2, height, width), np.float32)
        for strip in chroma_room.chroma_strips(grey, ab, (height, width), 1):
            planes[:, strip.rows, strip.columns] = strip.cb, strip.cr
        return planes

    made = []
    for way in ("_Table", "_Formula"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(chroma_room, "_Table", getattr(chroma_room, way))
            patch.setattr(chroma_room, "_Formula", getattr(chroma_room, way))
            one = whole()
            patch.setattr(chroma_room, "_STRIP_PIXELS", 97)
            patch.setattr(chroma_room, "_BLOCK_COLUMNS", columns)
            np.testing.assert_allclose(whole(), one, atol=0.05)
            made.append(one)
    apart = np.abs(made[0] - made[1])
    assert apart.max() < 16
    assert height * width < 1000 or apart.mean() < 1


@pytest.mark.parametrize("shape", [(1, 1), (40, 61), (600, 701)])
def test_half_size_chroma_lies_where_the_pixels_lie(shape):
    grey = np.full(shape, 128, np.uint8)
    ramp = np.broadcast_to(np.linspace(-30, 30, 48, dtype=np.float32)[None, :, None], (48, 48, 2))
    full = chroma_planes(grey, ramp)
    half = chroma_planes(halved(grey), ramp, size=shape)
    for whole, small in zip(full, half, strict=True):
        even = cv2.copyMakeBorder(whole, 0, shape[0] % 2, 0, shape[1] % 2, cv2.BORDER_REPLICATE)
        wanted = cv2.resize(even, small.shape[::-1], interpolation=cv2.INTER_AREA)
        assert np.abs(small.astype(int) - wanted).max() <= 1


def test_saturation_is_a_factor_on_ab():
    grey, ab = landscape(3), smooth(8)
    np.testing.assert_array_equal(chroma_planes(grey, ab, saturation=1.5), chroma_planes(grey, ab * 1.5))
    assert set(np.unique(chroma_planes(grey, ab, saturation=0))) == {128}


def test_inputs_are_left_alone():
    grey, ab = landscape(3), smooth(8)
    before = grey.copy(), ab.copy()
    chroma_planes(grey, ab)
    exact_rgb(grey, ab)
    np.testing.assert_array_equal(grey, before[0])
    np.testing.assert_array_equal(ab, before[1])


def test_halved_is_the_mean_and_repeats_what_is_odd():
    grey = np.array([[0, 4, 9], [8, 12, 9], [3, 3, 200]], np.uint8)
    np.testing.assert_array_equal(halved(grey), [[6, 9], [3, 200]])


def test_the_luma_of_8_bits_is_exact_for_every_grey_and_every_chroma():
    # Rows are greys, columns come near all of ab: uniform, out of all gamuts, and none.
    rng = np.random.default_rng(9)
    columns = np.concatenate((rng.uniform(-128, 128, (2800, 2)), rng.normal(0, 15, (1100, 2)), np.zeros((100, 2))))
    grey = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 4000, axis=1)
    made = exact_rgb(grey, columns[None].astype(np.float32))
    for name, luma in lumas(made):
        assert np.array_equal(luma, grey), name
    assert made.dtype == np.uint8
    assert np.ptp(made[:, -100:], axis=2).max() == 0
    assert np.ptp(made.astype(int), axis=2).mean() > 20


@pytest.mark.parametrize("strength", [0, 15, 40, 120])
def test_the_luma_of_16_bits_is_exact(strength):
    grey = np.random.default_rng(4).integers(0, 65536, (500, 700)).astype(np.uint16)
    grey[:2] = [[0], [65535]]
    grey[2:4] = np.arange(700), 65535 - np.arange(700)
    made = exact_rgb(grey, noise(strength))
    blue, green, red = (made[:, :, number].astype(np.int64) for number in range(3))
    np.testing.assert_array_equal(cv2.cvtColor(made, cv2.COLOR_BGR2GRAY), grey)
    np.testing.assert_array_equal((299 * red + 587 * green + 114 * blue + 500) // 1000, grey)
    assert made.dtype == np.uint16
    assert np.ptp(made.astype(int), axis=2).mean() >= 150 * strength


def test_16_bits_are_more_than_8():
    grey = np.tile(np.linspace(20000, 30000, 500).astype(np.uint16), (300, 1))
    made = exact_rgb(grey, smooth(15))
    assert all(len(np.unique(made[:, :, number])) > 3000 for number in range(3))
    eight = exact_rgb((grey >> 8).astype(np.uint8), smooth(15))
    assert np.abs((made >> 8).astype(int) - eight).max() <= 3


def test_exact_colours_are_those_of_the_planes():
    grey, ab = landscape(5, 300, 400), smooth(12)
    cb, cr = chroma_planes(grey, ab)
    wanted = cv2.cvtColor(cv2.merge((grey, cr, cb)), cv2.COLOR_YCrCb2BGR).astype(int)
    apart = np.abs(exact_rgb(grey, ab) - wanted)
    assert apart.mean() < 0.7
    assert apart.max() <= 3


@pytest.mark.parametrize("read", [cv2.IMREAD_GRAYSCALE, None])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_files_read_as_grey_are_the_grey(suffix, read):
    grey = landscape(6, 120, 160)
    data = cv2.imencode(suffix, exact_rgb(grey, smooth(20)))[1]
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR if read is None else read)
    luma = cv2.cvtColor(decoded, cv2.COLOR_BGR2GRAY) if read is None else decoded
    np.testing.assert_array_equal(luma, grey)


@pytest.mark.parametrize(
    "wrong",
    [
        {"grey": np.zeros((6, 8, 3), np.uint8)},
        {"ab": noise(1).transpose(2, 0, 1)},
        {"size": (6, 8)},
        {"size": (13, 16)},
        {"grey": np.zeros((6, 8), np.float32)},
    ],
)
def test_wrong_arguments_are_refused(wrong):
    given = {"grey": np.zeros((6, 8), np.uint8), "ab": noise(1)} | wrong
    exact = {name: value for name, value in given.items() if name != "size"}
    if "size" in given or given["grey"].dtype == np.uint8:
        with pytest.raises(ValueError):
            chroma_planes(given["grey"], given["ab"], size=given.get("size"))
    if "size" not in given:
        with pytest.raises(ValueError):
            exact_rgb(**exact)

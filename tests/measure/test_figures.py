import numpy as np
import pytest

from pipeline.colour.colourfulness import colourfulness
from pipeline.measure import figures

# From Sharma, Wu, Dalal 2005, table 1: neutral colours, hues across 0 and 180 degrees, blue, dark, far apart.
SHARMA = np.array(
    [
        [50, 2.6772, -79.7751, 50, 0, -82.7485, 2.0425],
        [50, -1.3802, -84.2814, 50, 0, -82.7485, 1.0000],
        [50, 0, 0, 50, -1, 2, 2.3669],
        [50, 2.49, -0.001, 50, -2.49, 0.0009, 7.1792],
        [50, 2.49, -0.001, 50, -2.49, 0.0011, 7.2195],
        [50, -0.001, 2.49, 50, 0.0011, -2.49, 4.7461],
        [50, 2.5, 0, 73, 25, -18, 27.1492],
        [60.2574, -34.0099, 36.2677, 60.4626, -34.1751, 39.4387, 1.2644],
        [2.0776, 0.0795, -1.1350, 0.9033, -0.0636, -0.5514, 0.9082],
    ]
)


def test_ciede2000_gives_the_published_differences():
    found = figures.ciede2000(SHARMA[:, :3], SHARMA[:, 3:6])
    np.testing.assert_allclose(found, SHARMA[:, 6], atol=5e-5)
    np.testing.assert_allclose(figures.ciede2000(SHARMA[:, 3:6], SHARMA[:, :3]), found, atol=1e-9)


def test_ciede2000_equals_scikit_image():
    color = pytest.importorskip("skimage.color", reason="scikit-image is an extra")
    random = np.random.default_rng(0)
    low, high = [0, -100, -100], [100, 100, 100]
    first, second = random.uniform(low, high, (40, 50, 3)), random.uniform(low, high, (40, 50, 3))
    first[0] = second[0]
    first[1, :, 1:] = 0
    np.testing.assert_allclose(figures.ciede2000(first, second), color.deltaE_ciede2000(first, second), atol=1e-9)


def test_psnr_of_a_known_error():
    truth = np.full((4, 5, 3), 100, np.uint8)
    assert figures.psnr(truth + np.uint8(5), truth) == pytest.approx(20 * np.log10(255 / 5), abs=1e-4)
    assert figures.psnr(truth - np.uint8(5), truth) == pytest.approx(20 * np.log10(255 / 5), abs=1e-4)


def test_colourfulness_is_nothing_for_grey_and_known_for_one_colour():
    assert colourfulness(np.full((3, 3, 3), 77, np.uint8)) == 0
    blue = np.zeros((3, 3, 3), np.uint8)
    blue[:, :, 0] = 200
    assert colourfulness(blue) == pytest.approx(0.3 * 200)


@pytest.mark.parametrize(("distance", "share"), [(0, 1), (0.5, 150 / 151), (1, 150 / 151), (150, 1 / 151), (151, 0)])
def test_shares_within_counts_the_thresholds_from_0_to_150(distance, share):
    truth = np.zeros((2, 2, 2), np.float32)
    guess = truth + np.array([distance, 0], np.float32)
    np.testing.assert_allclose(figures.shares_within(guess, truth), share)


def test_shares_within_is_the_mean_over_thresholds():
    random = np.random.default_rng(1)
    guess, truth = (random.normal(0, 30, (16, 16, 2)).astype(np.float32) for _ in range(2))
    distance = np.hypot(*np.moveaxis(guess.astype(np.float64) - truth, 2, 0))
    literally = np.mean([(distance <= threshold).mean() for threshold in range(151)])
    assert figures.shares_within(guess, truth).mean() == pytest.approx(literally)


def test_nearest_bins_finds_the_nearest_centre():
    points = np.array([[-20, 0, 40], [10, 0, -30]], np.float32)
    table = figures.bin_table(points)
    ab = np.array([[[-20, 10], [3, 2]], [[38, -31], [500, -500]]], np.float32)
    assert figures.nearest_bins(ab, table).tolist() == [[0, 1], [2, 2]]


def test_rarity_weights_are_one_over_the_prior_and_capped():
    weights = figures.rarity_weights(np.array([900.0, 100.0, 0.0]))
    np.testing.assert_allclose(weights, [1 / 0.9, 10, 0])
    capped = figures.rarity_weights(np.array([99990.0, 10.0]))  # 0.01 % of the pixels: beyond the 99.9th percentile
    np.testing.assert_allclose(capped, 1 / 0.9999)


def test_an_answer_that_moves_with_the_picture_is_calm():
    random = np.random.default_rng(2)
    ab = random.normal(0, 10, (40, 40, 2)).astype(np.float32)
    after = np.dstack([figures.moved(ab[:, :, channel]) for channel in range(2)])
    assert figures.change_under_shift(ab, after) == 0
    assert figures.change_under_shift(ab, ab) > 10


def test_blotches_on_a_plain_surface_are_seen_and_edges_are_not():
    lightness = np.full((128, 128), 50, np.float32)
    lightness[:, 64:] = 80
    truth = np.zeros((128, 128, 2), np.float32)
    truth[:, 32:, 0] = 10  # an edge of colour where lightness is plain
    on_the_edge = np.zeros_like(truth)
    on_the_edge[:, 64:, 0] = 10  # one where lightness has its own
    of_guess, of_truth = figures.chroma_gradient_where_flat(lightness, 3 * truth, truth)
    assert of_guess == pytest.approx(3 * of_truth)
    assert of_truth > 0
    assert figures.chroma_gradient_where_flat(lightness, on_the_edge, truth)[0] == 0


def test_picture_of_rounds():
    grey = figures.picture_of(np.full((2, 2), 53.585, np.float32), np.zeros((2, 2, 2), np.float32))
    assert np.unique(grey).tolist() == [128]

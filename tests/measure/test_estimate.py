import numpy as np
import pytest

from pipeline.measure.estimate import mean, ratio


def test_mean_has_the_textbook_interval():
    values = np.random.default_rng(0).normal(3, 2, 400)
    found = mean(values)
    assert found.value == pytest.approx(values.mean())
    assert found.interval == pytest.approx(1.96 * values.std(ddof=1) / 20, rel=1e-4)


def test_ratio_has_about_the_interval_of_a_bootstrap():
    random = np.random.default_rng(1)
    wholes = random.gamma(4, 1, 300)
    parts = 0.7 * wholes + random.normal(0, 0.3, 300)
    found = ratio(parts, wholes)
    picks = random.integers(0, 300, (4000, 300))
    low, high = np.percentile(parts[picks].sum(1) / wholes[picks].sum(1), [2.5, 97.5])
    assert found.value == pytest.approx(parts.sum() / wholes.sum())
    assert found.interval == pytest.approx((high - low) / 2, rel=0.08)


def test_a_difference_is_paired():
    random = np.random.default_rng(2)
    shared = random.normal(0, 10, 500)
    first, second = mean(shared + 1 + random.normal(0, 0.1, 500)), mean(shared)
    assert (first - second).value == pytest.approx(1, abs=0.02)
    assert (first - second).interval < 0.02 < first.interval


def test_one_picture_has_no_interval():
    assert np.isnan(mean(np.array([1.0])).interval)

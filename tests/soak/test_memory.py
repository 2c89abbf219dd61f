"""The estimate of a picture's memory against what a worker takes: never less, at most half as much again."""

from __future__ import annotations

import sys

import pytest

from benchmarks.peaks import KINDS, measure

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(sys.platform != "linux", reason="the peak is forgotten through /proc"),
]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "WebP lossless"])  # which takes minutes
def test_the_estimate_is_never_less_and_at_most_half_as_much_again(kind: str) -> None:
    peak = measure(kind, 40)
    assert peak.status.startswith("done"), peak
    assert peak.measured <= peak.estimated <= 1.5 * peak.measured, peak


def test_a_scan_of_400_megapixels_as_jpeg_takes_at_most_600_mb_in_all() -> None:
    peak = measure("JPEG grey", 400)
    assert peak.idle + peak.measured <= 600e6, peak


# A progressive JPEG's coefficients, two bytes a pixel, are all held by every decoder (docs/jpeg.md).
@pytest.mark.parametrize("kind", ["TIFF grey 8", "PNG grey 8", "JPEG grey progressive"])
def test_a_scan_of_400_megapixels_takes_at_most_1200_mb_in_all(kind: str) -> None:
    peak = measure(kind, 400)
    assert peak.idle + peak.measured <= 1.2e9, peak
    assert peak.measured <= peak.estimated <= 1.5 * peak.measured, peak

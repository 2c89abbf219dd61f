"""Approved pictures steer others, on made answers whose right colour is known."""

from __future__ import annotations

import numpy as np

from pipeline.colour.series import Steered, cells_of, steered
from tests.colour.test_recipe import Net

SIZE = 48


def scene(shift: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A bright sky over dark ground with a coat between, and what a net says of it: lightness and ab (48, 48)."""
    lightness = np.full((SIZE, SIZE), 85, np.float32)
    lightness[24:] = 25
    coat = slice(10 + shift, 26 + shift)
    lightness[8:40, coat] = 55
    ab = np.zeros((SIZE, SIZE, 2), np.float32)
    ab[:24] = (-3, -15)
    ab[24:] = (2, 14)
    ab[8:40, coat] = (8, 12)
    return lightness, ab


def approved() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    lightness, ab = scene()
    right = ab.copy()
    right[8:40, 10:26] = (2, -28)  # the coat was blue
    return lightness, ab, right


def test_the_coat_of_another_picture_becomes_blue_and_the_rest_stays() -> None:
    lightness, ab = scene(shift=12)
    made = steered(ab, lightness, cells_of([approved()]))
    assert made[20, 30, 1] < -18
    np.testing.assert_allclose(made[3, 5], (-3, -15), atol=1.5)
    np.testing.assert_allclose(made[44, 40], (2, 14), atol=1.5)


def test_what_is_like_nothing_stays_as_it_is() -> None:
    lightness, ab, right = approved()
    strange = np.full_like(ab, 60)
    np.testing.assert_allclose(
        steered(strange, 100 - lightness, cells_of([(lightness, ab, right)])), strange, atol=0.01
    )


def test_alike_things_become_more_alike() -> None:
    lightness, ab = scene()
    other = ab + np.array([3, -2], np.float32)  # the net's guess of the same thing on another day
    made = steered(other, lightness, cells_of([(lightness, ab, ab)]))
    assert np.abs(made - ab).mean() < 0.4 * np.abs(other - ab).mean()


def test_the_order_of_approved_pictures_does_not_count() -> None:
    one, other = approved(), (*scene(5), scene(5)[1] + 3)
    first, second = cells_of([one, other]), cells_of([other, one])
    for a, b in ((first.seen, second.seen), (first.colour, second.colour), (first.share, second.share)):
        assert a.tobytes() == b.tobytes()


def test_it_is_a_net() -> None:
    net = Net()
    made = Steered(net, cells_of([approved()]))
    assert (made.spec, made.engine) == (net.spec, net.engine)
    lightness = np.full((net.spec.input_size,) * 2, 55, np.float32)
    assert made.predict(lightness).shape == net.predict(lightness).shape

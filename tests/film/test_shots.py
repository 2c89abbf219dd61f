from __future__ import annotations

import numpy as np

from pipeline.media.film.shots import CutScores, cuts
from tests.conftest import landscape


def found(frames: list[np.ndarray], bits: int = 8) -> list[int]:
    scores = CutScores()
    late = []
    for frame in frames:
        scores.add(frame, bits)
        late.append(scores.latest() or 0.0)
    return cuts(np.array([*late[2:], 0, 0], np.float32)).tolist()


def shot(seed: int, count: int) -> list[np.ndarray]:
    scene = landscape(seed, 160, 240)
    if seed % 2:
        scene = np.ascontiguousarray(255 - scene.T.repeat(2, axis=1)[:160, :240])
    grain = np.random.default_rng(seed)
    return [
        np.clip(scene[k : k + 96, 2 * k : 2 * k + 128] + grain.normal(0, 5, (96, 128)), 0, 255).astype(np.uint8)
        for k in range(count)
    ]


def test_cuts_are_found_where_they_are() -> None:
    frames = shot(1, 20) + shot(2, 14) + shot(3, 30)
    assert found(frames) == [20, 34]
    assert found([frame.astype(np.uint16) * 4 for frame in frames], 10) == [20, 34]


def test_flashes_and_scratches_are_no_cuts() -> None:
    frames = shot(1, 40)
    frames[12] = np.full_like(frames[12], 250)
    frames[13] = np.full_like(frames[13], 240)
    frames[25][:, 60:63] = 255
    assert found(frames) == []


def test_a_film_of_one_grey_and_short_films_have_no_cuts() -> None:
    assert found([np.full((48, 64), 128, np.uint8)] * 20) == []
    for count in range(6):
        assert found(shot(1, count)) == []


def test_flickering_light_is_no_cut() -> None:
    light = np.random.default_rng(1).uniform(0.75, 1.0, 40)
    frames = [(frame * each).astype(np.uint8) for frame, each in zip(shot(2, 40), light, strict=True)]
    assert found(frames) == []

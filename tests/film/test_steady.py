from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipeline.media.film.steady import Seen, plan, small_luma, steadied


def panning(count: int) -> list[np.ndarray]:
    random = np.random.default_rng(2)
    wide = cv2.GaussianBlur(random.integers(0, 255, (260, 400)).astype(np.uint8), (0, 0), 5)
    wide = cv2.normalize(wide, None, 0, 255, cv2.NORM_MINMAX)
    return [np.ascontiguousarray(wide[k : k + 96, 2 * k : 2 * k + 128]) for k in range(count)]


FRAMES = panning(60)


def lightness(number: int) -> np.ndarray:
    return (cv2.resize(FRAMES[number], (32, 32)) / np.float32(2.55)).astype(np.float32)


def seen(numbers: range) -> list[Seen]:
    return [Seen(number, FRAMES[number], lightness(number)) for number in numbers]


def predict(given: np.ndarray) -> np.ndarray:
    return np.stack([given - 50, 20 - given / 3], axis=2)


def colours(shot: range, wanted: range, steady: str = "normal", keyframes: int = 8) -> dict[int, np.ndarray]:
    work = plan(shot, wanted, steady, keyframes)
    return dict(steadied(work, seen(work.frames), predict))


@pytest.mark.parametrize("steady", ["off", "normal", "strong"])
@pytest.mark.parametrize("keyframes", [1, 5, 8])
def test_any_part_of_a_shot_gets_the_colours_of_the_whole(steady: str, keyframes: int) -> None:
    shot = range(3, 57)
    whole = colours(shot, shot, steady, keyframes)
    assert list(whole) == list(shot)
    for part in (range(3, 20), range(20, 21), range(19, 44), range(44, 57), range(11, 12), range(56, 57)):
        some = colours(shot, part, steady, keyframes)
        assert list(some) == list(part)
        assert all(np.array_equal(some[number], whole[number]) for number in part)


def test_nothing_outside_the_shot_is_looked_at() -> None:
    for wanted in (range(10, 40), range(10, 11), range(39, 40)):
        work = plan(range(10, 40), wanted, "strong", 8)
        assert work.frames.start >= 10
        assert work.frames.stop <= 40


def test_the_net_is_asked_for_key_frames_alone() -> None:
    asked = []

    def counting(given: np.ndarray) -> np.ndarray:
        asked.append(given)
        return predict(given)

    work = plan(range(0, 60), range(0, 60), "normal", 8)
    frames = [each if work.is_key(each.number) else Seen(each.number, each.small) for each in seen(work.frames)]
    assert len(list(steadied(work, frames, counting))) == 60
    assert len(asked) == 8


def test_off_shows_each_frame_to_the_net_and_leaves_its_answer() -> None:
    plain = colours(range(0, 5), range(0, 5), "off", 8)
    for number in range(5):
        assert np.array_equal(plain[number], cv2.resize(predict(lightness(number)), (128, 96)))


def test_colour_moves_with_the_picture() -> None:
    ab = colours(range(0, 60), range(0, 60))
    for number in (3, 12, 20, 29):
        assert number % 8
        ideal = cv2.resize(predict(lightness(number)), (128, 96))
        inner = np.s_[16:-16, 16:-16]
        assert np.abs(ab[number] - ideal)[inner].mean() < 0.25 * np.abs(ideal - ideal.mean(axis=(0, 1))).mean()


def test_a_noisy_net_flickers_less() -> None:
    random = np.random.default_rng(7)

    def noisy(given: np.ndarray) -> np.ndarray:
        return predict(given) + random.normal(0, 8, (1, 1, 2)).astype(np.float32)

    def flicker(steady: str) -> float:
        work = plan(range(0, 48), range(0, 48), steady, 8)
        means = np.array([ab.mean(axis=(0, 1)) for _, ab in steadied(work, seen(work.frames), noisy)])
        return float(np.abs(np.diff(means, axis=0)).mean())

    assert flicker("normal") < 0.25 * flicker("off")


def test_colours_do_not_depend_on_opencvs_threads() -> None:
    threads = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)
        one = colours(range(0, 20), range(0, 20))
        cv2.setNumThreads(3)
        three = colours(range(0, 20), range(0, 20))
    finally:
        cv2.setNumThreads(threads)
    assert all(np.array_equal(one[number], three[number]) for number in range(20))


def test_missing_frames_are_noticed() -> None:
    work = plan(range(0, 60), range(0, 10), "normal", 8)
    with pytest.raises(ValueError, match="end before key frames"):
        list(steadied(work, seen(range(0, 12)), predict))
    with pytest.raises(ValueError, match="key frame"):
        list(steadied(work, [Seen(0, FRAMES[0])], predict))


def test_small_luma_of_any_depth() -> None:
    assert small_luma(np.full((480, 640), 77, np.uint8), 8).tolist() == np.full((96, 128), 77).tolist()
    assert small_luma(np.full((48, 64), 77 * 4, np.uint16), 10).tolist() == np.full((96, 128), 77).tolist()

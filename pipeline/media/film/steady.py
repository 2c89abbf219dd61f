"""Steady colour inside a shot: the net sees key frames, and colour is carried between them along the motion.

Key frames are counted from the shot's first frame, whatever piece of it is worked on, and each is averaged with its
neighbours. So any cut into pieces gives the same colours, and nothing ever crosses a cut.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.colour.signal import averaged

Predict = Callable[[NDArray[np.float32]], NDArray[np.float32]]

# Width and height at which motion is found and colour carried: finer than any net's answer, and OpenCV's DIS flow
# fails for good in an object that once saw less than 96 pixels.
WORKING: Final = (128, 96)
# Averaging pales; more than this gain would show noise.
_MOST_GAIN: Final = 1.15
# A neighbour counts by how well its luma, carried along the motion, matches: in levels of 255.
_TOLERANCE: Final = 14.0
_LEAST_TRUST: Final = 1e-3
# Mean trust below which motion is looked for again, by a finder that takes three times as long: shaking cameras.
_WELL: Final = 0.85
_RADIUS: Final = {"off": 0, "normal": 1, "strong": 2}


@dataclass(frozen=True, slots=True)
class Plan:
    """Which frames of a shot have to be seen to colour some of them.

    Attributes:
        shot: the frames of the shot.
        wanted: those that are to be coloured; a part of the shot.
        distance: of the key frames.
        radius: neighbouring keys on each side that a key is averaged with.
    """

    shot: range
    wanted: range
    distance: int
    radius: int

    @property
    def last_key(self) -> int:
        """Number of the shot's last key; the first is 0."""
        return (len(self.shot) - 1) // self.distance

    @property
    def frames(self) -> range:
        """Frames that have to be decoded: those that are wanted, and what their keys reach for."""
        first = max(0, (self.wanted.start - self.shot.start) // self.distance - self.radius)
        last = min(self.last_key, -(-(self.wanted.stop - 1 - self.shot.start) // self.distance) + self.radius)
        start = self.shot.start + first * self.distance
        stop = max(self.wanted.stop, self.shot.start + last * self.distance + 1)
        return range(start, stop)

    def is_key(self, frame: int) -> bool:
        """Say whether the net has to see this frame."""
        return (frame - self.shot.start) % self.distance == 0

    def around(self, frame: int) -> tuple[int, int]:
        """Return the numbers of the keys before (or at) and after a frame; the same one twice where there is one."""
        before, rest = divmod(frame - self.shot.start, self.distance)
        return before, min(before + (rest > 0), self.last_key)

    def neighbours(self, key: int) -> range:
        """Return the numbers of the keys that a key is averaged with, itself among them."""
        return range(max(0, key - self.radius), min(self.last_key, key + self.radius) + 1)


def plan(shot: range, wanted: range, steady: str, keyframes: int) -> Plan:
    """Plan the colours of `wanted` frames of a `shot`: "off" shows the net each frame, and averages nothing."""
    return Plan(shot, wanted, 1 if steady == "off" else keyframes, _RADIUS[steady])


@dataclass(frozen=True, slots=True)
class Seen:
    """One decoded frame, as steadying needs it.

    Attributes:
        number: of the frame in the film.
        small: uint8 luma at the `WORKING` size.
        lightness: float32 (S, S) for the net; only of key frames.
    """

    number: int
    small: NDArray[np.uint8]
    lightness: NDArray[np.float32] | None = None


def small_luma(luma: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """Return a frame's luma at the `WORKING` size: uint8 (96, 128); luma is uint8 or uint16 (H, W) of `bits`."""
    small = averaged(luma, *WORKING)
    return small.astype(np.uint8) if bits == 8 else (small >> (bits - 8)).astype(np.uint8)


def steadied(work: Plan, frames: Iterable[Seen], predict: Predict) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Colour the wanted frames of a shot.

    Args:
        work: what is wanted.
        frames: those of `work.frames`, in order.
        predict: lightness float32 (S, S) to ab float32 (h, w, 2).

    Yields:
        Number of the frame, and its ab: float32 (96, 128, 2), Lab units. Runs behind `frames` by at most
        (radius + 1) x distance frames.
    """
    keys = _Keys(work)
    waiting: deque[Seen] = deque()
    for seen in frames:
        if work.is_key(seen.number):
            if seen.lightness is None:
                raise ValueError(f"frame {seen.number} is a key frame and comes without lightness")
            ab: Any = cv2.resize(predict(seen.lightness), WORKING, interpolation=cv2.INTER_LINEAR)
            keys.add(seen, ab)
        if seen.number in work.wanted:
            waiting.append(seen)
        while waiting and keys.reach(waiting[0].number):
            yield waiting[0].number, keys.colour(waiting.popleft())
    if waiting:
        raise ValueError(f"the frames end before key frames that frame {waiting[0].number} needs")


class _Keys:
    """The key frames in reach, as the net saw them and averaged."""

    def __init__(self, work: Plan) -> None:
        self._work = work
        self._latest = -1
        self._plain: dict[int, tuple[NDArray[np.uint8], NDArray[np.float32]]] = {}
        self._averaged: dict[int, NDArray[np.float32]] = {}

    def add(self, seen: Seen, ab: NDArray[np.float32]) -> None:
        self._latest = (seen.number - self._work.shot.start) // self._work.distance
        self._plain[self._latest] = seen.small, ab

    def reach(self, frame: int) -> bool:
        """Say whether all keys are here that a frame needs."""
        return self._work.neighbours(self._work.around(frame)[1])[-1] <= self._latest

    def colour(self, seen: Seen) -> NDArray[np.float32]:
        before, after = self._work.around(seen.number)
        self._forget(before)
        if before == after:
            at = self._work.shot.start + before * self._work.distance
            ab = self._average(before)
            return ab if seen.number == at else _carried(self._plain[before][0], ab, seen.small)[0]
        share = (seen.number - self._work.shot.start) / self._work.distance - before
        parts = [_carried(self._plain[key][0], self._average(key), seen.small) for key in (before, after)]
        return _mixed([(parts[0][0], parts[0][1] * (1 - share)), (parts[1][0], parts[1][1] * share)])

    def _average(self, key: int) -> NDArray[np.float32]:
        if key in self._averaged:
            return self._averaged[key]
        small, own = self._plain[key]
        parts = [(own, np.ones(own.shape[:2], np.float32))]
        near = [self._plain[other] for other in self._work.neighbours(key) if other != key]
        parts += [_carried(other_small, ab, small) for other_small, ab in near]
        mean = _mixed(parts)
        if near:
            wished = float(np.mean([_mean_chroma(ab) for _, ab in (*near, (small, own))]))
            mean = mean * np.float32(np.clip(wished / max(_mean_chroma(mean), 1e-3), 1.0, _MOST_GAIN))
        self._averaged[key] = mean
        return mean

    def _forget(self, before: int) -> None:
        for store, first in ((self._plain, before - self._work.radius), (self._averaged, before)):
            for key in [each for each in store if each < first]:
                del store[key]


def _mean_chroma(ab: NDArray[np.float32]) -> float:
    return float(np.hypot(ab[:, :, 0], ab[:, :, 1]).mean())


def _mixed(parts: list[tuple[NDArray[np.float32], NDArray[np.float32]]]) -> NDArray[np.float32]:
    """Return the mean of ab (h, w, 2), each weighted by its own (h, w)."""
    total = sum(weight for _, weight in parts)
    mixed: NDArray[np.float32] = sum(ab * weight[:, :, np.newaxis] for ab, weight in parts)  # type: ignore[assignment]
    return np.asarray(mixed / np.asarray(total)[:, :, np.newaxis], np.float32)


def _carried(
    key_small: NDArray[np.uint8], ab: NDArray[np.float32], small: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Carry a key's ab along the motion to another frame.

    Returns:
        ab (96, 128, 2) there, and how far it can be trusted (96, 128), above 0 to 1.
    """
    there, trust = _found(small, key_small, "ULTRAFAST")
    if float(trust.mean()) < _WELL:
        finer = _found(small, key_small, "MEDIUM")
        there, trust = max((there, trust), finer, key=lambda each: float(each[1].mean()))
    carried = cv2.remap(ab, there, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
    return carried, trust


def _found(
    of: NDArray[np.uint8], to: NDArray[np.uint8], preset: str
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return for each pixel of one frame where it lies in another (96, 128, 2), and how far that can be trusted."""
    there = _flow(of, to, preset) + _grid()
    luma = cv2.remap(to, there, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
    miss = cv2.blur(cv2.absdiff(luma, of), (5, 5)).astype(np.float32)
    return there, np.exp(-np.square(miss / np.float32(_TOLERANCE))) + np.float32(_LEAST_TRUST)


def _flow(of: NDArray[np.uint8], to: NDArray[np.uint8], preset: str) -> NDArray[np.float32]:
    """Return for each pixel of one frame how far away it lies in another: float32 (96, 128, 2), pixels."""
    threads = cv2.getNumThreads()
    # DIS cuts the picture into as many strips as there are threads, and gives other motion for each number.
    if threads != 1:
        cv2.setNumThreads(1)
    try:
        flow: NDArray[np.float32] = _dis(preset).calc(of, to, None)
    finally:
        if threads != 1:
            cv2.setNumThreads(threads)
    return flow


@functools.cache
def _dis(preset: str) -> Any:
    finder = cv2.DISOpticalFlow_create(getattr(cv2, f"DISOPTICAL_FLOW_PRESET_{preset}"))  # type: ignore[attr-defined]
    finder.setFinestScale(1)
    return finder


_points: NDArray[np.float32] | None = None


def _grid() -> NDArray[np.float32]:
    global _points
    if _points is None:
        across, down = np.meshgrid(np.arange(WORKING[0]), np.arange(WORKING[1]))
        _points = np.stack((across, down), axis=2).astype(np.float32)
    return _points


def onward(
    before: NDArray[np.uint8], ab: NDArray[np.float32], small: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Carry colour to a later frame, for those who can't look ahead.

    Args:
        before, small: luma of the frame that `ab` belongs to and of the later one, at the `WORKING` size.
        ab: float32 (96, 128, 2).

    Returns:
        ab there, and how far it can be trusted: float32 (96, 128), above 0 to 1.
    """
    return _carried(before, ab, small)

"""How far training is: by a budget of samples, or by a deadline that survives pauses; and the learning rate from it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

LONGEST_STEP = 10.0


@dataclass
class Progress:
    """From 0 to 1, over `samples` pictures, or until `deadline` (seconds since the epoch), whichever ends first.

    Towards a deadline every step takes its share of what is left: a machine that slows down, or a process that was
    stopped for a while, only makes the later steps larger, and the learning rate still falls to its end.
    """

    samples: int | None
    deadline: float | None
    done: float = 0.0
    clock: Callable[[], float] = time.time
    _before: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._before = self.clock()

    def advance(self, pictures: int) -> float:
        """Count one step of so many pictures; returns the progress."""
        now = self.clock()
        step = 0.0
        if self.samples is not None:
            step = pictures / self.samples
        if self.deadline is not None:
            took = min(now - self._before, LONGEST_STEP)
            left = self.deadline - now
            step = max(step, (1 - self.done) * took / (left + took) if left > 0 else 1.0)
        self._before = now
        self.done = self.done + step if self.done + step < 1 - 1e-9 else 1.0
        return self.done


def learning_rate(progress: float, steps: int, warm_up: int = 200, floor: float = 0.02) -> float:
    """Factor on the learning rate: linear warm-up over steps since start or resume, then a cosine to the floor."""
    return min(1.0, (steps + 1) / warm_up) * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress)))

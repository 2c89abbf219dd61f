"""Films whose clock starts again in the middle: recordings and the titles of a DVD, laid one behind the other.

The picture's times go on where they were; what is copied beside it follows by the same steps, so that sound stays with
its picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

# Seconds that packets of one stream may go back without a new beginning.
_DISORDER: Final = Fraction(1, 2)


class Clock:
    """The picture's times, made to ascend.

    Attributes:
        mended: times that were missing, or out of order by themselves.
        restarts: what is added to all times from each new beginning on, in the stream's unit.
    """

    def __init__(self) -> None:
        self.mended = 0
        self.restarts: list[int] = []
        self._perhaps: int | None = None

    def time(self, said: int | None, last: int | None, step: int) -> int:
        """Return when the next frame is shown.

        Args:
            said: by the film; None: nothing.
            last: the time of the frame before; None: there is none.
            step: how long that one is shown.
        """
        if last is None:
            self.mended += said is None
            return said or 0
        if said is None:
            self.mended += 1
            return last + step
        usual = said + (self.restarts[-1] if self.restarts else 0)
        if usual > last:
            self._perhaps = None
            return usual
        if self._perhaps is not None and said + self._perhaps > last:  # two in a row that belong together
            self.restarts.append(self._perhaps)
            self.mended -= 1
            self._perhaps = None
            return said + self.restarts[-1]
        self._perhaps = last + step - said
        self.mended += 1
        return last + step


class Followers:
    """The times of streams that are copied: each starts again where it goes back, as the picture did."""

    def __init__(self, restarts: Sequence[int], unit: Fraction) -> None:
        """Take what `Clock` found, and the unit of the picture's times in seconds."""
        self._steps = [Fraction(0), *(each * unit for each in restarts)]
        self._state: dict[int, tuple[int, Fraction]] = {}

    def step(self, stream: int, at: Fraction) -> Fraction:
        """Return the seconds to add to the time `at` (in seconds) of a stream's next packet."""
        place, last = self._state.get(stream, (0, at))
        if at + self._steps[place] < last - _DISORDER:
            behind = range(place + 1, len(self._steps))
            place = next((each for each in behind if at + self._steps[each] >= last - _DISORDER), place)
        self._state[stream] = place, at + self._steps[place]
        return self._steps[place]

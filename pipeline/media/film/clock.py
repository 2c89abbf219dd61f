"""Films whose clock starts again in the middle: recordings and the titles of a DVD, laid one behind the other.

The picture's times go on where they were; what is copied beside it follows by the same steps, so that sound stays with
its picture.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from fractions import Fraction
from typing import Final

# Seconds that packets of one stream may go back without a new beginning.
_DISORDER: Final = Fraction(1, 2)
# One frame of so many out of order: that is no damage.
_OFTEN: Final = 8
# Frames a second that no film is meant to have: its numbers are no times.
_FASTEST: Final = 10_000


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


class Times:
    """The times of a picture's frames: by when they are shown, as a film says it, or by when they are decoded.

    AVI knows only the latter; what FFmpeg makes of it for frames that are stored out of order goes back and forth.
    """

    def __init__(self, step: int) -> None:
        """Take how long a frame is usually shown."""
        self.duration = 0  # of the latest frame, as far as it was said
        self._step = step
        self._clocks = Clock(), Clock()
        self._times = array("q"), array("q")

    def take(self, shown: int | None, decoded: int | None, duration: int) -> None:
        """Take the next frame."""
        lasted = self.duration or self._step
        said = shown if shown is not None else decoded, decoded
        for clock, times, each in zip(self._clocks, self._times, said, strict=True):
            times.append(clock.time(each, times[-1] if times else None, lasted))
        self.duration = duration or self.duration

    def settled(self, unit: Fraction) -> tuple[array[int], Clock, bool]:
        """Return the times, the clock that they are by, and whether that is when frames are decoded.

        Args:
            unit: of the times, in seconds.
        """
        count = len(self._times[0])
        if count > 1 and (self._times[0][-1] - self._times[0][0]) * unit < Fraction(count - 1, _FASTEST):
            clock = Clock()
            clock.mended = count
            return array("q", range(0, count * self._step, self._step)), clock, False
        faults = [clock.mended + len(clock.restarts) for clock in self._clocks]
        by_dts = faults[0] > count / _OFTEN and faults[1] < faults[0] / 2
        return self._times[by_dts], self._clocks[by_dts], by_dts


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

"""How long a unit may take: so long that only what hangs is ever ended by it."""

from __future__ import annotations

import time
from typing import Final

from pipeline.ground.errors import Cause
from pipeline.ground.items import Kind, Result, Status, Unit
from pipeline.ground.settings import Settings
from pipeline.run.signals import Stop

# `--item-timeout auto`: seconds for any unit, bytes of the source that get a second more, seconds for a film's frame.
ANY: Final = 300.0
BYTES_A_SECOND: Final = 100_000
A_FRAME: Final = 10.0

# Until the workers of a pool have come up and loaded their net, in seconds more.
START: Final = 60.0

# From the first signal to the end of the workers, in seconds: cron sends no second one, and systemd waits for 90.
GRACE: Final = 60.0

# A driver that was stopped or put to sleep has seen no time pass: its workers may have been, too.
_LONGEST_STEP: Final = 1.0


def limit(unit: Unit, settings: Settings) -> float:
    """Return the seconds that a unit may take: a picture, or a piece of a longer item."""
    if settings.item_timeout != "auto":
        return float(settings.item_timeout)
    frames = unit.span.stop - unit.span.start if unit.span and unit.kind is Kind.FILM else 0
    return ANY + unit.size / BYTES_A_SECOND + frames * A_FRAME


def too_long(unit: Unit, settings: Settings) -> Result:
    """Return the result of a unit that was ended."""
    reason = f"took longer than {limit(unit, settings):.0f} s and was ended; raise item_timeout to give it more"
    return Result(unit.key, Status.FAILED, Cause.TIME, reason)


class Awake:
    """Counts the seconds in which this process was awake."""

    def __init__(self) -> None:
        self._seconds, self._last = 0.0, time.monotonic()

    def now(self) -> float:
        """Return the seconds since it was made; to be asked several times a second."""
        moment = time.monotonic()
        self._seconds += min(moment - self._last, _LONGEST_STEP)
        self._last = moment
        return self._seconds


class Patience:
    """Tells when what is in flight is not waited for any more, because a stop was asked for."""

    def __init__(self, clock: Awake) -> None:
        self._clock = clock
        self._asked: float | None = None

    def is_over(self, stop: Stop) -> bool:
        """Tell whether the first signal is longer ago than `GRACE`; to be asked from it on."""
        if stop.requested and self._asked is None:
            self._asked = self._clock.now()
        return self._asked is not None and self._clock.now() - self._asked > GRACE

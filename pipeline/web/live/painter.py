"""Colour for one frame after another, steady within a shot as far as one can be that knows no future."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.colour import recipe
from pipeline.ground.pixels import grey_of
from pipeline.ground.settings import Settings
from pipeline.media.film.shots import Look as Glance
from pipeline.media.film.shots import difference
from pipeline.media.film.steady import WORKING, onward, small_luma
from pipeline.nets.net import Net
from pipeline.web.live.frame import Pixels

AB = NDArray[np.float32]

# Share of the net's newest answer in the mean that is carried along.
_SHARES: Final = {"off": 1.0, "normal": 0.5, "strong": 0.25}
# Where motion is followed worse than this, in the mean over the picture, the net is asked.
_TRUST: Final = 0.5
# A cut: more unlike the frame before than this, and than what moved here lately. Without a future a flash is one, too.
_LEAST: Final = 0.55
_TIMES_LATELY: Final = 2.2
_LATELY: Final = 12


@dataclass(frozen=True, slots=True)
class _Question:
    """A key frame that the net was asked about.

    Attributes:
        small: its luma, at the `WORKING` size.
        carried, trust: what the colours of the key before it became there, and how far they can be trusted.
        answer: of the net.
    """

    small: Pixels
    carried: AB
    trust: NDArray[np.float32]
    answer: Future[AB]


class Painter:
    """Colours the frames of one source, in order.

    The net sees key frames: the first of a shot, each so many frames after it, and where motion can't be followed. Its
    answers are averaged along the motion, older ones counting less and less; in between, colour is carried on, and so
    it is while the net, in a thread of its own, thinks about the next key.
    """

    def __init__(
        self, net: Net, look: recipe.Look, steady: str = "normal", keyframes: int = 8, *, patient: bool = False
    ) -> None:
        """Take what is used of the settings; one that is patient waits for each answer of the net."""
        self._net = net
        self._look = look
        self._share = np.float32(_SHARES[steady])
        self._distance = 1 if steady == "off" else keyframes
        self._patient = patient
        self._cuts = Cuts()
        self._asking = ThreadPoolExecutor(1, "net")
        self._question: _Question | None = None
        self._key: tuple[Pixels, AB] | None = None
        self._since = 0

    @classmethod
    def warm(cls, net: Net, settings: Settings, *, patient: bool = False) -> Painter:
        """Make one by a run's settings, once something that nobody sees was coloured.

        Tables are made and libraries loaded now, not while the first frame waits for them.
        """
        look = recipe.Look(settings.saturation, settings.lightness)
        ramp = np.tile(np.linspace(0, 255, 320).astype(np.uint8), (240, 1))
        first = cls(net, look, patient=True)
        for number in range(2):
            first.paint(cv2.cvtColor(np.roll(ramp, number, axis=1), cv2.COLOR_GRAY2BGR))  # type: ignore[arg-type]
        return cls(net, look, settings.steady, settings.keyframes, patient=patient)

    def paint(self, picture: Pixels) -> tuple[Pixels, Pixels]:
        """Return a BGR frame's luma, uint8 (H, W), and its colours, uint8 BGR (H, W, 3)."""
        grey = grey_of(picture)
        ab = self._steadied(grey) if self._share < 1 else self._ask(grey).result()
        return grey, recipe.coloured(grey, ab, self._look)

    def _steadied(self, grey: Pixels) -> AB:
        small = small_luma(grey, 8)
        if self._cuts.add(grey) or self._key is None:
            return self._begin(grey, small)
        self._listen(wait=False)
        carried, trust = onward(*self._key, small)
        followed = trust.mean() > _TRUST
        self._since += 1
        if followed and (self._question or self._since < self._distance):
            return carried
        self._question = _Question(small, carried, trust, self._ask(grey))
        self._since = 0
        if followed and not self._patient:
            return carried
        self._listen(wait=True)
        return self._key[1]

    def _ask(self, grey: Pixels) -> Future[AB]:
        return self._asking.submit(recipe.predict, grey, self._net)

    def _begin(self, grey: Pixels, small: Pixels) -> AB:
        """Begin a shot: what was asked about the last one is of no use any more."""
        self._question, self._since = None, 0
        self._key = small, _resized(self._ask(grey).result())
        return self._key[1]

    def _listen(self, *, wait: bool) -> None:
        """Mix in the net's answer, if there is one or is to be waited for."""
        asked = self._question
        if asked is None or not (wait or asked.answer.done()):
            return
        # Where the motion does not fit, the old is worth nothing.
        old = (asked.trust * (1 - self._share))[:, :, np.newaxis]
        mean: AB = (asked.carried * old + _resized(asked.answer.result()) * self._share) / (old + self._share)
        self._key, self._question = (asked.small, mean), None


def _resized(answer: AB) -> AB:
    return cv2.resize(answer, WORKING, interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]


class Cuts:
    """Says of each frame, as it comes, whether another shot begins with it."""

    def __init__(self) -> None:
        self._last: Glance | None = None
        self._lately: deque[float] = deque(maxlen=_LATELY)

    def add(self, grey: Pixels) -> bool:
        """Take the next frame, uint8 (H, W); return whether another shot begins with it."""
        glance = Glance(grey, 8)
        unlike = difference(self._last, glance) if self._last else 0.0
        cut = unlike > max(_LEAST, _TIMES_LATELY * float(np.median(self._lately)) if self._lately else 0.0)
        self._last = glance
        self._lately.append(unlike)
        return cut

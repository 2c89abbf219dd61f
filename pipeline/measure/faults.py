"""What embarrasses in made-up colour: strong colour that is wrong, red and purple patches, mottled planes.

Lab arrays are float32, L 0..100, a and b in Lab units; all is measured at `figures.COMMON_SIDE`, whatever came in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.colour.calm import large_planes
from pipeline.measure.figures import FLAT, Floats, at_common_size, gradient

# Chroma from which a colour catches the eye: skin has 15 to 25.
STRONG: Final = 25.0
# As far as orange is from green at that chroma: another colour, not another shade.
WRONG: Final = 30.0
# Hues in degrees, purple through burgundy to scarlet; skin begins at 45.
REDS: Final = (-60.0, 38.0)
# A plane is a connected smooth surface that fills at least this share of a picture.
PLANE: Final = 0.02


@dataclass(frozen=True, slots=True)
class Faults:
    """Of one picture, all as shares of its area, 0..1, but the last.

    Attributes:
        strong: strongly coloured.
        wrong: strongly coloured and more than `WRONG` from the truth; 0 where there is no truth.
        red: strongly coloured in red or purple.
        planes: of which planes are made.
        spread: in Lab units: how far ab lies from the mean of its plane (root mean square), times `planes`.
    """

    strong: float
    wrong: float
    red: float
    planes: float
    spread: float


def faults(lightness: Floats, guess: Floats, truth: Floats | None = None) -> Faults:
    """Measure one picture.

    Args:
        lightness: (S, S), 0..100.
        guess, truth: ab (S, S, 2), Lab units; where there is no truth, nothing counts as wrong.
    """
    ab = at_common_size(guess)
    strong = np.hypot(ab[..., 0], ab[..., 1]) > STRONG
    planes = planes_of(lightness)
    return Faults(
        strong=float(strong.mean()),
        wrong=0.0 if truth is None else float((strong & _far(ab, at_common_size(truth))).mean()),
        red=float((strong & _is_red(ab)).mean()),
        planes=float((planes > 0).mean()),
        spread=spread_on(planes, ab),
    )


def _far(guess: Floats, truth: Floats) -> NDArray[np.bool_]:
    far: NDArray[np.bool_] = np.hypot(*np.moveaxis(guess - truth, 2, 0)) > WRONG
    return far


def _is_red(ab: Floats) -> NDArray[np.bool_]:
    hue = np.degrees(np.arctan2(ab[..., 1], ab[..., 0]))
    return (hue >= REDS[0]) & (hue <= REDS[1])


def planes_of(lightness: Floats) -> NDArray[np.int32]:
    """Return the number of the plane that each pixel belongs to, 0 for none: int32 (64, 64).

    Args:
        lightness: (S, S), S at least 64; averaging it down has taken the grain out.
    """
    smooth = (gradient(at_common_size(lightness)[:, :, np.newaxis]) < FLAT).astype(np.uint8)
    return large_planes(smooth, PLANE)


def spread_on(planes: NDArray[np.int32], ab: Floats) -> float:
    """Return the sum over planes of their share of the picture times the spread of ab within, in Lab units.

    Args:
        planes: from `planes_of`.
        ab: (64, 64, 2).
    """
    within = [ab[planes == number] for number in np.unique(planes) if number]
    return float(sum(len(each) * np.sqrt(each.var(axis=0).sum()) for each in within) / planes.size)

"""Is a picture already in colour? Black-and-white photographs are toned, yellowed, mounted, badly registered."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.colour.features import Floats, Small, measured, small
from pipeline.colour.one_tone import is_one_tone
from pipeline.colour.rectangle import rectangles

# Chroma in Lab units below which a scan's own noise lies.
_NEUTRAL_MEAN: Final = 1.5
_NEUTRAL_95: Final = 3.0
# A plain card of strong colour is no tone: nothing can be told from one lightness.
_FLAT: Final = 0.02
_TONE_MOST: Final = 60.0
_SURE: Final = -4.0  # logit of a rectangle within
_FARTHEST: Final = 4.0  # standard deviations from the mean at which the fit ended, too


@dataclass(frozen=True, slots=True)
class Verdict:
    """What colour a picture holds.

    Attributes:
        kind: "neutral" (grey), "toned" (one tone whose chroma follows lightness, maybe in a coloured mount) or "color".
        chroma: mean chroma, Lab units, 0 for grey.
        doubtful: it was a close thing between black-and-white and colour.
    """

    kind: Literal["neutral", "toned", "color"]
    chroma: float
    doubtful: bool = False


def judge(picture: NDArray[Any], alpha: NDArray[Any] | None = None) -> Verdict:
    """Say whether a picture is grey, toned or in colour, from a copy of at most 128 pixels.

    Next to no chroma is neutral. Of the rest `features` measures what one tone leaves unexplained, and a net of one
    hidden layer weighs that, unless the strict rule of `one_tone` holds or a `rectangle` within is clearly toned. The
    net's table comes from `models/training/verdict.py`; docs/verdict.md has its curve.

    Args:
        picture: BGR (H, W, 3) or grey (H, W), sRGB; uint8, uint16, or float 0..1.
        alpha: of the same dtype, (H, W); what is transparent is not looked at. None: all is opaque.
    """
    if picture.ndim == 2:
        return Verdict("neutral", 0.0)
    of = small(picture, alpha)
    chroma = np.hypot(*of.ab[of.seen].T)
    mean = float(chroma.mean())
    if mean < _NEUTRAL_MEAN and np.percentile(chroma, 95) < _NEUTRAL_95:
        return Verdict("neutral", mean)
    if mean > _TONE_MOST and of.lightness[of.seen].std() < _FLAT:
        return Verdict("color", mean, doubtful=True)
    above = score(of)
    if above >= 0 and (is_one_tone(picture) or _is_within(picture)):
        return Verdict("toned", mean, doubtful=True)
    return Verdict("color" if above >= 0 else "toned", mean, doubtful=abs(above) < _table().doubt)


def _is_within(picture: NDArray[Any]) -> bool:
    """Say whether a rectangle that fills most of a picture is clearly black-and-white: a print on a coloured table."""
    return any(score(small(inside)) < _SURE for inside in rectangles(picture))


@dataclass(frozen=True, slots=True)
class _Table:
    """The net: standardized features (F,) to a hidden layer (H,) of tanh to a logit, and how it is read."""

    mean: Floats
    scale: Floats
    hidden: Floats
    bias: Floats
    output: Floats
    threshold: float
    doubt: float


@functools.cache
def _table() -> _Table:
    values = json.loads(Path(__file__).with_name("verdict.json").read_text(encoding="utf-8"))
    arrays = {name: np.array(value, np.float32) for name, value in values.items() if isinstance(value, list)}
    return _Table(**(values | arrays))


def score(of: Small) -> float:
    """Return how far a picture lies above the threshold to colour: a logit."""
    table = _table()
    inputs = np.clip((measured(of) - table.mean) / table.scale, -_FARTHEST, _FARTHEST)
    return float(np.tanh(inputs @ table.hidden + table.bias) @ table.output) - table.threshold

"""From lightness to a net's inputs, and from its output to ab; every kind of net by the data of its `NetSpec`."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.ground.errors import ModelError
from pipeline.nets.spec import NetSpec, Port

# |a| and |b| of sRGB end at 108, of all light that can be seen at about 180.
_FARTHEST = 200.0


class Guess(NamedTuple):
    """What a net answers.

    Attributes:
        ab: float32 (h, w, 2), CIE a*, b* in Lab units, at the net's own output size.
        spread: float32 (h, w), how far from `ab` the colours lie that it holds possible there, root mean square, in
            Lab units; None where the net does not tell.
    """

    ab: NDArray[np.float32]
    spread: NDArray[np.float32] | None


class Points(NamedTuple):
    """Colours that are known, as nets that take points are told of them.

    Attributes:
        ab: float32 (S, S, 2), Lab units, 0 where none is known.
        mask: float32 (S, S), 1 where one is, else 0.
    """

    ab: NDArray[np.float32]
    mask: NDArray[np.float32]


def encode(lightness: NDArray[np.float32], spec: NetSpec, points: Points | None = None) -> dict[str, NDArray[Any]]:
    """Turn lightness into the arrays that the net is fed.

    Args:
        lightness: float32 (S, S), CIE L* 0..100, S = `spec.input_size`.
        spec: how the net is fed.
        points: colours that are known, for a net of which `spec.takes_points`; None: none.

    Returns:
        Input name -> array with a batch of one, float32 (float16 where the net declares it). Inputs beyond the first
        (colour hints) are zero without points. ab is fed in the unit in which the net answers.

    Raises:
        ValueError: `lightness` has another size or dtype.
    """
    size = spec.input_size
    if lightness.shape != (size, size) or lightness.dtype != np.float32:
        raise ValueError(
            f"lightness is {lightness.dtype} {lightness.shape}; {spec.name} takes float32 ({size}, {size})"
        )
    feed = spec.feed
    if feed.channels == 1:
        picture: NDArray[Any] = lightness[:, :, np.newaxis]
    else:
        lab = np.zeros((size, size, 3), np.float32)
        lab[:, :, 0] = lightness
        picture = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB).clip(0, 1)
    if feed.scale != 1:
        picture = picture * np.float32(feed.scale)
    if feed.offset:
        picture = picture + np.float32(feed.offset)
    if feed.mean:
        picture = picture - np.asarray(feed.mean, np.float32)
    if feed.std:
        picture = picture / np.asarray(feed.std, np.float32)
    if feed.layout == "nchw":
        picture = picture.transpose(2, 0, 1)
    main, *others = spec.inputs
    arrays = {main.name: np.ascontiguousarray(picture[np.newaxis], _element(main))}
    for port in others:
        arrays[port.name] = np.zeros(input_shape(port, size), _element(port))
        if points is not None and spec.takes_points:
            answer, two = spec.answer, port.shape[1] == 2
            ab = (points.ab - np.float32(answer.offset)) * points.mask[:, :, np.newaxis] / np.float32(answer.scale)
            told = ab.transpose(2, 0, 1) if two else points.mask[np.newaxis]
            arrays[port.name] = np.ascontiguousarray(told[np.newaxis], _element(port))
    return arrays


def decode(raw: NDArray[Any], spec: NetSpec) -> Guess:
    """Turn the net's output into ab, and its spread where it has one.

    Args:
        raw: (1, C, h, w) or (1, h, w, C) as `spec.feed.layout` says, any float type.
        spec: what the output means.

    Raises:
        ModelError: the output is not of the declared kind, not finite, or beyond any colour.
    """
    answer = spec.answer
    values: NDArray[Any] = np.asarray(raw, np.float32)
    if values.ndim == 4 and values.shape[0] == 1 and spec.feed.layout == "nchw":
        values = values.transpose(0, 2, 3, 1)
    if values.ndim != 4 or values.shape[0] != 1 or values.shape[3] != answer.channels:
        raise ModelError(
            f'The model {spec.name} gave an array of shape {raw.shape}; {answer.channels} channels ("{answer.kind}") '
            "were expected."
        )
    values = values[0]
    if answer.scale != 1:
        values = values * np.float32(answer.scale)
    if answer.offset:
        values = values + np.float32(answer.offset)
    if not np.isfinite(values).all():
        raise ModelError(f"The model {spec.name} gave values that are no numbers.")
    farthest = np.abs(values).max(initial=0)
    if answer.kind == "ab" and farthest > _FARTHEST:
        raise ModelError(
            f"The model {spec.name} gave a colour of {farthest:.4g}, far beyond any that can be seen: it is "
            "damaged, or fed in another way than it says."
        )
    if answer.kind == "rgb":
        # OpenCV's conversion from sRGB interpolates in a coarse table, whose steps of 0.1 would look like differences
        # between engines; from linear RGB it computes.
        values = values.clip(0, 1)
        linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)  # IEC 61966-2-1
        values = cv2.cvtColor(linear.astype(np.float32), cv2.COLOR_LRGB2LAB)[:, :, 1:]
    # Never a view of memory that the engine will use again.
    ab = np.array(values[:, :, :2], np.float32, order="C")
    return Guess(ab, np.array(values[:, :, 2], np.float32).clip(min=0) if answer.spread else None)


def _element(port: Port) -> type[np.floating[Any]]:
    return np.float16 if port.element == "float16" else np.float32


def input_shape(port: Port, size: int) -> tuple[int, ...]:
    """Return the shape of an input with what is left open filled in: a batch of one, sides of `size`."""
    return tuple(side if side is not None else (1 if axis == 0 else size) for axis, side in enumerate(port.shape))

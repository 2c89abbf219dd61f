"""One frame as it goes to the encoder: the source's own luma, with the chroma that was made for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from pipeline.colour import recipe
from pipeline.colour.recipe import Look
from pipeline.colour.signal import Signal, fitted
from pipeline.ground.hints import NO_HINTS, Hints
from pipeline.media.film.index import Geometry
from pipeline.media.film.planes import FULL, LIMITED, Layout, brought, layout_of, luma_of, plane, signal_of
from pipeline.media.film.shape import on_its_side
from pipeline.media.film.steady import Predict


@dataclass(frozen=True, slots=True)
class Canvas:
    """What is the same for all frames of a film.

    Attributes:
        geometry: of the source.
        layout: how the source's samples lie.
        fed: FFmpeg's name of the format that the encoder takes.
        signal: what its samples mean.
        look: how colour is put to it.
    """

    geometry: Geometry
    layout: Layout
    fed: str
    signal: Signal
    look: Look

    @property
    def source_signal(self) -> Signal:
        """What the source's luma means."""
        return Signal(self.layout.bits, self.geometry.frame_range == FULL, self.signal.matrix)


def canvas(geometry: Geometry, fed: str, fed_range: int, saturation: float, hints: Hints = NO_HINTS) -> Canvas:
    """Prepare for a film whose encoder is fed the planar format `fed` in the range `fed_range`."""
    signal = signal_of(fed, fed_range, geometry.matrix)
    return Canvas(geometry, layout_of(geometry.pix_fmt), fed, signal, Look(saturation, hints=hints))


def upright(predict: Predict, rotation: int) -> Predict:
    """Let the net see the picture as players show it, and turn its answer back.

    Args:
        predict: of the net.
        rotation: degrees counter-clockwise that a player turns the picture by; anything but quarter turns is left.
    """
    turns = round(rotation / 90) % 4
    if turns == 0 or rotation % 90:
        return predict
    return lambda lightness: np.ascontiguousarray(
        np.rot90(predict(np.ascontiguousarray(np.rot90(lightness, turns))), -turns)
    )


def lightness_of(frame: VideoFrame, size: int, painted: Canvas) -> NDArray[np.float32]:
    """Return what the net sees of a frame: float32 (size, size), lightness 0..100."""
    return recipe.frame_lightness(luma_of(frame, painted.layout), painted.source_signal, size)


def coloured(frame: VideoFrame, ab: NDArray[np.float32], painted: Canvas) -> VideoFrame:
    """Return a frame with new chroma, in the format that is encoded.

    Luma is the source's own, sample for sample, unless the encoder takes fewer bits. Field flags, captions and what
    else the decoder attached to the frame stay.

    Args:
        frame: as decoded; not changed.
        ab: float32 (h, w, 2), Lab units.
        painted: of the film.
    """
    result = _carrier(frame, painted)
    luma = fitted(luma_of(frame, painted.layout), painted.source_signal, painted.signal)
    turns = round(painted.geometry.rotation / 90) % 4
    u, v = recipe.frame_planes(luma, ab, painted.signal, painted.look, turns)
    _fill(result, (luma, u, v), painted.signal.bits)
    return _tagged(result, painted)


def kept(frame: VideoFrame, painted: Canvas) -> VideoFrame:
    """Return a frame of a shot that is in colour already, in the format that is encoded."""
    result = _carrier(frame, painted)
    luma = fitted(luma_of(frame, painted.layout), painted.source_signal, painted.signal)
    _fill(result, (luma,), painted.signal.bits)
    return _tagged(result, painted)


def beside(frame: VideoFrame, painted: Canvas) -> VideoFrame:
    """Return a coloured frame with its grey self beside it: on the left, as players show it."""
    geometry, bits = painted.geometry, painted.signal.bits
    turns = round(geometry.rotation / 90) % 4
    axis = 0 if on_its_side(geometry) else 1
    sides = geometry.width * (1 + axis), geometry.height * (2 - axis)
    both = VideoFrame(*sides, painted.fed)
    for number in range(3):
        own = plane(frame, number, bits)
        grey = own if number == 0 else np.full_like(own, 1 << (bits - 1))
        plane(both, number, bits)[:] = np.concatenate((grey, own) if turns < 2 else (own, grey), axis)
    return _tagged(both, painted)


def _carrier(frame: VideoFrame, painted: Canvas) -> VideoFrame:
    before, after = painted.geometry.frame_range, FULL if painted.signal.full else LIMITED
    result = brought(frame, painted.layout)
    if result.format.name != painted.fed or before != after:
        result = result.reformat(format=painted.fed, src_color_range=before, dst_color_range=after, threads=1)
    # The decoder still looks at its pictures: without a copy, later frames would be made from what is painted here.
    result.make_writable()
    return result


def _fill(frame: VideoFrame, planes: tuple[NDArray[Any], ...], bits: int) -> None:
    for number, samples in enumerate(planes):
        plane(frame, number, bits)[:] = samples


def _tagged(frame: VideoFrame, painted: Canvas) -> VideoFrame:
    geometry = painted.geometry
    frame.color_range = FULL if painted.signal.full else LIMITED
    frame.colorspace = geometry.matrix
    frame.color_primaries = geometry.primaries
    frame.color_trc = geometry.transfer
    frame.pict_type = 0  # the encoder chooses; else it would repeat the source's key frames
    return frame

"""The one place where colour is made: lightness, net, composition, in the forms that formats ask for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.colour import signal as of_film
from pipeline.colour.compose import compose
from pipeline.colour.exact import exact_bands, exact_rgb
from pipeline.colour.hints import hinted, hinted_evenly
from pipeline.colour.lightness import net_lightness
from pipeline.colour.luma import chroma_planes, halved
from pipeline.colour.signal import Signal
from pipeline.colour.tones import Tones
from pipeline.ground.hints import NO_HINTS, Hints
from pipeline.ground.pixels import Sample, eight_bits, grey_of
from pipeline.nets.net import Net

Plane = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Look:
    """How colour is put to a picture.

    Attributes:
        saturation: factor on the predicted chroma, 0 or more.
        lightness: what is kept: "luma", exactly, or "lab", as the tutorial does it.
        hints: what a person says of the picture's colours.
        tones: of a picture whose tone curve is another than sRGB's; "lab" knows none.
    """

    saturation: float = 1.0
    lightness: str = "luma"
    hints: Hints = NO_HINTS
    tones: Tones | None = None

    @property
    def left(self) -> float:
        """The factor on what `predict` returned: a colour that a person named is not to be changed any more."""
        return 1.0 if self.hints.colours else self.saturation


def predict(pixels: NDArray[Sample], net: Net, look: Look | None = None) -> NDArray[np.float32]:
    """Return the net's answer to an upright picture.

    Args:
        pixels: uint8 or uint16, BGR (H, W, 3) or grey (H, W), sRGB.
        net: what predicts ab.
        look: whose hints are put to the answer, and whose tones the net is shown; None: there are none.

    Returns:
        float32 (h, w, 2), a and b in Lab units, at the net's own size, or with hints at a larger one.

    Raises:
        EngineError: the engine stopped working.
        ModelError: the net's answer is no colour.
    """
    seen = as_shown(pixels, None if look is None else look.tones)
    ab = net.predict(net_lightness(seen, net.spec.input_size))
    return ab if look is None else with_hints(ab, seen, look)


def as_shown(pixels: NDArray[Sample], tones: Tones | None) -> NDArray[np.uint8]:
    """Return a picture, as `predict` takes it, in the tones in which it is looked at, sRGB."""
    return eight_bits(pixels) if tones is None else tones.seen(pixels)


def with_hints(ab: NDArray[np.float32], seen: NDArray[np.uint8], look: Look) -> NDArray[np.float32]:
    """Put what a person says of a picture, uint8 (H, W, 3) or (H, W), to a net's answer; the rest as `predict`."""
    if not look.hints.colours:
        return ab
    return hinted(ab * np.float32(look.saturation), grey_of(seen), look.hints)


def colorize(pixels: NDArray[Sample], net: Net, look: Look) -> NDArray[Sample]:
    """Colorize one frame: its own luma or lightness, the net's chroma.

    Args:
        pixels: uint8 or uint16, BGR (H, W, 3) or grey (H, W), sRGB, upright.
        net: what predicts ab.
        look: how it is put to use; "lab" knows only 8 bits, and gives 8 of 16.

    Returns:
        BGR (H, W, 3), of the same dtype; with "luma" its luma is the picture's, each pixel of it.

    Raises:
        EngineError, ModelError: as `predict`.
    """
    return coloured(pixels, predict(pixels, net, look), look)


def coloured(pixels: NDArray[Sample], ab: NDArray[np.float32], look: Look) -> NDArray[Sample]:
    """Put an answer of the net, float32 (h, w, 2) in Lab units, to a frame; the rest as `colorize`."""
    if look.lightness == "lab":
        return compose(eight_bits(pixels), ab, saturation=look.left)  # type: ignore[return-value]
    return exact_rgb(grey_of(pixels), ab, saturation=look.left, tones=look.tones)


def bands(pixels: NDArray[Sample], ab: NDArray[np.float32], look: Look, rows: int) -> Iterator[NDArray[Sample]]:
    """Give the picture of `coloured` from top to bottom, in bands of so many rows; `look.lightness` is "luma"."""
    return exact_bands(grey_of(pixels), ab, rows, saturation=look.left, tones=look.tones)


def planes(
    grey: Plane, ab: NDArray[np.float32], look: Look, *, half: bool, whole: tuple[int, int] | None = None
) -> tuple[Plane, Plane]:
    """Return the chroma that goes beside a luma which is kept elsewhere.

    Args:
        grey: uint8 (H, W), sRGB.
        ab: float32 (h, w, 2), Lab units, turned as `grey` is.
        look: how it is put to use.
        half: at half the size of `grey`, rounded up (4:2:0), or at the same (4:4:4).
        whole: height and width of the picture, where `grey` is at half its size already.

    Returns:
        cb, cr: uint8, JFIF's full range, 128 is grey.
    """
    if whole is not None:
        return chroma_planes(grey, ab, size=whole, saturation=look.left, tones=look.tones)
    if not half:
        return chroma_planes(grey, ab, saturation=look.left, tones=look.tones)
    size = grey.shape[0], grey.shape[1]
    return chroma_planes(halved(grey), ab, size=size, saturation=look.left, tones=look.tones)


def frame_lightness(luma: NDArray[Any], signal: Signal, size: int) -> NDArray[np.float32]:
    """Return what a net of this input size S sees of a film's frame: float32 (S, S), lightness 0..100.

    Args:
        luma: uint8 or uint16 (H, W), the film's own.
        signal: what its samples mean.
        size: side of the net's square input.
    """
    return of_film.seen_by_net(luma, size, signal)


def frame_planes(
    luma: NDArray[Any], ab: NDArray[np.float32], signal: Signal, look: Look, turns: int = 0
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the chroma that goes beside a film's own luma.

    Args:
        luma: uint8 or uint16 (H, W), as it is encoded.
        ab: float32 (h, w, 2), Lab units, turned as `luma` is.
        signal: what the samples of the planes mean.
        look: how it is put to use; its hints name no places of single moments.
        turns: quarter turns counter-clockwise after which the frame is upright.

    Returns:
        U, V: of the dtype and at the size that `signal` tells.
    """
    if look.hints.colours:
        upright = np.ascontiguousarray(np.rot90(ab * np.float32(look.saturation), turns))
        wished = hinted_evenly(upright, np.rot90(luma, turns).shape, look.hints)
        ab = np.ascontiguousarray(np.rot90(wished, -turns))
    return of_film.chroma_planes(luma, ab, signal, look.left)

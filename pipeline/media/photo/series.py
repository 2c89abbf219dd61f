"""Approved pictures as a worker looks at them: once for each folder, from the original and from its output."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.colour.lightness import net_lightness
from pipeline.colour.recipe import as_shown
from pipeline.colour.reference import lab_of
from pipeline.colour.series import Cells, Steered, cells_of
from pipeline.ground import inside
from pipeline.ground.errors import Cause, ItemError
from pipeline.ground.files import sha256
from pipeline.ground.hints import Exemplar
from pipeline.ground.settings import Settings
from pipeline.ground.storage import brought, located
from pipeline.media.photo.memory import Shape
from pipeline.media.photo.profile import tones
from pipeline.media.photo.read import read
from pipeline.nets.net import Net

_KEPT: Final = 4  # folders
_LEAST_SATURATION: Final = 0.05
_ASPECT: Final = 0.02  # by which an output's may differ from its original's: else it shows more than the picture

Room = Callable[[Shape], None]


def _all_there_is(shape: Shape) -> None:
    """Ask nothing."""


class Series:
    """What the approved pictures of some folders have, kept between pictures."""

    def __init__(self) -> None:
        """Know nothing."""
        self._cells = OrderedDict[tuple[Any, ...], Cells | None]()

    def steered(
        self, net: Net, exemplars: tuple[Exemplar, ...], output: Path, settings: Settings, room: Room = _all_there_is
    ) -> Net:
        """Return a net that is steered by approved pictures.

        Args:
            net: whose answers are treated by the palette already.
            exemplars: the pictures.
            output: OUTPUT.
            settings: how they are read, and by how much chroma is multiplied afterwards.
            room: asked before one of them is decoded; what it raises is passed on.

        Raises:
            ItemError: one of them is not what it was when the run began; the next one takes it as it is.
        """
        if not exemplars:
            return net
        key = (exemplars, net.spec.sha256, settings.palette, settings.saturation)
        if key not in self._cells:
            found = [self._example(each, net, output, settings, room) for each in exemplars]
            fit = [each for each in found if each is not None]
            self._cells[key] = cells_of(fit) if fit else None
            if len(self._cells) > _KEPT:
                self._cells.popitem(last=False)
        cells = self._cells[key]
        return net if cells is None else Steered(net, cells)

    def _example(
        self, exemplar: Exemplar, net: Net, output: Path, settings: Settings, room: Room
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]] | None:
        made = output / exemplar.output
        with ExitStack() as stack:
            try:
                source = stack.enter_context(brought(located(exemplar.source)))
                same = inside.sha256(output, exemplar.output) == exemplar.output_sha256
                same = same and sha256(source) == exemplar.source_sha256
            except OSError as error:
                raise _changed(exemplar, os.strerror(error.errno or 0)) from None
            if not same:
                raise _changed(exemplar, "it was changed")
            grey = _shown(source, settings, room)
        aspect, lightness = _aspect(grey), net_lightness(grey, net.spec.input_size)
        del grey  # one of the two is in memory at a time, as the guard counts
        approved = _shown(made, settings, room)
        if approved.ndim == 2 or abs(_aspect(approved) / aspect - 1) > _ASPECT:
            return None
        ab = net.predict(lightness)
        small: Any = cv2.resize(approved, ab.shape[1::-1], interpolation=cv2.INTER_AREA)
        # Saturation is put to what comes out again.
        colours = lab_of(small)[:, :, 1:] / np.float32(max(settings.saturation, _LEAST_SATURATION))
        return lightness, ab, colours.astype(np.float32)


def _shown(path: Path, settings: Settings, room: Room) -> NDArray[np.uint8]:
    """Read a picture in the tones in which it is looked at, sRGB, as its copy is."""
    picture = read(path, max_megapixels=settings.max_megapixels, damaged=True, room=room)
    return as_shown(picture.pixels, tones(picture.profile, settings))


def _aspect(pixels: NDArray[Any]) -> float:
    return float(pixels.shape[1] / pixels.shape[0])


def _changed(exemplar: Exemplar, why: str) -> ItemError:
    return ItemError(f"the approved picture {exemplar.output} cannot steer it: {why}; run again", Cause.SYSTEM)

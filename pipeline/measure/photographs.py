"""Colour photographs under a folder, one after another through the nets that are to be measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from pipeline.archive import discover
from pipeline.archive.places import check_places
from pipeline.colour import recipe
from pipeline.colour.lightness import net_lightness
from pipeline.colour.verdict import judge
from pipeline.ground.errors import InputError, ItemError
from pipeline.ground.files import words
from pipeline.ground.items import Kind
from pipeline.ground.pixels import eight_bits
from pipeline.measure.evaluation import Measured, measure_picture, points_table
from pipeline.measure.faults import Faults, faults
from pipeline.measure.figures import Pixels, enlarge
from pipeline.media.photo.read import read
from pipeline.nets.net import Net
from pipeline.run.progress import Progress


@dataclass(slots=True)
class Evaluation:
    """What came of a folder.

    Attributes:
        measured: for each net, in the order given, its pictures.
        grey: pictures without any colour to compare with: grey, or toned.
        bare: for each net, what can be said of those without a truth: by factor on ab, of each picture.
        failed: picture -> why it could not be read.
    """

    measured: list[list[Measured]]
    grey: list[str] = field(default_factory=list)
    bare: list[dict[float, list[Faults]]] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def photographs(folder: Path, limit: int | None = None) -> list[tuple[str, Path]]:
    """List name and path of the pictures under `folder`, folder by folder; of more than `limit` an even selection.

    Of a file of several pages the first is meant.

    Raises:
        InputError: the folder is not there, cannot be read, or holds no picture.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; name one with colour photographs.")
    # Nothing is written: the output that is kept out of is a hidden name, which is passed over anyway.
    output = folder / ".colorize"
    walked = discover.pictures(check_places([folder], output), output)
    found = [(each.key, each.source) for each in walked if each.kind is not Kind.FILM]
    if not found:
        raise InputError(f"{folder} holds no pictures; name a folder with colour photographs.")
    if limit is not None and limit < len(found):
        found = [found[place * len(found) // limit] for place in range(limit)]
    return found


def evaluate_photographs(
    pictures: Sequence[tuple[str, Path]],
    nets: Sequence[Net],
    saturations: Sequence[float],
    progress: Progress,
    *,
    max_megapixels: float,
) -> Evaluation:
    """Measure every picture through every net; one that cannot be read is said and counted, and the rest go on.

    Raises:
        InputError: not one photograph could be measured.
    """
    cv2.setNumThreads(1)
    table = points_table()
    done = Evaluation([[] for _ in nets], bare=[{factor: [] for factor in saturations} for _ in nets])

    def measure(name: str, path: Path) -> None:
        picture = eight_bits(read(path, max_megapixels=max_megapixels).pixels)
        if judge(picture).kind != "color":
            done.grey.append(name)
            for net, bare in zip(nets, done.bare, strict=True):
                _measure_bare(picture, net, bare)
            return
        rows = [measure_picture(name, picture, net, saturations, table) for net in nets]
        for measured, row in zip(done.measured, rows, strict=True):
            measured.append(row)

    for name, path in pictures:
        reason = _attempt(partial(measure, name, path))
        if reason:
            done.failed[name] = reason
            progress.say(f"{name}: {reason}")
        progress.step(problem=bool(reason))
    if not done.measured[0] and not done.grey:
        raise InputError("Not one photograph could be measured.")
    return done


def _measure_bare(picture: Pixels, net: Net, bare: dict[float, list[Faults]]) -> None:
    lightness = net_lightness(picture, net.spec.input_size)
    ab = enlarge(recipe.predict(picture, net), net.spec.input_size)
    for factor, found in bare.items():
        found.append(faults(lightness, ab * np.float32(factor)))


def _attempt(measure: Callable[[], None]) -> str:
    """Return why a picture cannot be measured; empty where it was."""
    try:
        measure()
    except ItemError as error:
        return str(error)
    except OSError as error:
        return words(error)
    except MemoryError:
        return "not enough memory for a picture of this size"
    return ""

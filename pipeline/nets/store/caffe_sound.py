"""The files of a Caffe model held to what a reader takes for granted, before OpenCV or protobuf sees them.

Field numbers are those of caffe.proto (Caffe, BSD-2-Clause).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.ground.errors import ModelError
from pipeline.nets.wire import DAMAGED, Budget, fields, message, packed, whole, wholes

_LONGEST: Final = 1 << 20  # bytes of a prototxt; that of the release has 10 thousand
_DEEPEST: Final = 32  # brackets; that of the release has 3
_MOST_LAYERS: Final = 20_000
_MOST_SIDES: Final = 8
# Texts and comments, in which a bracket is a character; brackets.
_TOKENS: Final = re.compile(r""""(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|#[^\n]*|[{}<>\[\]]""")
# NetParameter's fields of layers, and where each kind of layer has its weights.
_LAYERS: Final = {100: 7, 2: 6}
_SHAPE, _DATA, _DOUBLES = 7, 5, 8
_OLD_SHAPE: Final = (1, 2, 3, 4)  # num, channels, height, width


class _Unfit(Exception):
    """Why the file is not read, as a phrase."""


def check_prototxt(name: str, text: str) -> None:
    """Look at the length and the nesting of a prototxt; parsers of both libraries go down with every bracket.

    Raises:
        ModelError: it is longer or deeper than one that describes a net.
    """
    if len(text) > _LONGEST:
        raise ModelError(f"{name} is not a Caffe prototxt: it has more than {_LONGEST:,} characters.")
    depth = 0
    for token in _TOKENS.finditer(text):
        depth += (token[0] in ("{", "<", "[")) - (token[0] in ("}", ">", "]"))
        if depth > _DEEPEST:
            raise ModelError(
                f"{name} is not a Caffe prototxt: its brackets lie in one another more than {_DEEPEST} deep."
            )


def check_caffemodel(path: Path, content: bytes) -> None:
    """Look at every weight of a caffemodel: as many as its shape has, all finite.

    Raises:
        ModelError: they are not, or it is no whole caffemodel.
    """
    budget = Budget()
    try:
        for number, layer in _layers(content, budget):
            for part, blob in fields(layer, budget):
                if part == _LAYERS[number]:
                    _check_blob(message(blob), budget)
    except _Unfit as error:
        raise ModelError(f"{path} is not read: {error}.") from None
    except DAMAGED:
        raise ModelError(f"{path} is not a whole caffemodel: it is damaged, cut short, or something else.") from None


def _layers(content: bytes, budget: Budget) -> Iterator[tuple[int, memoryview]]:
    layers = 0
    for number, layer in fields(memoryview(content), budget):
        if number in _LAYERS:
            layers += 1
            if layers > _MOST_LAYERS:
                raise _Unfit(f"it has more than {_MOST_LAYERS:,} layers")
            yield number, message(layer)


def _check_blob(view: memoryview, budget: Budget) -> None:
    shape, old = list[int](), dict[int, int]()
    held: NDArray[Any] = np.zeros(0, np.float32)
    for number, value in fields(view, budget, once=(_SHAPE, _DATA, _DOUBLES, 12)):
        if number == _SHAPE:
            for part, sides in fields(message(value), budget):
                shape += wholes(sides) if part == 1 else []
        elif number in (_DATA, _DOUBLES):
            if held.size:
                raise _Unfit("weights are given twice")
            held = packed(value, "<f4" if number == _DATA else "<f8")
        elif number in _OLD_SHAPE:
            old[number] = whole(value)
        elif number == 12:  # raw_data
            raise _Unfit("it holds weights in a form of their own, which is not read")
    shape = shape or [old.get(number, 0) for number in _OLD_SHAPE]
    if len(shape) > _MOST_SIDES or any(side < 0 for side in shape):
        raise _Unfit(f"weights have a shape that makes no sense: {str(shape)[:100]}")
    if held.size != math.prod(shape):
        raise _Unfit(f"weights are {held.size:,} numbers where their shape has {math.prod(shape):,}")
    if not np.isfinite(held).all():
        raise _Unfit("it holds weights that are infinite or no numbers (NaN)")

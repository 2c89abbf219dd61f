"""What there is to know of a net before it runs, told as data: how it is fed and what its answer means."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from pipeline.ground.errors import ModelError

LARGEST_INPUT = 4096  # side of the square that a net is fed
_LARGEST = 1e9


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ModelError(f'{name} = "{value}": it can be {" or ".join(allowed)}.')


_TIMES: Final = 3  # what an engine holds of a net, in sizes of its file


@dataclass(frozen=True, slots=True)
class Feed:
    """How CIE lightness becomes the net's main input: `((x * scale + offset) - mean) / std`.

    Attributes:
        channels: 1: x is L (0..100). 3: x is the grey of that lightness as sRGB, R = G = B in 0..1.
        scale, offset: numbers for all channels.
        mean, std: one number a channel, or empty.
        layout: "nchw" or "nhwc".
    """

    channels: int = 1
    scale: float = 1.0
    offset: float = 0.0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    layout: str = "nchw"

    def __post_init__(self) -> None:
        if self.channels not in (1, 3):
            raise ModelError(f"channels = {self.channels}: a net is fed lightness (1) or grey RGB (3).")
        for name, values in (("mean", self.mean), ("std", self.std)):
            if values and len(values) != self.channels:
                raise ModelError(f"{name} has {len(values)} numbers for {self.channels} channels.")
        if any(value == 0 for value in self.std):
            raise ModelError("std holds a zero.")
        _one_of("layout", self.layout, ("nchw", "nhwc"))


@dataclass(frozen=True, slots=True)
class Answer:
    """What the net's first output means, after `y * scale + offset`.

    Attributes:
        kind: "ab": CIE a*, b* in Lab units. "rgb": sRGB in 0..1, of which the chroma is kept.
        scale, offset: numbers for all channels.
        spread: behind ab a third channel says how far from it the colours lie that the net holds possible there: root
            mean square, in Lab units.
    """

    kind: str = "ab"
    scale: float = 1.0
    offset: float = 0.0
    spread: bool = False

    def __post_init__(self) -> None:
        _one_of("kind", self.kind, ("ab", "rgb"))
        if self.spread and self.kind != "ab":
            raise ModelError(f'spread: an answer of kind "{self.kind}" has none.')

    @property
    def channels(self) -> int:
        """Channels of the output: 2 for ab, 3 with its spread and for rgb."""
        return 3 if self.spread or self.kind == "rgb" else 2


@dataclass(frozen=True, slots=True)
class Port:
    """One declared input or output of a net.

    Attributes:
        name: as the file calls it.
        shape: declared sizes; None where a size is left open.
        element: "float32", "float16" or the ONNX type number as text.
    """

    name: str
    shape: tuple[int | None, ...]
    element: str = "float32"


@dataclass(frozen=True, slots=True)
class NetSpec:
    """A net that is there, checked, and ready to be opened by an engine; small and picklable.

    Attributes:
        name: registry name, or the file's stem.
        path: the file the engine reads (ONNX, or a caffemodel).
        sha256: of that file (of a Caffe model: of the hashes of all three).
        input_size: side S of the square the net is fed.
        feed, answer: what goes in and what comes out.
        inputs: declared inputs; the first is fed, the others get zeros (colour hints that nobody gave).
        form: "onnx" or "caffe".
        prototxt, points: the other two files of a Caffe model.
    """

    name: str
    path: Path
    sha256: str
    input_size: int
    feed: Feed
    answer: Answer
    inputs: tuple[Port, ...]
    form: str = "onnx"
    prototxt: Path | None = None
    points: Path | None = None

    @property
    def held(self) -> int:
        """Bytes of memory that an engine takes for it; 0 where its file is not here, which opening it will say."""
        return _TIMES * (self.path.stat().st_size if self.path.exists() else 0)

    @property
    def takes_points(self) -> bool:
        """Whether its other inputs are colours that are known, as ab, and where they are."""
        others = sorted(str(port.shape[1:2]) for port in self.inputs[1:] if len(port.shape) == 4)
        kind = self.answer.kind == "ab" and self.feed.layout == "nchw"
        return kind and len(self.inputs) == 3 and others == ["(1,)", "(2,)"]


@dataclass(frozen=True, slots=True)
class Contract:
    """How a net is fed and what it answers.

    Attributes:
        input_size: side S of the square the net is fed.
        feed, answer: what goes in and what comes out.
    """

    input_size: int
    feed: Feed
    answer: Answer


def feed_from(values: Mapping[str, Any]) -> Feed:
    """Build a `Feed` from a TOML or JSON table; unknown keys and unfit values raise `ModelError`."""
    return Feed(**_typed(Feed, values))


def answer_from(values: Mapping[str, Any]) -> Answer:
    """Build an `Answer` from a TOML or JSON table; unknown keys and unfit values raise `ModelError`."""
    return Answer(**_typed(Answer, values))


# The metadata_props key under which our own ONNX files say how they are fed: JSON {input_size, feed, answer, sources}.
METADATA_KEY = "colorize"


def contract_json(input_size: int, feed: Feed, answer: Answer, sources: Mapping[str, str] | None = None) -> str:
    """Return the text for an ONNX file's `metadata_props["colorize"]`.

    Args:
        input_size: side of the square the net is fed.
        feed, answer: its contract.
        sources: file name -> sha256 of what it was converted from.
    """
    tables = {
        "feed": {each.name: getattr(feed, each.name) for each in fields(feed)},
        "answer": {each.name: getattr(answer, each.name) for each in fields(answer)},
    }
    return json.dumps({"input_size": input_size, **tables, "sources": dict(sources or {})})


def contract_from_json(text: str) -> tuple[Contract, dict[str, str]]:
    """Read what `contract_json` wrote, and its sources; raises `ModelError` when it is damaged."""
    try:
        values = json.loads(text)
        size = values["input_size"]
        if type(size) is not int or not 0 < size <= LARGEST_INPUT:
            raise ValueError(f"input_size = {size!r}")
        sources = {str(key): str(value) for key, value in values.get("sources", {}).items()}
        return Contract(size, feed_from(values.get("feed", {})), answer_from(values.get("answer", {}))), sources
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f'its "{METADATA_KEY}" metadata cannot be read: {error!r}.') from None


def _typed(table: type[Feed] | type[Answer], values: Mapping[str, Any]) -> dict[str, Any]:
    defaults = {each.name: each.default for each in fields(table)}
    found: dict[str, Any] = {}
    for key, value in values.items():
        if key not in defaults:
            raise ModelError(f'unknown key "{key}"; known are {", ".join(defaults)}.')
        default = defaults[key]
        if isinstance(default, tuple):
            fits = isinstance(value, (list, tuple)) and all(_is_number(each) for each in value)
            found[key] = tuple(float(each) for each in value) if fits else None
        elif isinstance(default, float):
            fits = _is_number(value)
            found[key] = float(value) if fits else None
        else:
            fits = type(value) is type(default)
            found[key] = value
        if not fits:
            raise ModelError(f"{key} = {value!r}: this takes something like {default!r}.")
    return found


def _is_number(value: object) -> bool:
    # Neither infinite nor NaN, which JSON and TOML can both hold.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -_LARGEST < value < _LARGEST

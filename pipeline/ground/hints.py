"""What a person says of one picture: the entry of a `hints.toml`, checked, and small enough to be sent to a worker."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from pipeline.ground.errors import SettingsError

Place = tuple[float, float]

DECISIONS: Final = ("approved", "rejected", "left-grey")
PALETTES: Final = ("natural", "restrained", "vivid", "plain")
_COLOR: Final = re.compile(r"#[0-9a-fA-F]{6}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_MOST: Final = 100  # points, strokes and polygons: each stroke takes a tenth of a second
_MOST_PLACES: Final = 10_000


@dataclass(frozen=True, slots=True)
class Stroke:
    """Where a colour is, and what colour; a point is a stroke of one place.

    Attributes:
        color: red, green and blue, 0..255, sRGB.
        path: x and y of its places, as fractions of the upright picture's width and height, 0..1.
        reach: factor on how far it spreads, 0.1..10.
    """

    color: tuple[int, int, int]
    path: tuple[Place, ...]
    reach: float = 1.0


@dataclass(frozen=True, slots=True)
class Exemplar:
    """A picture that was approved and steers others.

    Attributes:
        source: path of the original.
        source_sha256: of it, in hexadecimal.
        output: its coloured copy, relative to OUTPUT.
        output_sha256: of that.
    """

    source: str
    source_sha256: str
    output: str
    output_sha256: str


@dataclass(frozen=True, slots=True)
class Hints:
    """What a person says of one picture; the defaults say nothing.

    Attributes:
        decision: one of `DECISIONS`, or empty.
        saturation: factor on chroma instead of the setting's; None: the setting's.
        warmth: -1 (colder) to 1 (warmer).
        quality: of JPEG and WebP, or of a film in its encoder's measure, instead of the setting's; None: the setting's.
        exemplars: approved pictures of its series, in one order; a person says of them, not of this one.
        palette: one of `PALETTES` instead of the setting's; empty: the setting's.
        model: a net instead of the run's: a name, or the whole path of a file; empty: the run's.
        net: what was found under that name, hash and engine; a person does not say it. Empty: nothing.
        chart: how its own palette, or the run's on its own net, moves colours, a hash; a person does not say it.
        strokes: colours that are known.
        grey: polygons that stay grey, three or more places each.
        sha256: of the picture that is meant, in hexadecimal; empty where that was not said.
    """

    decision: str = ""
    saturation: float | None = None
    warmth: float = 0.0
    quality: int | None = None
    strokes: tuple[Stroke, ...] = ()
    grey: tuple[tuple[Place, ...], ...] = ()
    sha256: str = ""
    palette: str = ""
    exemplars: tuple[Exemplar, ...] = ()
    model: str = ""
    net: str = ""
    chart: str = ""

    @property
    def colours(self) -> bool:
        """Whether anything is said that changes where which colour is."""
        return bool(self.strokes or self.grey or self.warmth)

    @property
    def of_film(self) -> Hints:
        """What of it a film takes: strokes are of one moment, and where they go with the motion nobody has said."""
        return replace(self, strokes=(), exemplars=())

    @property
    def mark(self) -> str:
        """A short hash of all that changes the output's bytes; empty where nothing does.

        What steers the picture stands behind a point, and behind another one the chart: see `own_mark`, `said_mark`.
        """
        steering = [(each.source_sha256, each.output_sha256) for each in self.exemplars]
        said = self._own_mark + (f".{_hash(steering)}" if steering else "")
        return f"{said}{'.' * (2 - said.count('.'))}{self.chart}" if self.chart else said

    @property
    def _own_mark(self) -> str:
        told = (self.decision == "left-grey", self.saturation, self.warmth, self.quality)
        # What older marks did not know of leaves them as they were.
        later: list[Any] = [self.palette] if self.palette else []
        later += [{"net": self.net or self.model}] if self.model else []
        if told == (False, None, 0.0, None) and not self.strokes and not self.grey and not later:
            return ""
        strokes = [(each.color, each.path, each.reach) for each in self.strokes]
        return _hash((*told, strokes, self.grey, *later))


def own_mark(mark: str) -> str:
    """Return of a mark what a person says of the picture itself."""
    return mark.partition(".")[0]


def said_mark(mark: str) -> str:
    """Return of a mark what people said, of the picture and of those that steer it: all but the chart."""
    return ".".join(mark.split(".")[:2]).rstrip(".")


def _hash(said: Any) -> str:
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]


NO_HINTS: Final = Hints()


class _Wrong(Exception):
    """What is wrong with a value, as a phrase."""


def hints_of(entry: Mapping[str, Any], where: str) -> Hints:
    """Return the hints that an entry holds; see docs/hints.md for its keys.

    Args:
        entry: of a TOML or JSON file.
        where: said before what is wrong with it, such as 'hints.toml, "a.jpg"'.

    Raises:
        SettingsError: an unknown key, a place outside of the picture, a colour that is none, and so on.
    """
    values = dict[str, Any]()
    for key, value in entry.items():
        if key not in _KEYS:
            near = difflib.get_close_matches(key, _KEYS, n=1, cutoff=0.5)
            also = f' Did you mean "{near[0]}"?' if near else f" There are {', '.join(_KEYS)}."
            raise SettingsError(f'{where}: there is no hint "{key}".{also}')
        try:
            values[key] = _KEYS[key](value)
        except _Wrong as wrong:
            raise SettingsError(f"{where}: {key}: {wrong}.") from None
    strokes = (*values.pop("points", ()), *values.pop("strokes", ()))
    for unused in ("note", "rating"):
        values.pop(unused, None)
    return Hints(**values, strokes=strokes)


def _number(low: float, high: float) -> Callable[[Any], float]:
    def check(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            raise _Wrong(f"{_shown(value)} is not a number from {low:g} to {high:g}")
        return float(value)

    return check


def _whole(low: int, high: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        if type(value) is not int or not low <= value <= high:
            raise _Wrong(f"{_shown(value)} is not a whole number from {low} to {high}")
        return value

    return check


def _word(words: tuple[str, ...]) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in words:
            raise _Wrong(f"{_shown(value)} is not {', '.join(words[:-1])} or {words[-1]}")
        return str(value)

    return check


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _Wrong(f"{_shown(value)} is not a text")
    return value


def _digest(value: Any) -> str:
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise _Wrong(f"{_shown(value)} is not a sha256 of 64 digits")
    return value


def _model(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise _Wrong(f"{_shown(value)} is not the name of a model, nor the path of its file")
    if "/" in value and not value.startswith(("/", "~")):
        raise _Wrong(f"{_shown(value)} depends on the folder of the command: give the whole path of a file")
    return value


def _list(value: Any, least: int, what: str, most: int = _MOST) -> list[Any]:
    if not isinstance(value, list) or not least <= len(value) <= most:
        raise _Wrong(f"{_shown(value)} is not a list of {least} to {most} {what}")
    return value


def _points(value: Any) -> tuple[Stroke, ...]:
    return tuple(_point(each) for each in _list(value, 0, "points"))


def _point(value: Any) -> Stroke:
    table = _table(value, ("x", "y", "color"), ("reach",))
    return Stroke(_color(table["color"]), (_place([table["x"], table["y"]]),), _reach(table.get("reach", 1)))


def _strokes(value: Any) -> tuple[Stroke, ...]:
    return tuple(_stroke(each) for each in _list(value, 0, "strokes"))


def _stroke(value: Any) -> Stroke:
    table = _table(value, ("path", "color"), ("reach",))
    path = tuple(_place(each) for each in _list(table["path"], 1, "places", _MOST_PLACES))
    return Stroke(_color(table["color"]), path, _reach(table.get("reach", 1)))


def _polygons(value: Any) -> tuple[tuple[Place, ...], ...]:
    return tuple(
        tuple(_place(each) for each in _list(one, 3, "places", _MOST_PLACES)) for one in _list(value, 0, "polygons")
    )


def _table(value: Any, needed: tuple[str, ...], allowed: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict) or not set(needed) <= set(value) <= {*needed, *allowed}:
        raise _Wrong(f"{_shown(value)} does not have {', '.join(needed)} (and maybe {', '.join(allowed)})")
    return value


def _color(value: Any) -> tuple[int, int, int]:
    if not isinstance(value, str) or not _COLOR.fullmatch(value):
        raise _Wrong(f'{_shown(value)} is not a colour such as "#3a5f8a"')
    return int(value[1:3], 16), int(value[3:5], 16), int(value[5:7], 16)


def _place(value: Any) -> Place:
    if not isinstance(value, list) or len(value) != 2:
        raise _Wrong(f"{_shown(value)} is not a place [x, y]")
    for each in value:
        if isinstance(each, bool) or not isinstance(each, (int, float)) or not 0 <= each <= 1:
            raise _Wrong(f"{_shown(value)} is outside of the picture: x and y are fractions from 0 to 1")
    return float(value[0]), float(value[1])


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str, ensure_ascii=True)
    return text if len(text) <= 60 else f"{text[:57]}..."


_reach = _number(0.1, 10)
_KEYS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "decision": _word(DECISIONS),
    "saturation": _number(0, 3),
    "warmth": _number(-1, 1),
    "quality": _whole(1, 100),
    "palette": _word(PALETTES),
    "points": _points,
    "strokes": _strokes,
    "grey": _polygons,
    "sha256": _digest,
    "rating": _whole(0, 5),
    "note": _text,
    "model": _model,
}

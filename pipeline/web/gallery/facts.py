"""What is known of each thumbnail, kept between two calls, so that nothing is looked at twice."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any, Final

from pipeline.archive.own import FOLDER, GALLERY
from pipeline.ground import inside
from pipeline.ground.errors import ItemError, OutputError
from pipeline.ground.files import Room, publish
from pipeline.web.gallery.rendition import VERSION, Said

_NAME: Final = f"{FOLDER}/{GALLERY}/facts.json"


@dataclass(frozen=True, slots=True)
class Fact:
    """Of one thumbnail.

    Attributes:
        width, height: in pixels; 0 where none could be made.
        colourfulness, said, problem: as in `Rendition`.
        loop: whether a moving picture lies beside it.
    """

    width: int
    height: int
    colourfulness: float
    said: Said
    loop: bool
    problem: str


@dataclass(slots=True)
class Facts:
    """Facts by a thumbnail's name."""

    known: dict[str, Fact] = field(default_factory=dict)

    @classmethod
    def read(cls, output: Path) -> Facts:
        """Read what an earlier call left; nothing where it is damaged or of another version."""
        try:
            with os.fdopen(inside.read(output, _NAME), "rb") as file:
                found = json.load(file)
            if found["version"] != VERSION:
                return cls()
            said = [Said(*each) for each in found["said"]]
            return cls({name: _fact(values, said) for name, values in found["facts"].items()})
        except (OSError, ValueError, TypeError, KeyError, IndexError):
            return cls()

    def keep(self, room: Room, names: Collection[str] | None = None) -> None:
        """Write them, or those of these names alone.

        Raises:
            OutputError: they can't be written.
        """
        said: dict[Said, int] = {}
        facts = {
            name: (f.width, f.height, round(f.colourfulness, 2), said.setdefault(f.said, len(said)), f.loop, f.problem)
            for name, f in self.known.items()
            if names is None or name in names
        }
        text = json.dumps({"version": VERSION, "said": [astuple(each) for each in said], "facts": facts})
        try:
            publish(text.encode(), _NAME, room)
        except ItemError as error:
            raise OutputError(f"{room.root / _NAME} {error}.") from None


def _fact(values: list[Any], said: list[Said]) -> Fact:
    width, height, colourfulness, at, loop, problem = values
    return Fact(int(width), int(height), float(colourfulness), said[at], bool(loop), str(problem))

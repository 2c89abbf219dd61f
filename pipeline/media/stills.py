"""Photographs: one picture, one unit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath
from typing import Any

from pipeline.colour.doubt import Doubting
from pipeline.colour.verdict import Verdict, judge
from pipeline.ground import files
from pipeline.ground.items import DOUBTFUL, Picture, Result, Seen, Unit
from pipeline.media.develop import Task, develop, keeps_luma
from pipeline.media.medium import Tools
from pipeline.media.photo.read import read
from pipeline.media.photo.write import FORMATS


class Stills:
    """Implements `Whole`."""

    def make(self, unit: Unit, tools: Tools) -> Result:
        """See `Whole.make`."""
        settings = tools.settings
        take = settings.on_damage == "done"
        format = FORMATS[PurePath(unit.output).suffix.lower()]
        room, half = tools.room_for(unit, format), keeps_luma(format, settings)
        picture = read(unit.source, max_megapixels=settings.max_megapixels, damaged=take, room=room, half=half)
        verdict = judge(picture.pixels, picture.alpha)
        doubt = "" if unit.on_color or not verdict.doubtful else DOUBTFUL
        seen = replace(seen_of(picture, verdict, sha256=files.sha256(unit.source)), unsure=bool(doubt))
        if tools.keeps(unit, in_colour=verdict.kind == "color"):
            return tools.keep_colour(unit, seen, doubt)
        net = Doubting(tools.net)
        task = Task(unit.source, seen.source_sha256, picture, format, replace(tools, net=net), picture.page)
        data, lost = develop(task)
        seen = replace(seen, doubt=net.doubt)
        note = f"taken for {'colour' if verdict.kind == 'color' else 'black-and-white'}{doubt}" if doubt else ""
        reason = "; ".join(each for each in (picture.note, note) if each)
        result = tools.done(unit, tools.deliver(data, unit), seen, reason)
        return replace(result, metadata="; ".join(lost))


def seen_of(picture: Picture[Any], verdict: Verdict, sha256: str = "") -> Seen:
    """Return what the manifest says of a picture."""
    return Seen(
        source_sha256=sha256,
        verdict=verdict.kind,
        chroma=round(verdict.chroma, 2),
        width=picture.width,
        height=picture.height,
        bits=picture.depth,
    )

"""What a kind of items has to know how to do, and what a worker gives it to do it with."""

from __future__ import annotations

import math
import uuid
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Protocol

from pipeline.colour.palette import chart_digest, repainted, with_palette
from pipeline.colour.pointed import pointed
from pipeline.colour.recipe import Look
from pipeline.ground import files, heap, inside, shelf
from pipeline.ground.errors import Cause, Crowded, ItemError, ModelError
from pipeline.ground.hints import NO_HINTS, Hints
from pipeline.ground.items import Filed, Kind, Result, Seen, Status, Unit
from pipeline.ground.settings import Settings
from pipeline.ground.shelf import Shelf
from pipeline.media.own_net import OwnNet, Second
from pipeline.media.photo.credentials import Certificate, certificate_of
from pipeline.media.photo.memory import Shape, peak
from pipeline.media.photo.series import Series
from pipeline.nets.engine import Engine
from pipeline.nets.engines.open import open_net
from pipeline.nets.net import Net
from pipeline.nets.spec import NetSpec

_LARGE: Final = 4 * heap.KEPT  # a picture's bytes
_uploaded: Final = deque[Path]()  # files that the driver may not have written down yet
_KEPT: Final = 2


@dataclass(frozen=True, slots=True)
class Memory:
    """How much memory a picture may take, in bytes, beyond what an idle worker holds.

    Attributes:
        share: where all workers are at work.
        whole: where one is.
        setting: what `max_memory` was, for a sentence.
    """

    share: float = math.inf
    whole: float = math.inf
    setting: str = "auto"


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker needs to know for all units of a run; small, hashable, sent to every worker.

    Attributes:
        settings: the run's.
        net: what the driver found `settings.model` to be, hash checked.
        engine: what runs it.
        output: OUTPUT.
        tmp_dir: `OUTPUT/.colorize/tmp/<run id>`; removed by the next run, so that an orphan cannot publish any more.
        memory: that its pictures may take.
        own: nets that single pictures have in place of it.
        shelf: where finished outputs stand, if not in OUTPUT.
    """

    settings: Settings
    net: NetSpec
    engine: Engine
    output: Path
    tmp_dir: Path
    memory: Memory = Memory()
    own: tuple[OwnNet, ...] = ()
    shelf: Shelf | None = None

    @property
    def nets(self) -> tuple[NetSpec, ...]:
        """All that a worker may need, the run's first."""
        return (self.net, *(each.spec for each in self.own if each.spec is not None))


def chart_of(spec: NetSpec, palette: str) -> str:
    """Return a hash of the chart by which a net's colours are moved under a palette; empty: by none."""
    return chart_digest(palette) if spec.answer.spread else ""


def loaded(net: NetSpec, engine: Engine, palette: str) -> Net:
    """Load a net whose answers are treated by the palette of this name. Raises `ModelError` where that can't be."""
    return with_palette(open_net(net, engine), palette)


def look_of(settings: Settings) -> Look:
    """Return how colour is made under these settings."""
    return Look(settings.saturation, settings.lightness)


@dataclass(frozen=True, slots=True)
class Tools:
    """A job with its net loaded, and whose signature outputs get.

    Attributes:
        hints: what is said of the item at hand, and is not in its net already.
        series: what approved pictures have.
        second: the net of its own that an item has.
        beside: bytes that such a net takes.
        steered: number of the approved pictures that steer the item at hand.
    """

    job: Job
    net: Net
    certificate: Certificate | None = None
    hints: Hints = NO_HINTS
    series: Series = field(default_factory=Series)
    second: Second = field(default_factory=Second)
    beside: int = 0
    steered: int = 0

    @classmethod
    def loaded(cls, job: Job) -> Tools:
        """Load the net. Raises `ModelError` where that can't be; `SettingsError` where nothing can be signed."""
        settings = job.settings
        certificate = certificate_of(settings.certificate, settings.certificate_key)
        return cls(job, loaded(job.net, job.engine, settings.palette), certificate)

    @property
    def settings(self) -> Settings:
        """The run's."""
        return self.job.settings

    @property
    def room(self) -> files.Room:
        """Where files are written."""
        return files.Room(self.job.output, self.job.tmp_dir)

    @property
    def look(self) -> Look:
        """How colour is made."""
        return replace(look_of(self.settings), hints=self.hints)

    def wished(self, unit: Unit) -> Tools:
        """Return them with what a person says of this item.

        Raises:
            ModelError: the net that it is to have of its own cannot be used.
            Crowded, ItemError: there is no memory for that, or for the pictures that steer it.
        """
        film = unit.kind is Kind.FILM
        hints, quality = (unit.hints.of_film, "film_quality") if film else (unit.hints, "quality")
        told: dict[str, Any] = {
            "on_color": unit.on_color or None, "saturation": hints.saturation, quality: hints.quality,
            "palette": hints.palette or None,
        }  # fmt: skip
        told = {name: value for name, value in told.items() if value is not None}
        if not hints.model:
            self.second.drop()
        if not told and not hints.mark:
            return self
        job, usual = replace(self.job, settings=replace(self.settings, **told)), self.settings.saturation
        return replace(self, job=job, hints=hints)._with_its_net(unit, usual)

    def _with_its_net(self, unit: Unit, usual: float) -> Tools:
        """Return them with the net that answers for this item: its own, repainted, steered, told of points.

        What steers it is of the `usual` saturation: that of the item is put to it, too.
        """
        tools, hints, settings = self, self.hints, self.settings
        if hints.model:
            tools = self._with_own_net(unit)
        net = repainted(tools.net, settings.palette) if hints.palette or hints.model else tools.net
        room, like = tools.room_for(unit, "tif"), replace(settings, saturation=usual)
        steered = tools.series.steered(net, hints.exemplars, self.job.output, like, room)
        number = len(hints.exemplars) if steered is not net else 0
        net, hints = pointed(steered, hints, settings.saturation)
        return replace(tools, net=net, hints=hints, steered=number)

    def _with_own_net(self, unit: Unit) -> Tools:
        own = next((each for each in self.job.own if each.model == self.hints.model), OwnNet(self.hints.model))
        if own.spec is None:
            raise ModelError(own.problem)
        if (own.spec.sha256, own.engine) == (self.job.net.sha256, self.job.engine):
            return self
        beside = own.spec.held
        net = self.second.net(own, lambda: self._make_room(beside, unit, f"the net {own.model}"))
        return replace(self, net=net, beside=beside)

    def keeps(self, unit: Unit, *, in_colour: bool) -> bool:
        """Tell whether an item stays as it is: it is in colour, or was listed as such, and none wants it recolored."""
        if self.hints.decision == "left-grey":
            return True
        return self.settings.on_color != "recolor" and (in_colour or unit.on_color != "")

    @property
    def _is_arranged(self) -> bool:
        """Whether a copy shows more than the picture with its luma as it is."""
        settings = self.settings
        return settings.lightness == "lab" or settings.layout != "single" or bool(settings.caption)

    def room_for(self, unit: Unit, format: str) -> Callable[[Shape], None]:
        """Return what `read` asks, before it decodes a picture, whether there is memory to make a `format` of it.

        It raises `ItemError` where there never is, `Crowded` where there is as soon as nobody else is at work.
        """

        def check(shape: Shape) -> None:
            need = peak(shape, format, anew=self._is_arranged) + self.beside
            said = f"{shape.width} x {shape.height}" if shape.pixels else f"a file of {shape.stored:,} bytes"
            self._make_room(need, unit, said)
            if need > _LARGE:
                heap.give_back()

        return check

    def _make_room(self, need: float, unit: Unit, what: str) -> None:
        memory = self.job.memory
        if need > memory.whole:
            raise ItemError(_too_large(what, need, memory), Cause.MEMORY)
        if need > memory.share and not unit.alone:
            raise Crowded

    def publish(self, data: files.Bytes | Path, place: str) -> Filed:
        """Write a file of OUTPUT whole; see `files.publish`."""
        return Filed(place, *files.publish(data, place, self.room))

    def deliver(self, data: files.Bytes | Path, unit: Unit) -> Filed:
        """Publish an item's output, with its source's times where they are to be kept."""
        times = unit.source.stat() if self.settings.keep_times else None
        return self.stand(unit, unit.output, lambda place: files.publish(data, place, self.room, times))

    def stand(self, unit: Unit, place: str, write: Callable[[str], files.Written]) -> Filed:
        """Let a finished output stand at its place, in OUTPUT or in a storage.

        Args:
            unit: whose output it is.
            place: its own.
            write: writes it to a place of OUTPUT, and returns its size and hash.
        """
        if self.job.shelf is None:
            return self.seen(Filed(place, *write(place)))
        scratch = self.scratch(".up")
        written = write(scratch.relative_to(self.job.output).as_posix())
        seen = unit.stood[0 if place == unit.output else 1]
        mtime_ns = shelf.put(self.job.shelf, scratch, place, seen)
        _uploaded.append(scratch)  # the plan of a run that follows a kill tells by it what is ours
        while len(_uploaded) > _KEPT:
            with suppress(OSError):
                _uploaded.popleft().unlink()
        return Filed(place, *written, mtime_ns)

    def seen(self, filed: Filed) -> Filed:
        """Return an output with its time: the worker looks, who has just written it, since a driver of thousands has
        not the time.
        """
        return replace(filed, mtime_ns=shelf.time_of(self.job.output, filed))

    def scratch(self, suffix: str) -> Path:
        """Return the path of an unfinished file that nobody else has."""
        return self.job.tmp_dir / f"{uuid.uuid4().hex}{suffix}"

    def parts(self, unit: Unit) -> list[Path]:
        """Return where the part files of a join lie, each as it was written.

        Raises:
            ItemError: one is not; it goes, so that the next run makes it anew.
        """
        paths = [self.job.output / part.filed.place for part in unit.parts]
        for path, part in zip(paths, unit.parts, strict=True):
            try:
                whole = inside.sha256(self.job.output, part.filed.place) == part.filed.sha256
            except OSError:
                whole = False
            if not whole:
                raise lost_part(path, self.job.output)
        return paths

    def keep_colour(self, unit: Unit, seen: Seen, doubt: str = "") -> Result:
        """Say of an item that is in colour what the settings want: it is copied byte for byte, or skipped."""
        if self.hints.decision == "left-grey":
            return Result(unit.key, Status.COPIED, reason="left grey, by a hint", filed=self._copied(unit), seen=seen)
        reason = "listed as in colour" if unit.on_color else f"already in colour{doubt}"
        reason += "; its hints are not used" if self.hints.colours else ""
        if self.settings.on_color == "skip":
            return Result(unit.key, Status.SKIPPED, Cause.IN_COLOUR, reason, seen=seen)
        return Result(unit.key, Status.COPIED, Cause.IN_COLOUR, reason, filed=self._copied(unit), seen=seen)

    def _copied(self, unit: Unit) -> Filed:
        return self.stand(unit, unit.copy_output, lambda place: files.copy_bytes(unit.source, place, self.room))

    def done(self, unit: Unit, filed: Filed, seen: Seen, reason: str = "") -> Result:
        """Say of a unit that it was colorized into `filed`."""
        steered = f"steered by {self.steered} approved picture{'s' * (self.steered > 1)} of its folder"
        return Result(
            unit.key,
            Status.DONE,
            reason="; ".join(each for each in (reason, steered * bool(self.steered)) if each),
            filed=filed,
            seen=seen,
            model=self.net.spec.name,
            engine=str(self.net.engine),
        )


def _too_large(what: str, need: float, memory: Memory) -> str:
    had = "can be had" if memory.setting == "auto" else "is allowed"
    return (
        f"too large for the memory: {what} needs {need / 1e9:.1f} GB, and "
        f"{max(0.0, memory.whole) / 1e9:.1f} GB {had}; raise max_memory (now {memory.setting}) to try it"
    )


def lost_part(path: Path, output: Path) -> ItemError:
    """Remove what is left of a part file of OUTPUT that is not what was written, and say so."""
    with suppress(OSError):
        inside.remove(output, path.relative_to(output).as_posix())
    return ItemError(f"the part file {path.name} was lost or changed; the next run makes it anew", Cause.SYSTEM)


class Whole(Protocol):
    """A medium whose items are done in one unit. What goes wrong with an item is raised, as `ItemError` or `OSError`.

    Raises in every method:
        ItemError: the item fails, alone.
        OutputError: nothing can be written any more.
        ModelError: the net can no longer be used.
    """

    def make(self, unit: Unit, tools: Tools) -> Result:
        """Read the source, write the output."""


class InPieces(Protocol):
    """A medium whose items are cut into spans; raises as `Whole`. Each unit may be done by another worker, or twice."""

    def scan(self, unit: Unit, tools: Tools) -> Result:
        """Say what spans the item has."""

    def piece(self, unit: Unit, tools: Tools) -> Result:
        """Turn the frames of `unit.span` into a part file in `unit.parts_place`."""

    def join(self, unit: Unit, tools: Tools) -> Result:
        """Put `unit.parts` together into the output."""

"""Previews: what the next run would make of a picture under other hints, at a small size and at once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.archive.hints import written_hints
from pipeline.archive.journal import Journal
from pipeline.archive.row import hints_in
from pipeline.archive.spelling import unescape
from pipeline.colour.palette import repainted
from pipeline.colour.pointed import pointed
from pipeline.colour.recipe import Look, as_shown, coloured, with_hints
from pipeline.colour.verdict import judge
from pipeline.ground.errors import Cause, ColorizeError, InputError
from pipeline.ground.hints import Hints, own_mark
from pipeline.ground.items import KEPT, Kind
from pipeline.ground.settings import Settings
from pipeline.ground.storage import brought, located
from pipeline.media.photo.series import Series
from pipeline.nets.engine import Engine
from pipeline.nets.net import Net
from pipeline.nets.spec import NetSpec
from pipeline.run.engine import settled_net
from pipeline.run.own_nets import OwnNets
from pipeline.web.gallery.items import File, Item, item_of
from pipeline.web.review.said import Book
from pipeline.web.review.small import Small, jpeg, read_poster, read_small

_SIDE: Final = 1024  # pixels
_KEPT: Final = 8  # pictures that stay prepared
_NETS: Final = 2  # the archive's, and one that a picture has of its own


@dataclass(slots=True)
class _Prepared:
    """A picture that was read, and nets' answers to it, by all that they depend on."""

    small: Small
    answers: dict[tuple[object, ...], NDArray[np.float32]] = field(default_factory=dict)


class Previews:
    """Makes them, one at a time, with the settings and the net of the archive's last run."""

    def __init__(self, output: Path, net_of: Callable[[Settings], Net] = settled_net) -> None:
        """Take an OUTPUT; its net is loaded when the first preview is asked for."""
        self._output, self._net_of = output, net_of
        self._lock = threading.Lock()
        self._series = Series()
        self._nets = OrderedDict[Settings, Net]()
        self._own: tuple[Settings, OwnNets] | None = None
        self._prepared = OrderedDict[tuple[str, str, int], _Prepared]()

    def of(self, key: str, told: Mapping[str, Any]) -> bytes:
        """Return a JPEG of a picture as it would be made, or nothing where its output is that already.

        Args:
            key: of the picture.
            told: what is said of it now, as the page has it; see `Book.hints_for`.

        Raises:
            InputError: there is no such picture, or none that takes colours.
            SettingsError: what is told makes no sense.
            ItemError: the original cannot be read.
            ModelError: the archive's net cannot be used.
        """
        with Journal(self._output, read_only=True) as journal:
            item, run = item_of(journal, key), journal.last_run()
            if item is None or run is None:
                raise InputError(f"{key}: no such picture here.")
            settings = settings_of(run.settings)
            book = Book(
                written_hints(self._output),
                [located(unescape(each)) for each in run.inputs],
                lambda hints: self._own_nets(settings).completed(hints),
            )
            hints = book.hints_for(item, told)
            steered = settings.series == "folder" and not hints.decision
            hints = replace(hints, exemplars=book.steering(journal, item) if steered else ())
        if item.row.kind == Kind.FILM:
            hints = _of_film(hints, hints_in(item.row.fingerprint))
        made = hints_in(item.row.fingerprint)
        approved = hints.decision == "approved" and own_mark(hints.mark) == own_mark(made)
        same = item.row.status in KEPT and (approved or hints.mark == made)
        if same or hints.decision == "rejected":
            return b""
        source = _source(item, hints)
        if source is None:
            return b""
        with self._lock:
            return self._made(key, source, replace(settings, model=hints.model or settings.model), hints)

    def warm(self) -> None:
        """Load the net, so that the first preview need not wait for it; what is wrong with it that one says."""
        with suppress(ColorizeError), Journal(self._output, read_only=True) as journal:
            run = journal.last_run()
            if run is not None:
                with self._lock:
                    self._loaded(settings_of(run.settings))

    def close(self) -> None:
        """Wait for the preview that is being made, and make no more."""
        self._lock.acquire()

    def _own_nets(self, settings: Settings) -> OwnNets:
        if self._own is None or self._own[0] != settings:
            engine = Engine(settings.engine, settings.precision)
            self._own = settings, OwnNets(settings, engine, lambda: self._usual(settings))
        return self._own[1]

    def _usual(self, settings: Settings) -> NetSpec:
        with self._lock:
            return self._loaded(settings).spec

    def _loaded(self, settings: Settings) -> Net:
        if settings not in self._nets:
            self._nets[settings] = self._net_of(settings)
            self._prepared.clear()
        self._nets.move_to_end(settings)
        if len(self._nets) > _NETS:
            self._nets.popitem(last=False)
        return self._nets[settings]

    def _made(self, key: str, source: File, settings: Settings, hints: Hints) -> bytes:
        net = self._loaded(settings)
        size = net.spec.input_size
        name = key, source.digest, size
        prepared = self._prepared.get(name) or _Prepared(_read(source, settings, size))
        self._prepared[name] = prepared
        self._prepared.move_to_end(name)
        if len(self._prepared) > _KEPT:
            self._prepared.popitem(last=False)
        small = prepared.small
        if hints.decision == "left-grey":
            return jpeg(small.shown(small.pixels))
        told = replace(settings, palette=hints.palette or settings.palette)
        saturation = settings.saturation if hints.saturation is None else hints.saturation
        steered = self._series.steered(repainted(net, told.palette), hints.exemplars, self._output, told)
        asked, left = pointed(steered, hints, saturation)
        answer: tuple[object, ...] = (settings, told.palette, hints.exemplars)
        if left is not hints:  # the net took the strokes itself
            answer += (hints.strokes, saturation)
        if answer not in prepared.answers:
            prepared.answers[answer] = asked.predict(small.lightness[size])
        look = Look(saturation, settings.lightness, left, small.tones)
        ab = with_hints(prepared.answers[answer], as_shown(small.pixels, small.tones), look)
        return jpeg(small.shown(coloured(small.pixels, ab, look)))


def settings_of(said: Mapping[str, Any]) -> Settings:
    """Return the settings that a run recorded; what this version does not know is as it comes."""
    known = {each.name for each in fields(Settings)}
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in said.items() if name in known
    }
    try:
        return Settings(**values)
    except (ColorizeError, TypeError):
        return Settings()


def _of_film(hints: Hints, made: str) -> Hints:
    """Return what a film takes of hints; raises `InputError` where that is nothing new, and points were put."""
    taken = hints.of_film
    if hints.strokes and taken.mark == made:
        raise InputError("A point is of one moment, and films take none; the rest holds for each frame.")
    return taken


def _read(source: File, settings: Settings, size: int) -> Small:
    if not source.film:
        with brought(source.path) as near:
            return read_small(near, settings, _SIDE, [size])
    small = read_poster(source.path, _SIDE, [size])
    if judge(small.pixels, None).kind == "color":
        raise InputError("No preview: what is shown of the film is in colour already, and keeps its own.")
    return small


def _source(item: Item, hints: Hints) -> File | None:
    """Return the original that takes colours; None where nothing is said that would change it."""
    row = item.row
    if row.status not in KEPT or item.source is None:
        if not hints.mark:
            return None
        why = row.reason if row.status not in KEPT else "the original is not at hand"
        raise InputError(f"No preview: {why or row.status}.")
    if row.made_cause == Cause.IN_COLOUR and hints.decision != "left-grey":
        raise InputError("It is in colour already, so its hints are not used; --on-color-list recolors single ones.")
    return item.source


def with_any_engine(settings: Settings) -> Net:
    """As `settled_net`; where the engine of the archive's last run is not here any more, another one does."""
    try:
        return settled_net(settings)
    except ColorizeError:
        return settled_net(replace(settings, engine="auto", precision="auto"))

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
from pipeline.colour.recipe import Look, coloured, with_hints
from pipeline.ground.errors import Cause, ColorizeError, InputError
from pipeline.ground.hints import Exemplar, Hints, own_mark
from pipeline.ground.items import KEPT, Kind
from pipeline.ground.settings import Settings
from pipeline.media.photo.series import Series
from pipeline.nets.net import Net
from pipeline.run.engine import settled_net
from pipeline.web.gallery.entries import Entry, entry_of
from pipeline.web.review.said import hints_for, steering
from pipeline.web.review.small import Small, jpeg, read_small

_SIDE: Final = 1024  # pixels
_KEPT: Final = 8  # pictures that stay prepared


@dataclass(slots=True)
class _Prepared:
    """A picture that was read, and the net's answers to it, by palette and by what steers it."""

    small: Small
    answers: dict[tuple[str, tuple[Exemplar, ...]], NDArray[np.float32]] = field(default_factory=dict)


class Previews:
    """Makes them, one at a time, with the settings and the net of the archive's last run."""

    def __init__(self, output: Path, net_of: Callable[[Settings], Net] = settled_net) -> None:
        """Take an OUTPUT; its net is loaded when the first preview is asked for."""
        self._output, self._net_of = output, net_of
        self._lock = threading.Lock()
        self._series = Series()
        self._net: tuple[Settings, Net] | None = None
        self._prepared = OrderedDict[tuple[str, str], _Prepared]()

    def of(self, key: str, told: Mapping[str, Any]) -> bytes:
        """Return a JPEG of a picture as it would be made, or nothing where its output is that already.

        Args:
            key: of the picture.
            told: what is said of it now, as the page has it; see `hints_for`.

        Raises:
            InputError: there is no such picture, or none that takes colours.
            SettingsError: what is told makes no sense.
            ItemError: the original cannot be read.
            ModelError: the archive's net cannot be used.
        """
        with Journal(self._output, read_only=True) as journal:
            item, run = entry_of(journal, key), journal.last_run()
            if item is None or run is None:
                raise InputError(f"{key}: no such picture here.")
            series = run.settings.get("series") == "folder"
            written = written_hints(self._output)
            exemplars = steering(journal, item, written) if series else ()
        hints = hints_for(item, told, written, [Path(unescape(each)) for each in run.inputs])
        hints = replace(hints, exemplars=() if hints.decision else exemplars)
        made = hints_in(item.row.fingerprint)
        approved = hints.decision == "approved" and own_mark(hints.mark) == own_mark(made)
        same = item.row.status in KEPT and (approved or hints.mark == made)
        if same or hints.decision == "rejected":
            return b""
        source = _source(item, hints)
        if source is None:
            return b""
        settings = settings_of(run.settings)
        with self._lock:
            return self._made((key, item.source.digest if item.source else ""), source, settings, hints)

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

    def _loaded(self, settings: Settings) -> Net:
        if self._net is None or self._net[0] != settings:
            self._net = settings, self._net_of(settings)
            self._prepared.clear()
        return self._net[1]

    def _made(self, name: tuple[str, str], source: Path, settings: Settings, hints: Hints) -> bytes:
        net = self._loaded(settings)
        size = net.spec.input_size
        prepared = self._prepared.get(name) or _Prepared(read_small(source, settings, _SIDE, [size]))
        self._prepared[name] = prepared
        self._prepared.move_to_end(name)
        if len(self._prepared) > _KEPT:
            self._prepared.popitem(last=False)
        small = prepared.small
        if hints.decision == "left-grey":
            return jpeg(small.shown(small.pixels))
        palette = hints.palette or settings.palette
        told = replace(settings, palette=palette)
        answer = (palette, hints.exemplars)
        if answer not in prepared.answers:
            steered = self._series.steered(repainted(net, palette), hints.exemplars, self._output, told)
            prepared.answers[answer] = steered.predict(small.lightness[size])
        saturation = settings.saturation if hints.saturation is None else hints.saturation
        look = Look(saturation, settings.lightness, hints)
        ab = with_hints(prepared.answers[answer], small.pixels, look)
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


def _source(item: Entry, hints: Hints) -> Path | None:
    """Return the original that takes colours; None where nothing is said that would change it."""
    row = item.row
    if row.status not in KEPT or item.source is None:
        if not hints.mark:
            return None
        why = row.reason if row.status not in KEPT else "the original is not at hand"
        raise InputError(f"No preview: {why or row.status}.")
    if row.kind == Kind.FILM:
        raise InputError("Films take no colours by hints yet; they are approved and rejected.")
    if row.made_cause == Cause.IN_COLOUR and hints.decision != "left-grey":
        raise InputError("It is in colour already, so its hints are not used; --on-color-list recolors single ones.")
    return item.source.path


def with_any_engine(settings: Settings) -> Net:
    """As `settled_net`; where the engine of the archive's last run is not here any more, another one does."""
    try:
        return settled_net(settings)
    except ColorizeError:
        return settled_net(replace(settings, engine="auto", precision="auto"))

"""Which net and engine a run will use: settled once, in the driver, before anything is begun."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipeline.nets.parity import choose_engine
from pipeline.nets.registry import resolve
from pipeline.nets.spec import NetSpec
from pipeline.settings import Settings


def settle_engine(settings: Settings) -> tuple[Settings, NetSpec]:
    """Return the settings with `engine` and `precision` resolved from "auto", and the net they name.

    Raises:
        ModelError: the net is missing, unfit or does not match its checksum, or the engine cannot run it.
    """
    spec = resolve(settings.model, Path(settings.models_dir) if settings.models_dir else None)
    chosen = choose_engine(spec, settings.engine, settings.precision)
    return replace(settings, engine=chosen.engine, precision=chosen.precision), spec

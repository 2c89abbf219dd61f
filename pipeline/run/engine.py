"""Which net a run will use and what can run it: settled once, in the driver, before anything is begun."""

from __future__ import annotations

from pipeline.archive.journal import Journal
from pipeline.ground.settings import Settings
from pipeline.media.medium import loaded
from pipeline.nets.engine import Engine
from pipeline.nets.engines.choice import Choice, choose_engine
from pipeline.nets.net import Net
from pipeline.nets.resolve import find_net
from pipeline.nets.spec import NetSpec


def settle(settings: Settings) -> tuple[NetSpec, Choice]:
    """Return the net that the settings name, and what runs it here.

    Raises:
        ModelError: the net is missing, unfit or does not match its checksum, or the engine cannot run it.
    """
    spec = find_net(settings)
    return spec, choose_engine(spec, settings.engine, settings.precision)


def settled_net(settings: Settings) -> Net:
    """Return the net that the settings name, loaded, its answers treated by their palette; raises as `settle`."""
    spec, choice = settle(settings)
    return loaded(spec, choice.engine, settings.palette)


def settled_for(journal: Journal, choice: Choice, settings: Settings) -> Engine:
    """Return the engine of this run: that of the last one into the same OUTPUT, where it is still fit."""
    run = journal.last_run()
    last = Engine(str(run.settings.get("engine")), str(run.settings.get("precision"))) if run else None
    return choice.keep(last, settings.engine, settings.precision)

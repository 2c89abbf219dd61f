"""Which net and engine a run will use: settled once, in the driver, before anything is begun."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipeline.archive.journal import Journal, journal_path
from pipeline.nets.parity import choose_engine
from pipeline.nets.resolve import find_net
from pipeline.nets.spec import NetSpec
from pipeline.settings import Settings


def settle_engine(settings: Settings, output: Path | None = None) -> tuple[Settings, NetSpec]:
    """Return the settings with `engine` and `precision` resolved from "auto", and the net they name.

    "auto" stays with what the last run into `output` used, as long as that still passes its check here: engine and
    precision are part of the fingerprint, and a finished archive must not be done anew because a library was installed
    or a stopwatch wavered.

    Raises:
        ModelError: the net is missing, unfit or does not match its checksum, or the engine cannot run it.
        OutputError: `output` holds a journal that cannot be read.
    """
    spec = find_net(settings)
    chosen = choose_engine(spec, settings.engine, settings.precision)
    engine, precision = chosen.engine, chosen.precision
    if output is not None and (last := _last_engine(output)):
        fit = {(trial.engine, trial.precision) for trial in chosen.trials if trial.passed}
        if last in fit and settings.engine in ("auto", last[0]) and settings.precision in ("auto", last[1]):
            engine, precision = last
    return replace(settings, engine=engine, precision=precision), spec


def _last_engine(output: Path) -> tuple[str, str] | None:
    if not journal_path(output).exists():
        return None
    with Journal(output, read_only=True) as journal:
        run = journal.last_run()
    return (str(run.settings.get("engine")), str(run.settings.get("precision"))) if run else None

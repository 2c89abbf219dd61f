"""Which net and engine a run will use: settled once, in the driver, before anything is begun."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.archive.journal import Journal
from pipeline.nets import parity
from pipeline.nets.engines import Engine
from pipeline.nets.resolve import find_net
from pipeline.nets.spec import NetSpec
from pipeline.settings import Settings


@dataclass(frozen=True, slots=True)
class Choice:
    """Stand-in until the nets room brings its own."""

    chosen: parity.Choice

    def keep(self, last: Engine | None, settings: Settings) -> Engine:
        """Stay with the last run's engine where it is fit and wished."""
        fit = {Engine(trial.engine, trial.precision) for trial in self.chosen.trials if trial.passed}
        if (
            last is not None
            and last in fit
            and settings.engine in ("auto", last.name)
            and settings.precision in ("auto", last.precision)
        ):
            return last
        return Engine(self.chosen.engine, self.chosen.precision)


def settle(settings: Settings) -> tuple[NetSpec, Choice]:
    """Return the net that the settings name, and what can run it here.

    Raises:
        ModelError: the net is missing, unfit or does not match its checksum, or the engine cannot run it.
    """
    spec = find_net(settings)
    return spec, Choice(parity.choose_engine(spec, settings.engine, settings.precision))


def last_engine(journal: Journal) -> Engine | None:
    """Return what the last run used, or None.

    A finished archive must not be done anew because a library was installed or a stopwatch wavered: engine and
    precision are part of the fingerprint.
    """
    run = journal.last_run()
    return Engine(str(run.settings.get("engine")), str(run.settings.get("precision"))) if run else None

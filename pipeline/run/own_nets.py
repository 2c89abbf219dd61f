"""What hints choose for single pictures comes to: their nets, each looked for once, in the driver, and their charts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pipeline.ground.errors import ColorizeError
from pipeline.ground.hints import Hints
from pipeline.ground.settings import Settings
from pipeline.media.medium import chart_of
from pipeline.media.own_net import OwnNet
from pipeline.nets.engine import Engine
from pipeline.nets.spec import NetSpec
from pipeline.run.engine import settle


class OwnNets:
    """What is found under the names that hints give; grows while INPUT is walked."""

    def __init__(self, settings: Settings, engine: Engine, usual: Callable[[], NetSpec]) -> None:
        """Take the run's settings, its engine, and what tells its net.

        Where the engine is fit for another net, it runs that, too.
        """
        self._settings, self._engine, self._usual = settings, engine, usual
        self._found = dict[str, OwnNet]()

    def of(self, model: str) -> OwnNet:
        """Return what is found under a name; never raises."""
        if model not in self._found:
            self._found[model] = self._look(model)
        return self._found[model]

    def completed(self, hints: Hints) -> Hints:
        """Return hints with what outputs are known by that are made by the net and palette that they choose.

        Either may bring in a chart that the fingerprint of the run does not know of.
        """
        if not (hints.model or hints.palette):
            return hints
        own = self.of(hints.model) if hints.model else None
        spec = self._usual() if own is None else own.spec
        chart = chart_of(spec, hints.palette or self._settings.palette) if spec else ""
        return replace(hints, net=own.mark if own else "", chart=chart)

    @property
    def found(self) -> tuple[OwnNet, ...]:
        """All that was asked for, by name."""
        return tuple(self._found[model] for model in sorted(self._found))

    def _look(self, model: str) -> OwnNet:
        settings = replace(self._settings, model=model, prototxt="", points="")
        try:
            spec, choice = settle(settings)
        except ColorizeError as error:
            return OwnNet(model, problem=str(error))
        return OwnNet(model, spec, choice.keep(self._engine, settings.engine, settings.precision))

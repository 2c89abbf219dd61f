"""The nets that hints choose for single pictures: each looked for once, in the driver."""

from __future__ import annotations

from dataclasses import replace

from pipeline.ground.errors import ColorizeError
from pipeline.ground.settings import Settings
from pipeline.media.own_net import OwnNet
from pipeline.nets.engine import Engine
from pipeline.run.engine import settle


class OwnNets:
    """What is found under the names that hints give; grows while INPUT is walked."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        """Take the run's settings, and its engine: where that is fit for another net, it runs that, too."""
        self._settings, self._engine = settings, engine
        self._found = dict[str, OwnNet]()

    def of(self, model: str) -> OwnNet:
        """Return what is found under a name; never raises."""
        if model not in self._found:
            self._found[model] = self._look(model)
        return self._found[model]

    def mark(self, model: str) -> str:
        """Return what outputs made by it are known by; empty where there is none."""
        return self.of(model).mark

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

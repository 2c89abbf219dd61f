"""A net as the rest of the program sees it: lightness in, ab out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from pipeline.ground.errors import EngineError, ModelError, in_short, out_of_memory
from pipeline.nets.engine import Engine
from pipeline.nets.prediction import Guess, Points, decode, encode
from pipeline.nets.spec import NetSpec

# What an engine is, once it has loaded a net: arrays by input name in, the first output as it comes out.
Run = Callable[[Mapping[str, NDArray[Any]]], NDArray[Any]]


class Net(Protocol):
    """What workers use: one net in one engine, with one thread."""

    @property
    def spec(self) -> NetSpec:
        """What the net is."""

    @property
    def engine(self) -> Engine:
        """What runs it."""

    def predict(self, lightness: NDArray[np.float32]) -> NDArray[np.float32]:
        """Predict colour.

        Args:
            lightness: float32 (S, S), CIE L* 0..100, S = `spec.input_size`.

        Returns:
            float32 (h, w, 2), CIE a*, b* in Lab units, at the net's own output size.

        Raises:
            EngineError: the engine stopped working.
            ModelError: its answer is not what the net's entry says, or not finite.
        """


@runtime_checkable
class GuessingNet(Net, Protocol):
    """A net of which it can be asked how sure it is, too."""

    def guess(self, lightness: NDArray[np.float32]) -> Guess:
        """Predict colour, and its spread where the net tells it; the rest as `predict`."""


@runtime_checkable
class PointedNet(Net, Protocol):
    """A net that may take points of colour; `spec.takes_points` says whether it does."""

    def pointed(self, lightness: NDArray[np.float32], points: Points) -> NDArray[np.float32]:
        """Predict colour with points told; the rest as `predict`."""


def guessed(net: Net, lightness: NDArray[np.float32]) -> Guess:
    """Ask a net how sure it is, too, where it can be asked; arguments and errors as `Net.predict`."""
    return net.guess(lightness) if isinstance(net, GuessingNet) else Guess(net.predict(lightness), None)


class Around:
    """Base of a net that treats what the net in it answers, and is that one in all else."""

    __slots__ = ()

    net: Net

    @property
    def spec(self) -> NetSpec:
        """See `Net.spec`."""
        return self.net.spec

    @property
    def engine(self) -> Engine:
        """See `Net.engine`."""
        return self.net.engine


@dataclass(frozen=True, slots=True)
class LoadedNet:
    """A net that an engine has loaded (implements `GuessingNet`, `PointedNet`)."""

    spec: NetSpec
    engine: Engine
    run: Run

    def predict(self, lightness: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Net.predict`."""
        return self.guess(lightness).ab

    def guess(self, lightness: NDArray[np.float32]) -> Guess:
        """See `GuessingNet.guess`."""
        return self._answered(encode(lightness, self.spec))

    def pointed(self, lightness: NDArray[np.float32], points: Points) -> NDArray[np.float32]:
        """See `PointedNet.pointed`."""
        return self._answered(encode(lightness, self.spec, points)).ab

    def _answered(self, fed: Mapping[str, NDArray[Any]]) -> Guess:
        try:
            raw = self.run(fed)
        except Exception as error:  # each engine has its own; what they are fed is always of one kind
            if out_of_memory(error):
                raise MemoryError(str(error)) from error
            if isinstance(error, ModelError):
                raise
            raise EngineError(
                f"The engine {self.engine} stopped working on {self.spec.name}: {in_short(error)}"
            ) from error
        return decode(raw, self.spec)

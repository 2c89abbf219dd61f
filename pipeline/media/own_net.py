"""A net that a person chose for single pictures: found by the driver, loaded by a worker that needs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.ground.errors import ModelError
from pipeline.nets.engine import Engine
from pipeline.nets.engines.open import open_net
from pipeline.nets.net import Net
from pipeline.nets.spec import NetSpec


@dataclass(frozen=True, slots=True)
class OwnNet:
    """What was found under the name that a hint gives.

    Attributes:
        model: that name.
        spec: the net; None where there is none that can be used.
        engine: what runs it.
        problem: why it cannot be used, a sentence; empty where it can.
    """

    model: str
    spec: NetSpec | None = None
    engine: Engine | None = None
    problem: str = ""

    @property
    def mark(self) -> str:
        """What outputs made by it are known by; empty where it cannot be used."""
        return f"{self.spec.sha256} {self.engine}" if self.spec else ""


class Second:
    """A worker's second net: kept for as long as one item after the other has it."""

    def __init__(self) -> None:
        """Hold none."""
        self._held: tuple[OwnNet, Net] | None = None

    def drop(self) -> None:
        """Give its memory back."""
        self._held = None

    def net(self, own: OwnNet, make_room: Callable[[], None]) -> Net:
        """Load a net, unless it is the one at hand; the other one goes first, then it is seen that there is memory.

        Raises:
            ModelError: it cannot be used; and what `make_room` raises.
        """
        if self._held is None or self._held[0] != own:
            self.drop()
            if own.spec is None or own.engine is None:
                raise ModelError(own.problem)
            make_room()
            self._held = own, open_net(own.spec, own.engine)
        return self._held[1]

"""Which engine runs a net here: the fastest one installed whose answers agree with OpenCV's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.nets.spec import NetSpec


@dataclass(frozen=True, slots=True)
class Choice:
    """The engine and precision that were chosen."""

    engine: str
    precision: str


def choose_engine(
    spec: NetSpec, wanted: str = "auto", precision: str = "auto", cache_dir: Path | None = None
) -> Choice:
    """Return OpenCV in float32 wherever nothing else was asked for."""
    return Choice("opencv" if wanted == "auto" else wanted, "float32" if precision == "auto" else precision)

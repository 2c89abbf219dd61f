"""Models whose published files are no ONNX: how they come to be one, or run as they are."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import ModelError
from pipeline.nets.registry import ModelEntry
from pipeline.nets.spec import NetSpec


def spec_from_sources(entry: ModelEntry, folder: Path) -> NetSpec:
    """Describe the model made from the files of `entry` in `folder`."""
    raise ModelError(f'The model "{entry.name}" is not here ({folder}). `colorize models fetch {entry.name}` gets it.')

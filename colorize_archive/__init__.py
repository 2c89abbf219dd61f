"""Colorize pictures and archives from Python: what `colorize` does, for programs. docs/api.md shows how.

Everything here does its work in `pipeline`; only what this module exports is kept stable from version to version.
"""

from __future__ import annotations

from colorize_archive.colorizer import Colorizer, Outcome
from pipeline import __version__
from pipeline.colour.verdict import Verdict
from pipeline.ground.errors import (
    ColorizeError,
    EngineError,
    InputError,
    LockedError,
    ModelError,
    OutputError,
    SettingsError,
)
from pipeline.ground.items import Status
from pipeline.run.summary import Summary

__all__ = [
    "ColorizeError",
    "Colorizer",
    "EngineError",
    "InputError",
    "LockedError",
    "ModelError",
    "Outcome",
    "OutputError",
    "SettingsError",
    "Status",
    "Summary",
    "Verdict",
    "__version__",
]

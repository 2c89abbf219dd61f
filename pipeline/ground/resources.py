"""Where the files lie that travel with the program: the registry, the embedded net, the ready-made settings."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def _folder(name: str) -> Path:
    # A wheel carries the folder inside the package; a checkout has it beside the package.
    inside = _PACKAGE / "share" / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def models_dir() -> Path:
    """Return the folder with `models.toml` and the embedded net."""
    return _folder("models")


def configs_dir() -> Path:
    """Return the folder with the ready-made settings (`archive.toml` and others)."""
    return _folder("configs")

"""What the Tab key offers where a name or a file may stand."""

from __future__ import annotations

from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem

from pipeline.ground.resources import configs_dir


def complete_config(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Offer the ready-made settings, and files."""
    return _names_or_files(sorted(path.stem for path in configs_dir().glob("*.toml")), begun)


def complete_model(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Offer the registry's names, and files."""
    from pipeline.nets.store.registry import load_registry  # only when Tab asks for it

    return _names_or_files(load_registry().entries, begun)


def _names_or_files(names: Iterable[str], begun: str) -> list[CompletionItem]:
    fitting = [CompletionItem(name) for name in names if name.startswith(begun)]
    return fitting or [CompletionItem(begun, type="file")]

"""What the Tab key offers where a name or a file may stand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import click
from click.shell_completion import CompletionItem

from pipeline.ground.resources import configs_dir
from pipeline.ground.settings import field_of

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def complete_config(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Offer the ready-made settings, and files."""
    return _or_files(sorted(path.stem for path in configs_dir().glob("*.toml")), begun)


def complete_model(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Offer the registry's names, and files."""
    return _or_files(_models(), begun)


def complete_model_name(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Offer the registry's names."""
    return _names(_models(), begun)


def complete_models(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Offer the registry's names behind the commas of a list."""
    return _listed(_models(), begun)


def complete_palettes(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Offer the palettes behind the commas of a list."""
    return _listed(field_of("palette").metadata["choices"], begun)


def complete_file(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Offer files."""
    return _or_files((), begun)


def complete_folder(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Offer folders."""
    return [CompletionItem(begun, type="dir")]


# What stands behind a setting's flag, by what the help calls its value.
BY_METAVAR: Final[dict[str, Complete]] = {"NAME|FILE": complete_model, "FILE": complete_file, "DIR": complete_folder}


def _models() -> Iterable[str]:
    from pipeline.nets.store.registry import load_registry  # only when Tab asks for it

    return load_registry().entries


def _names(names: Iterable[str], begun: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(begun)]


def _listed(names: Iterable[str], begun: str) -> list[CompletionItem]:
    before, comma, last = begun.rpartition(",")
    return [CompletionItem(f"{before}{comma}{name}") for name in names if name.startswith(last)]


def _or_files(names: Iterable[str], begun: str) -> list[CompletionItem]:
    # In this order: bash forgets what stood before a file.
    return [CompletionItem(begun, type="file"), *_names(names, begun)]

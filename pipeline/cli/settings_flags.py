"""The settings as flags: drawn from the fields of `Settings`, so that they cannot drift apart."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import Field, fields
from typing import Any, TypeVar

import click

from pipeline.cli.completing import BY_METAVAR, complete_config
from pipeline.cli.presentation import Place, tell
from pipeline.ground.gather import gather, parse_value, unknown_variables
from pipeline.ground.settings import TYPES, Settings

Command = TypeVar("Command", bound=Callable[..., Any])

# How the value of a number is called in the help, by its type: a whole one, or any.
NUMBERS = {int: "N", float: "NUMBER"}

SHORT = {"jobs": "-j", "model": "-m"}


def _flag(declared: Field[Any]) -> Callable[[Command], Command]:
    name, meta = declared.name, declared.metadata
    long = "--" + name.replace("_", "-")
    shown = declared.default
    said = f"{shown:g}" if isinstance(shown, float) else shown
    text = meta["text"] + (f" [{said}]" if shown not in ("", ()) and not isinstance(shown, bool) else "")
    if isinstance(shown, bool):
        return click.option(f"{long}/--no-{long[2:]}", name, default=None, help=text)
    names = [long, SHORT[name]] if name in SHORT else [long]
    if shown == ():
        return click.option(*names, name, multiple=True, metavar=meta["metavar"], help=text)
    kind = click.Choice(meta["choices"]) if meta["choices"] else None
    metavar = meta["metavar"] or NUMBERS.get(TYPES[name])
    completes = BY_METAVAR.get(meta["metavar"])
    return click.option(*names, name, type=kind, metavar=metavar, help=text, shell_complete=completes)


def settings_flags(*names: str) -> Callable[[Command], Command]:
    """Give a command --config, --set and a flag for each of `names` (default: for every setting)."""
    wanted = [each for each in fields(Settings) if not names or each.name in names]

    def decorate(command: Command) -> Command:
        for declared in reversed(wanted):
            command = _flag(declared)(command)
        command = click.option(
            "--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Any setting (may be repeated)."
        )(command)
        return click.option(
            "--config",
            type=Place(),
            metavar="FILE",
            shell_complete=complete_config,
            help="Settings from a TOML file, or archive, fast, video, preservation, tutorial.",
        )(command)

    return decorate


def _warn(sentence: str) -> None:
    tell(f"colorize: {sentence}", err=True)


def read_settings(values: dict[str, Any], *, warn: Callable[[str], None] = _warn) -> Settings:
    """Collect the settings of one call.

    Args:
        values: what click gave the command: `config`, `assignments`, and the settings' flags.
        warn: told of each variable of the environment that is most likely mistyped.

    Raises:
        SettingsError: something unknown or unfit.
    """
    for sentence in unknown_variables(os.environ):
        warn(sentence)
    flags = {}
    for name, value in values.items():
        if name in ("config", "assignments") or value is None or value == ():
            continue
        flags[name] = parse_value(name, value) if isinstance(value, str) else value
    return gather(
        config=values.get("config"), environment=os.environ, assignments=values.get("assignments", ()), flags=flags
    )

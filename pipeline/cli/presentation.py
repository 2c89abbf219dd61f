"""How results and messages are shown: options that every command shares."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from pipeline.archive.spelling import printable
from pipeline.ground.addresses import NOT_HERE
from pipeline.ground.errors import SettingsError
from pipeline.ground.homes import from_home
from pipeline.ground.storage import Origin, located

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(slots=True)
class Presentation:
    """What -v and -q asked for; one object for the whole call.

    Attributes:
        verbose: show tracebacks and details.
        quiet: errors only.
        as_json: results, and errors, as JSON on stdout.
    """

    verbose: bool = False
    quiet: bool = False
    as_json: bool = False


def _remember(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value and parameter.name:
        setattr(ctx.ensure_object(Presentation), parameter.name, True)


def presentation_options(command: Command) -> Command:
    """Give a command -v and -q; the values are found in the context's `Presentation`."""
    for decorate in (
        click.option("-q", "--quiet", is_flag=True, expose_value=False, callback=_remember, help="Errors only."),
        click.option(
            "-v", "--verbose", is_flag=True, expose_value=False, callback=_remember, help="Details of errors."
        ),
    ):
        command = decorate(command)
    return command


def tell(text: str, *, err: bool = False) -> None:
    r"""Print a line. A name that stands in it steers no terminal and breaks no line; bytes no UTF-8 has are `\xe9`."""
    click.echo(printable(text), err=err)


def has_desktop() -> bool:
    """Tell whether there is a screen to show something on.

    Where there is none, xdg-open says a page of other things, and a browser for terminals would take this one.
    """
    return sys.platform != "linux" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


class Place(click.Path):
    """A path as an argument; what is wrong with it is found out when it is used, and said with its exit code."""

    def __init__(self, *, far: bool = False) -> None:
        """Take any path but an empty one; `far`: also the address of a storage."""
        super().__init__(path_type=Path, readable=False)
        self._far = far

    def convert(self, value: Any, parameter: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse an empty text, or `colorize run "$UNSET"` would colorize the current folder."""
        if value == "":
            self.fail("it is empty: name a file or folder.", parameter, ctx)
        if isinstance(value, str):
            place = located(value)
            if isinstance(place, Origin):
                return place if self._far else self.fail(f"{place}: {NOT_HERE}", parameter, ctx)
            value = from_home(value)
        return super().convert(value, parameter, ctx)


class Whole(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A whole number; the help says in words where it must lie, as it does of settings."""

    name = "N"

    def __init__(self, low: int, high: int | None = None) -> None:
        """Take what lies from `low` to `high`."""
        self._low, self._high = low, high

    def convert(self, value: Any, parameter: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read a number, or say what is wanted."""
        try:
            number = int(value)
        except ValueError:
            self.fail(f"{value} is not a whole number.", parameter, ctx)
        if number < self._low or (self._high is not None and number > self._high):
            wanted = f"{self._low} or more" if self._high is None else f"between {self._low} and {self._high}"
            self.fail(f"{number}: it must be {wanted}.", parameter, ctx)
        return number


def state_option(*, known: bool = True) -> Callable[[Command], Command]:
    """Give a command `--state`, and as `output` the folder that holds what is known of OUTPUT; see `housed`."""

    def decorate(command: Command) -> Command:
        @wraps(command)
        def housing(*arguments: Any, output: Path | None, state: Path | None, **values: Any) -> Any:
            from pipeline.archive.state import housed

            if output is None and state is not None:
                raise SettingsError(f"--state {state}: no OUTPUT is named that it belongs to.")
            return command(*arguments, output=output and housed(output, state, known=known), **values)

        option = click.option(
            "--state", metavar="DIR", type=Place(), help="What is known of an OUTPUT in a storage; see scale.md."
        )
        return cast(Command, option(housing))

    return decorate


def _as_json(ctx: click.Context, _parameter: click.Parameter, value: bool) -> bool:
    ctx.ensure_object(Presentation).as_json |= value
    return value


json_option = click.option(
    "--json", "as_json", is_flag=True, callback=_as_json, help="Results, and errors, as JSON on stdout."
)

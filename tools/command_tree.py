"""The commands of the program, one after another, as its help shows them."""

from __future__ import annotations

from collections.abc import Iterator

import click

WIDTH = 78  # what click makes of a terminal of 80 columns


def walk(command: click.Command, name: str, parent: click.Context | None = None) -> Iterator[click.Context]:
    """Yield a context for a command and each command below it, in the order of the help."""
    settings = {"terminal_width": WIDTH, **command.context_settings}
    context = click.Context(command, parent=parent, info_name=name, **settings)
    yield context
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            below = command.get_command(context, each)
            if below is not None:
                yield from walk(below, each, context)

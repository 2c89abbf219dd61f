"""`colorize completion`: what makes the Tab key work in a shell."""

from __future__ import annotations

import os
from pathlib import PurePath

import click

from pipeline.cli.presentation import presentation_options
from pipeline.cli.shells import ANSWERS

SHELLS = tuple(ANSWERS)
VARIABLE = "_COLORIZE_COMPLETE"

EPILOG = """\b
Where it goes, once:
  bash  ~/.local/share/bash-completion/completions/colorize
  zsh   _colorize in a folder of $fpath, or: eval "$(colorize completion zsh)"
  fish  ~/.config/fish/completions/colorize.fish
A wheel installed for the whole system brings all three along.

\b
Examples:
  colorize completion bash
  colorize completion zsh
"""


def script(shell: str) -> str:
    """Return what the shell has to read so that it completes `colorize`.

    Args:
        shell: one of `SHELLS`.
    """
    # Filled in by ourselves: click's own way starts a bash to ask for its version.
    filling = ANSWERS[shell](click.Command("colorize"), {}, "colorize", VARIABLE)
    return filling.source_template % filling.source_vars()


@click.command(epilog=EPILOG)
@click.argument("shell", required=False, type=click.Choice(SHELLS))
@presentation_options
def command(shell: str | None) -> int:
    """Print what makes the Tab key complete commands, options and names.

    Without SHELL: for the one that $SHELL names.
    """
    shell = shell or PurePath(os.environ.get("SHELL", "")).name
    if shell not in SHELLS:
        raise click.UsageError(f"Name the shell: {', '.join(SHELLS[:-1])} or {SHELLS[-1]}.")
    click.echo(script(shell).rstrip("\n"))
    return 0

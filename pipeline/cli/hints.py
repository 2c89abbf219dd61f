"""`colorize hints`: what a person says of single pictures."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.presentation import Place, presentation_options, state_option, tell

EPILOG = """\b
Examples:
  colorize hints import colorize-decisions.json colour
  colorize hints import --help
"""
_EPILOG_IMPORT = """\b
Exit: 0 all taken, 2 not such a file, 3 some name no picture of OUTPUT, or
another one than it was, 5 cannot be read or written.

\b
Examples:
  colorize hints import colorize-decisions.json colour
  colorize hints import ~/Downloads/colorize-decisions.json
"""


@click.group(epilog=EPILOG)
def command() -> None:
    """What a person says of single pictures: colours that are known, what stays.

    Hints stand in hints.toml, in OUTPUT or in a folder of INPUT; docs/hints.md
    says how they are written. `colorize run` does what has changed.
    """


@command.command("import", epilog=_EPILOG_IMPORT)
@click.argument("decisions", metavar="DECISIONS.json", type=Place())
@click.argument("output", metavar="[OUTPUT]", default=".", type=Place(far=True))
@presentation_options
@state_option()
def import_(decisions: Path, output: Path) -> int:
    """Take decisions that were made on the gallery's page into OUTPUT/hints.toml.

    OUTPUT is this folder where none is given; of one in a storage its state
    folder has the hints. What was written there by hand stays, comments too.
    """
    from pipeline.archive.hinting import import_decisions
    from pipeline.ground import shelf

    came = import_decisions(decisions, output)
    for key in came.unknown:
        tell(f"{key}: no such picture in {shelf.name(output)}", err=True)
    for key in came.others:
        tell(f"{key}: not the picture that was decided on, its sha256 is another", err=True)
    for key in came.undone:
        tell(f"{key}: its earlier decision is taken back", err=True)
    tell(f"{came.taken:,} taken, {came.unchanged:,} as before: {came.path}")
    return 3 if came.unknown or came.others else 0

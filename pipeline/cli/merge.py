"""`colorize merge`: the OUTPUTs of several shares made into one."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from pipeline.cli.presentation import Place, json_option, presentation_options, state_option, tell
from pipeline.ground.errors import ExitCode

EPILOG = """\b
Examples:
  colorize merge colour-1 colour-2 colour-3 -o colour
  colorize merge /shared/colour-* -o /shared/colour
  colorize merge s3://museum/out-1 s3://museum/out-2 -o s3://museum/colour
"""


@click.command(epilog=EPILOG)
@click.argument("shares", metavar="OUTPUT...", nargs=-1, required=True, type=Place(far=True))
@click.option("-o", "--output", required=True, metavar="DIR", type=Place(far=True), help="Where all goes.")
@json_option
@presentation_options
@state_option(known=False)
def command(shares: tuple[Path, ...], output: Path, as_json: bool) -> int:
    """Make one OUTPUT of those that runs with --shard filled.

    They stay as they are: outputs appear in DIR as hard links, or as copies
    where the file system has none, with one journal and one manifest. Items
    that two of them have, and shares that are missing, are said: exit code 3.

    Each of them, and DIR, may be the address of a storage: what lies there
    passes through this machine.
    """
    from pipeline.archive.merge import merge

    found = merge(shares, output)
    for line in found.remarks:
        tell(line, err=True)
    if as_json:
        click.echo(json.dumps(asdict(found)))
    else:
        tell(f"{found.taken:,} items taken over, {found.known:,} were there already.")
    for line in [*found.problems, *found.gaps]:
        tell(line, err=True)
    if found.more:
        tell(f"... and {found.more:,} more.", err=True)
    return int(ExitCode.SOME_FAILED) if found.problems or found.gaps else 0

"""`colorize recover`: an OUTPUT whose journal is lost."""

from __future__ import annotations

import json
from pathlib import Path

import click

from pipeline.cli.presentation import Place, json_option, presentation_options, state_option, tell

EPILOG = """\b
Examples:
  colorize recover colour
  colorize recover /media/colour -q
"""


@click.command(epilog=EPILOG)
@click.argument("output", metavar="OUTPUT", type=Place(far=True))
@click.option("--take-over", is_flag=True, help="The run of another machine that has an OUTPUT in a storage is dead.")
@json_option
@presentation_options
@state_option(known=False)
def command(output: Path, take_over: bool, as_json: bool) -> int:
    """Make a lost or damaged journal anew, from its copy and the manifest.

    Outputs are taken back by their sha256 in the manifest; those that have
    another one are kept as edited. What was damaged, and the old manifest,
    stay in OUTPUT/.colorize. This machine keeps an OUTPUT in a storage from
    then on; both are brought from there.
    """
    from pipeline.archive.recover import recover

    found = recover(output, take_over=take_over)
    if as_json:
        click.echo(json.dumps(found._asdict()))
        return 0
    tell(f"{found.from_copy:,} items from the journal's copy, {found.from_manifest:,} from the manifest.")
    if found.edited:
        tell(f"{found.edited:,} outputs were changed since they were written: they are kept as `edited`.")
    if found.rejected:
        tell(f"{found.rejected:,} are not wanted: they stay `rejected`.")
    if found.missing:
        tell(f"{found.missing:,} outputs are not there any more: the next run makes them.")
    return 0

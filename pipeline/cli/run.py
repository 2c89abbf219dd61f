"""`colorize run`: an archive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.cli.presentation import Place, Presentation, json_option, presentation_options
from pipeline.cli.settings_flags import read_settings, settings_flags

EPILOG = """\b
Exit: 0 all done, 3 some items failed that no run has told yet (see the
manifest; --strict), 4 model, 5 input or output, 75 another run has OUTPUT,
130/143 stopped: the same command goes on.

\b
Examples:
  colorize run scans -o colour
  colorize run prints negatives -o colour -j 4 --format tif --dry-run
"""


@click.command(epilog=EPILOG)
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True, type=Place())
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="OUTPUT",
    type=Place(),
    help="Folder to fill.",
)
@click.option("--dry-run", is_flag=True, help="List what would be done and why; write nothing.")
@click.option("--no-progress", is_flag=True, help="No bar and no lines in between.")
@json_option
@presentation_options
@settings_flags()
@click.pass_obj
def command(
    presentation: Presentation,
    /,
    inputs: tuple[Path, ...],
    output: Path,
    dry_run: bool,
    no_progress: bool,
    as_json: bool,
    **values: Any,
) -> int:
    """Colorize every photograph and film in INPUT (folders or files) into OUTPUT.

    OUTPUT mirrors INPUT's folders and holds manifest.csv: one row for every
    file that was found. What is finished and unchanged is not done again.
    """
    from pipeline.run.driver import list_archive, run_archive
    from pipeline.run.report import plan_lines, summary_json, summary_lines

    settings = read_settings(values)
    if dry_run:
        for line in plan_lines(list_archive(inputs, output, settings), as_json=as_json):
            click.echo(line)
        return 0
    summary = run_archive(inputs, output, settings, bar=False if no_progress else None, quiet=presentation.quiet)
    if as_json:
        click.echo(summary_json(summary))
    elif not presentation.quiet:
        for line in summary_lines(summary):
            click.echo(line)
    return int(summary.exit_code)

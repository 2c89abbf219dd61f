"""`colorize run`: an archive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.cli.presentation import Place, Presentation, json_option, presentation_options, state_option, tell
from pipeline.cli.settings_flags import read_settings, settings_flags
from pipeline.ground.errors import SettingsError

EPILOG = """\b
Exit: 0 all done, 3 some items failed that no run has told yet (see the
manifest; --strict), 4 model, 5 input or output, 75 another run has OUTPUT,
130/143 stopped: the same command goes on.

\b
Examples:
  colorize run scans -o colour
  colorize run scans -o colour --log-file colorize.log --on-finish ./mail-me
  colorize run prints negatives -o colour -j 4 --format tif --dry-run
"""


@click.command(epilog=EPILOG)
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True, type=Place(far=True))
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="OUTPUT",
    type=Place(far=True),
    help="Folder to fill.",
)
@click.option("--dry-run", is_flag=True, help="List what would be done and why; write nothing.")
@click.option("--no-progress", is_flag=True, help="No bar and no lines in between: --progress none.")
@click.option(
    "--progress",
    type=click.Choice(["auto", "bar", "json", "none"]),
    default="auto",
    help="How progress is shown on stderr; json: an object a line. [auto]",
)
@click.option("--log-file", metavar="FILE", type=Place(), help="Add a line for each item and event to FILE.")
@click.option("--log-format", type=click.Choice(["text", "json"]), default="text", help="Lines of the log. [text]")
@click.option(
    "--metrics", metavar="FILE", type=Place(), help="Keep figures for Prometheus in FILE, as it collects them."
)
@click.option(
    "--on-finish",
    metavar="COMMAND",
    default="",
    help="Call a command at the end, without a shell; COLORIZED_* variables say what came of the run.",
)
@json_option
@presentation_options
@settings_flags()
@click.pass_obj
@state_option(known=False)
def command(
    presentation: Presentation,
    /,
    inputs: tuple[Path, ...],
    output: Path,
    dry_run: bool,
    no_progress: bool,
    progress: str,
    log_file: Path | None,
    log_format: str,
    on_finish: str,
    metrics: Path | None,
    as_json: bool,
    **values: Any,
) -> int:
    """Colorize every photograph and film in INPUT (folders or files) into OUTPUT.

    OUTPUT mirrors INPUT's folders and holds manifest.csv: one row for every
    file that was found. What is finished and unchanged is not done again.

    INPUT and OUTPUT may lie in a storage: s3://, gs://, sftp://, webdav://
    (docs/scale.md). What is known of such an OUTPUT is kept in --state.
    """
    from pipeline.run.driver import list_archive
    from pipeline.run.report import plan_lines, summary_json, summary_lines
    from pipeline.run.reported import Reporting, run_reported

    said: list[str] = []
    settings = read_settings(values, warn=said.append)
    if dry_run:
        for sentence in said:
            tell(f"colorize: {sentence}", err=True)
        for line in plan_lines(list_archive(inputs, output, settings), as_json=as_json):
            tell(line)
        return 0
    if log_file is None and log_format != "text":
        raise SettingsError(f"--log-format {log_format}: name the log with --log-file.")
    progress = "none" if no_progress else progress
    reporting = Reporting(log_file, log_format, progress, on_finish, tuple(said), metrics)
    summary = run_reported(inputs, output, settings, reporting, quiet=presentation.quiet)
    if as_json:
        click.echo(summary_json(summary))
    elif not presentation.quiet:
        for line in summary_lines(summary):
            tell(line)
    return int(summary.exit_code)

"""`colorize doctor`: what this machine will use and why."""

from __future__ import annotations

from typing import Any

import click

from pipeline.cli.presentation import json_option, presentation_options, tell
from pipeline.cli.settings_flags import read_settings, settings_flags

EPILOG = """\b
Exit: 0 pictures can be colorized here; else the code of what is in the way
(4: the model).

\b
Examples:
  colorize doctor
  colorize doctor --anew --json
"""


@click.command(epilog=EPILOG)
@click.option("--anew", is_flag=True, help="Check the engines again; do not trust an earlier check.")
@json_option
@presentation_options
@settings_flags("model", "models_dir", "engine", "precision", "jobs")
def command(anew: bool, as_json: bool, **values: Any) -> int:
    """Say what this machine will use and why, what is broken, and what helps.

    Takes the settings of a run, so that it can be asked about another model
    or engine.
    """
    import json
    from dataclasses import asdict

    settings = read_settings(values)

    from pipeline.measure.diagnosis import diagnose
    from pipeline.measure.diagnosis_text import diagnosis_lines

    found = diagnose(settings, anew=anew)
    if as_json:
        click.echo(json.dumps(asdict(found), indent=2, default=str))
    else:
        for line in diagnosis_lines(found):
            tell(line)
    return int(found.exit_code)

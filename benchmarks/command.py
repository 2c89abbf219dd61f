"""The command line of the benchmarks; `colorize bench` and `python -m benchmarks` are both this."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from benchmarks.report import summary_lines
from benchmarks.suite import QUICK_SIZES, SIZES, Wishes, run_suite
from pipeline.cli.presentation import Place, Presentation, Whole, json_option, presentation_options
from pipeline.cli.settings_flags import read_settings, settings_flags
from pipeline.ground.errors import SettingsError
from pipeline.run.voice import say

EPILOG = """\b
Examples:
  colorize bench --quick
  colorize bench --output bench-out --sizes 0.3,24 --engines opencv,openvino
"""


@click.command("bench", epilog=EPILOG)
@click.option("-o", "--output", metavar="DIR", type=Place(), help="Write performance.md and .json into DIR.")
@click.option("--sizes", metavar="MP,MP...", help="Picture sizes in megapixels. [0.3,2,12,24,100]")
@click.option("--engines", metavar="NAME,...", help="Only these, such as opencv,openvino/bfloat16.")
@click.option("--rounds", metavar="N", type=Whole(1), help="How often all take their turn. [5]")
@click.option("--quick", is_flag=True, help="0.3 and 2 MP, the fastest engine and OpenCV, 2 rounds.")
@json_option
@presentation_options
@settings_flags("model", "models_dir", "jobs")
@click.pass_obj
def command(
    presentation: Presentation,
    /,
    output: Path | None,
    sizes: str | None,
    engines: str | None,
    rounds: int | None,
    quick: bool,
    as_json: bool,
    **values: Any,
) -> int:
    """Measure speed against the OpenCV tutorial's way of colorizing.

    The tutorial's loop and this pipeline take turns on the same made-up scans
    and the same cores; start-up and first pictures are measured apart. The
    tutorial's net is one of the release's size with made-up weights.
    """
    wishes = Wishes(
        sizes=_sizes(sizes) if sizes else QUICK_SIZES if quick else SIZES,
        engines=[name.strip() for name in engines.split(",")] if engines else [],
        rounds=rounds or (2 if quick else 5),
        quick=quick,
        output=output,
    )
    document = run_suite(read_settings(values), wishes, (lambda sentence: None) if presentation.quiet else say)
    if as_json:
        click.echo(json.dumps(document, indent=1))
        return 0
    for line in summary_lines(document):
        click.echo(line)
    if output is not None:
        click.echo(f"The whole of it: {output / 'performance.md'}")
    return 0


def _sizes(text: str) -> list[float]:
    try:
        sizes = [float(part) for part in text.split(",")]
    except ValueError:
        sizes = []
    if not sizes or not all(0.001 <= size <= 1000 for size in sizes):
        raise SettingsError(f"--sizes {text}: write megapixels between 0.001 and 1000, for example 0.3,24.")
    return sizes

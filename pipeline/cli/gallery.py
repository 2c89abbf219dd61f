"""`colorize gallery`: a night's work as pages to look through."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import click
from tqdm import tqdm

from pipeline.archive.spelling import readable
from pipeline.cli.presentation import Place, Presentation, Whole, json_option, presentation_options, state_option, tell

EPILOG = """\b
Exit: 0 it is made, 2 wrong usage, 5 OUTPUT holds no archive or cannot be
written.

\b
Examples:
  colorize gallery colour
  colorize gallery colour --name look --jobs 2
  colorize gallery colour --single-file
  colorize gallery s3://museum/colour --name look
"""


@click.command(epilog=EPILOG)
@click.argument("output", metavar="OUTPUT", type=Place(far=True))
@click.option("--name", default="gallery", metavar="NAME", help="Of the folder inside OUTPUT. [gallery]")
@click.option("--single-file", is_flag=True, help="One file, OUTPUT/NAME.html, with small pictures in it.")
@click.option("-j", "--jobs", type=Whole(1, 512), metavar="N", help="Processes that make thumbnails. [all cores]")
@click.option(
    "--view",
    type=Whole(0, 30_000),
    default=1600,
    metavar="PIXELS",
    help="Longest side of a JPEG beside what no browser shows (TIFF and the like); 0: none. [1600]",
)
@click.option("--no-progress", is_flag=True, help="No progress bar.")
@json_option
@presentation_options
@click.pass_obj
@state_option()
def command(
    presentation: Presentation,
    /,
    output: Path,
    name: str,
    single_file: bool,
    jobs: int | None,
    view: int,
    no_progress: bool,
    as_json: bool,
) -> int:
    """Make a gallery of OUTPUT that a browser opens from the disk.

    Before and after side by side, what failed and why, decisions that can be
    downloaded. It needs no server and no network. Originals are only read; a
    second call looks only at what has changed. A run may work meanwhile. Of an
    OUTPUT in a storage it is made in its state folder.
    """
    from pipeline.web.gallery.build import Options, make_gallery

    options = Options(name, view, jobs or os.cpu_count() or 1, single_file)
    hidden = no_progress or presentation.quiet or not sys.stderr.isatty()
    with tqdm(unit=" thumbnails", disable=hidden, leave=False) as bar:
        made = make_gallery(output, options, bar.reset, bar.update)
    if as_json:
        said = {
            "page": readable(str(made.page)),
            "items": made.items,
            "thumbnails_made": made.made,
            "without_picture": made.unseen,
        }
        click.echo(json.dumps(said))
    elif not presentation.quiet:
        size = f", {made.bytes / 1e6:,.1f} MB" if made.bytes else ""
        tell(f"{made.page}: {made.items:,} items, {made.made:,} thumbnails made now{size}.")
        if made.unseen:
            tell(f"{made.unseen:,} items have no picture there; the page says why.")
    return 0

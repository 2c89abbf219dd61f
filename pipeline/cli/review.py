"""`colorize review`: a night's work looked through, corrected and approved on a page of this machine."""

from __future__ import annotations

import os
import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

import click
from tqdm import tqdm

from pipeline.cli.presentation import Place, Presentation, Whole, has_desktop, presentation_options, state_option, tell

if TYPE_CHECKING:
    from pipeline.web.gallery.build import Gallery

EPILOG = """\b
Exit: 130, 143 Ctrl-C or SIGTERM ended it, all that was decided is written;
2 hints.toml makes no sense; 5 OUTPUT holds no archive, or the port is taken.

\b
Examples:
  colorize review colour
  colorize review colour --port 8800 --open
"""


@click.command(epilog=EPILOG)
@click.argument("output", metavar="OUTPUT", type=Place(far=True))
@click.option("--port", type=Whole(0, 65535), default=0, metavar="N", help="0 takes a free one. [0]")
@click.option("--name", default="gallery", metavar="NAME", help="Of the gallery's folder in OUTPUT. [gallery]")
@click.option("-j", "--jobs", type=Whole(1, 512), metavar="N", help="Processes that make thumbnails. [all cores]")
@click.option("--open", "open_", is_flag=True, help="Open the page in the browser.")
@click.option("--no-progress", is_flag=True, help="No progress bar.")
@presentation_options
@click.pass_obj
@state_option()
def command(
    presentation: Presentation, /, output: Path, port: int, name: str, jobs: int | None, open_: bool, no_progress: bool
) -> int:
    """Look through OUTPUT on a page of this machine, and correct it.

    The gallery's page, served on 127.0.0.1 under an address that nobody can
    guess. What is decided there stands in OUTPUT/hints.toml at once, and the
    next `colorize run` makes it; a colour that is put on a picture is shown
    at once. Originals are only read. A run may work meanwhile. Ctrl-C ends it.
    """
    from pipeline.run.signals import stop_on_signals
    from pipeline.web.review.serve import Wanted, review

    def announce(address: str, made: Gallery | None) -> None:
        bar.close()
        items = f" ({made.items:,} items)" if made else ""
        tell(f"Review at {address}{items}; Ctrl-C ends it.", err=True)
        if open_ and not (has_desktop() and webbrowser.open(address)):
            tell("There is no browser here that opens it; the address works in one of this machine.", err=True)

    hidden = no_progress or presentation.quiet or not sys.stderr.isatty()
    wanted = Wanted(port, jobs or os.cpu_count() or 1, name)
    with stop_on_signals(lambda sentence: None) as stop, tqdm(unit=" thumbnails", disable=hidden, leave=False) as bar:
        count = review(output, wanted, announce, lambda: stop.requested, bar.reset, bar.update)
    if not presentation.quiet:
        text = "Nothing was decided." if not count else (
            f"Decided of {count:,} picture{'s' if count > 1 else ''}, in {output / 'hints.toml'}; the next "
            "`colorize run` makes it."
        )  # fmt: skip
        tell(text, err=True)
    return int(stop.code or 0)

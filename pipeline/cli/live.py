"""`colorize live`: a camera, a stream or a film, coloured while one looks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.completing import complete_file
from pipeline.cli.presentation import Place, Presentation, Whole, presentation_options, tell
from pipeline.cli.settings_flags import read_settings, settings_flags
from pipeline.ground.errors import OutputError

if TYPE_CHECKING:
    from pipeline.ground.settings import Settings
    from pipeline.web.live.save import Recorder
    from pipeline.web.live.screen import Figures

EPILOG = """\b
Exit: 0 it ended, or `q` was pressed; 130, 143 Ctrl-C or SIGTERM, what was
saved is whole; 5 no such camera or file, no answer, or the port is taken.

\b
Examples:
  colorize live 0
  colorize live rtsp://camera.local/stream --save evening.mp4
  colorize live reel.mp4 --width 640 --port 0
"""


@click.command(epilog=EPILOG)
@click.argument("source", metavar="SOURCE", shell_complete=complete_file)
@click.option("--save", metavar="FILE", type=Place(), help="Keep what is shown as a film; without sound.")
@click.option("-f", "--force", is_flag=True, help="Replace FILE if it is there.")
@click.option("--width", type=Whole(16, 4096), default=500, metavar="N", help="Most pixels across, 16 to 4096. [500]")
@click.option("--host", default="127.0.0.1", metavar="ADDRESS", help="Where the page is served; beyond this machine"
              " only with the token in the address that is printed. [127.0.0.1]")  # fmt: skip
@click.option("--port", type=Whole(0, 65535), default=8765, metavar="N", help="0 takes a free one. [8765]")
@click.option("--fast", is_flag=True, help="Play a file as fast as it can be coloured, dropping nothing.")
@presentation_options
@settings_flags(
    "model", "models_dir", "engine", "precision", "palette", "saturation", "lightness", "encoder", "film_quality",
    "preset", "steady", "keyframes",
)  # fmt: skip
@click.pass_obj
def command(
    presentation: Presentation, /, source: str, save: Path | None, force: bool, width: int, host: str, port: int,
    fast: bool, **values: Any,
) -> int:  # fmt: skip
    """Show SOURCE as it is, in grey and colorized, on a page of this machine.

    SOURCE is the number of a camera, a device, an RTSP or HTTP address, or a
    film, which is played at its own speed. What is too slow drops frames
    instead of lagging. `q`, here or on the page, or Ctrl-C ends it.
    """
    from pipeline.run.engine import settled_net
    from pipeline.run.signals import stop_on_signals
    from pipeline.web.live.painter import Painter
    from pipeline.web.live.show import Address, Show
    from pipeline.web.live.source import find_source

    settings = read_settings(values)
    found = find_source(source, width)
    recorder = _recorder(save, Path(source), settings, force=force)
    painter = Painter.warm(settled_net(settings), settings, patient=fast)
    with stop_on_signals(lambda sentence: None) as stop:
        show = Show(found, painter, recorder, fast=fast)
        figures = show.run(Address(host, port), lambda address: _say(presentation, address), lambda: stop.requested)
    _sum_up(presentation, figures, save)
    return int(stop.code or 0)


def _recorder(save: Path | None, source: Path, settings: Settings, *, force: bool) -> Recorder | None:
    if save is None:
        return None
    from pipeline.media.reels import film_options
    from pipeline.web.live.source import require_films

    require_films()
    from pipeline.web.live.save import Recorder

    if save.exists() and source.exists() and save.samefile(source):
        raise OutputError(f"{save} is the original itself; originals are never written.")
    return Recorder(save, film_options(settings, ".auto"), force=force)  # which says what suffixes there are


def _say(presentation: Presentation, address: str) -> None:
    if not presentation.quiet:
        tell(f"Live at {address} (q or Ctrl-C ends it)", err=True)


def _sum_up(presentation: Presentation, figures: Figures, save: Path | None) -> None:
    if presentation.quiet:
        return
    if not figures.shown:
        tell("Nothing was shown.", err=True)
        return
    tell(
        f"{f'{save}: ' if save else ''}{figures.shown:,} frames shown, {figures.dropped:,} dropped, "
        f"{figures.rate:.1f} a second, {figures.latency:.0f} ms late ({figures.slowest} frames at the worst)",
        err=True,
    )

"""`colorize compare`: one picture under several nets, palettes and saturations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.cli.completing import complete_models, complete_palettes
from pipeline.cli.presentation import Place, Presentation, Whole, presentation_options, state_option, tell
from pipeline.cli.settings_flags import read_settings, settings_flags
from pipeline.ground.errors import OutputError, SettingsError

EPILOG = """\b
Exit: 0 written, 2 wrong usage, 4 a model is missing, 5 the picture cannot be
read, or something cannot be written.

\b
Examples:
  colorize compare scans/7.jpg -s look.jpg --palettes natural,vivid
  colorize compare scans/7.jpg -s look.html --models embedded,zhang2016
  colorize compare scans/7.jpg --palettes natural,vivid --choose 2 -o colour
"""
_SUFFIXES = (".jpg", ".jpeg", ".png", ".html")


def _words(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> list[str] | None:
    return None if value is None else [each.strip() for each in value.split(",") if each.strip()]


@click.command(epilog=EPILOG)
@click.argument("picture", metavar="IN", type=Place(far=True))
@click.option("-s", "--sheet", "sheets", multiple=True, type=Place(), metavar="FILE", help="Where they are shown: a"
              " picture (.jpg, .png) or a page (.html); may be repeated.")  # fmt: skip
@click.option("--models", callback=_words, metavar="A,B", shell_complete=complete_models,
              help="Nets; the setting's if not given.")  # fmt: skip
@click.option("--palettes", callback=_words, metavar="A,B", shell_complete=complete_palettes,
              help="Palettes; the setting's if not given.")  # fmt: skip
@click.option("--saturations", callback=_words, metavar="X,Y", help="Factors on chroma. [0.8,1,1.2]")
@click.option("--side", type=Whole(64, 4096), default=480, metavar="PIXELS",
              help="Longest side of each, 64 to 4096. [480]")  # fmt: skip
@click.option("--choose", type=int, metavar="N", help="Write the N-th into the hints of OUTPUT.")
@click.option("-o", "--output", type=Place(far=True), metavar="OUTPUT", help="The archive that IN is a source of.")
@click.option("-f", "--force", is_flag=True, help="Replace FILE if it is there.")
@presentation_options
@settings_flags("models_dir", "engine", "precision", "lightness")
@click.pass_obj
@state_option()
def command(
    presentation: Presentation, /, picture: Path, sheets: tuple[Path, ...], models: list[str] | None,
    palettes: list[str] | None, saturations: list[str] | None, side: int, choose: int | None, output: Path | None,
    force: bool, **values: Any,
) -> int:  # fmt: skip
    """Show IN under every combination of nets, palettes and saturations.

    They are numbered. --choose N with -o OUTPUT writes net, palette and
    saturation of one into OUTPUT/hints.toml, of that picture alone; the next
    `colorize run` makes it so. IN is only read.
    """
    from pipeline.web.review.compare import variants

    settings = read_settings(values)
    numbers = [_number(each) for each in saturations or ("0.8", "1", "1.2")]
    wanted = variants(models or [settings.model], palettes or [settings.palette], numbers)
    if not sheets and choose is None:
        raise SettingsError("Name a file with -s, such as look.jpg or look.html, or one of them with --choose N.")
    if (choose is None) != (output is None):
        raise SettingsError("--choose N and -o OUTPUT belong together: the hint is written into OUTPUT.")
    _check(sheets, picture, force=force)
    if sheets:
        _write(sheets, picture, wanted, settings, side)
    if not presentation.quiet:
        for path in sheets:
            tell(f"{path}: {len(wanted)} variants of {picture}.")
    if choose is not None and output is not None:
        from pipeline.web.review.choosing import choose as take

        key = take(picture, choose, wanted, output)
        if not presentation.quiet:
            tell(f"{key}: {wanted[choose - 1].label}; the next `colorize run` makes it so.")
    return 0


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise SettingsError(f"--saturations: {text} is not a number from 0 to 3.") from None


def _check(sheets: tuple[Path, ...], picture: Path, *, force: bool) -> None:
    for path in sheets:
        if path.suffix.lower() not in _SUFFIXES:
            raise SettingsError(f"{path}: end the name in one of {', '.join(_SUFFIXES)}.")
        if path.exists() and picture.exists() and path.samefile(picture):
            raise OutputError(f"{path} is the original itself; originals are never written.")
        if path.exists() and not force:
            raise OutputError(f"{path} is there already; --force replaces it.")


def _write(sheets: tuple[Path, ...], picture: Path, wanted: list[Any], settings: Any, side: int) -> None:
    from pipeline.ground.files import words, write_whole
    from pipeline.web.review.compare import encoded, shown

    tiles = list(shown(picture, wanted, settings, side))
    for path in sheets:
        try:
            write_whole(path, encoded(tiles, path.suffix.lower(), picture.name))
        except OSError as error:
            raise OutputError(f"{path} cannot be written: {words(error)}.") from None

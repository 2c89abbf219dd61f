"""`colorize evaluate`: colour against the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.cli.completing import complete_model
from pipeline.cli.presentation import Place, Presentation, Whole, json_option, presentation_options
from pipeline.cli.settings_flags import read_settings, settings_flags
from pipeline.ground.errors import ExitCode, OutputError, SettingsError
from pipeline.ground.settings import Settings

EPILOG = """\b
Exit: 0 all done, 3 some pictures could not be read, 4 model, 5 input.

\b
Examples:
  colorize evaluate holidays --csv figures.csv
  colorize evaluate holidays -m new.onnx --compare embedded --limit 100
  colorize evaluate reels --films
"""


@click.command(epilog=EPILOG)
@click.argument("folder", metavar="DIR", type=Place())
@click.option(
    "--compare", metavar="NAME|FILE", shell_complete=complete_model, help="A second net, with paired differences."
)
@click.option("--saturations", metavar="X,X...", help="Several factors on the chroma, a row each.")
@click.option(
    "--csv",
    "csv_path",
    metavar="FILE",
    type=Place(),
    help="Write a row for each picture.",
)
@click.option("--films", "of_films", is_flag=True, help="Measure films instead: DIR is a folder, or one film.")
@click.option("--limit", metavar="N", type=Whole(1), help="An even selection of N pictures.")
@click.option("--no-progress", is_flag=True, help="No bar and no lines in between.")
@json_option
@presentation_options
@settings_flags("model", "models_dir", "engine", "precision", "saturation", "palette", "max_megapixels", "keyframes")
@click.pass_obj
def command(
    presentation: Presentation,
    /,
    folder: Path,
    compare: str | None,
    saturations: str | None,
    csv_path: Path | None,
    of_films: bool,
    limit: int | None,
    no_progress: bool,
    as_json: bool,
    **values: Any,
) -> int:
    """Measure colour against the truth on the colour photographs under DIR.

    Each is resized to the net's input size, greyed, colorized and compared
    with itself: PSNR, CIEDE2000, colourfulness, AuC and rebalanced AuC of
    Zhang et al. 2016 beside those of the grey picture, the first three with
    the cast taken out too, how calm the colour is under a shift of one pixel
    and under a slight blur, how much of it is strong, wrong, or red, and how
    far it spreads on plain surfaces. Of pictures that are grey or toned, what
    can be said without a truth.

    With --films: how steady colour is in the first frames of each film, by
    --steady (flicker along the motion, CDC), how colourful, and PSNR where the
    film is in colour.
    """
    import json
    from dataclasses import replace

    settings = read_settings(values)
    if of_films:
        return _evaluate_films(folder, settings, as_json=as_json)
    factors = _factors(saturations) if saturations is not None else (settings.saturation,)
    if csv_path is not None and not csv_path.parent.is_dir():
        raise OutputError(f"{csv_path}: the folder {csv_path.parent} is not there.")

    from pipeline.measure.card import bare_lines, card_json, card_lines
    from pipeline.measure.evaluation import csv_text, summarise, write_csv
    from pipeline.measure.photographs import evaluate_photographs, photographs
    from pipeline.run.engine import settled_net
    from pipeline.run.progress import show_progress

    models = (settings.model, compare) if compare else (settings.model,)
    nets = [settled_net(replace(settings, model=model)) for model in models]
    pictures = photographs(folder, limit)
    with show_progress(len(pictures), bar=False if no_progress else None, quiet=presentation.quiet) as progress:
        done = evaluate_photographs(pictures, nets, factors, progress, max_megapixels=settings.max_megapixels)
    count = len(done.measured[0])
    results = [summarise(net, rows, factors) for net, rows in zip(nets, done.measured, strict=True) if count]
    if csv_path is not None:
        names = [net.spec.name for net in nets]
        if len(set(names)) < len(names):  # two files of one name in two folders
            names = [str(net.spec.path) for net in nets]
        write_csv(csv_path, csv_text(zip(names, done.measured, strict=True)))
    if as_json:
        click.echo(json.dumps(card_json(results, count, grey=done.grey, failed=done.failed, bare=done.bare), indent=2))
    else:
        for line in card_lines(results, count) if count else ():
            click.echo(line)
        for line in bare_lines([net.spec.name for net in nets], done.bare) if done.grey else ():
            click.echo(line)
        if done.failed:
            click.echo(f"\n{len(done.failed):,} could not be read.")
    return int(ExitCode.SOME_FAILED if done.failed else ExitCode.OK)


def _evaluate_films(place: Path, settings: Settings, *, as_json: bool) -> int:
    import json

    from pipeline.ground.errors import ItemError
    from pipeline.measure.clips import clip_lines, clips_json, films, measure_film
    from pipeline.run.engine import settled_net
    from pipeline.run.voice import say

    found = films(place)
    net = settled_net(settings)
    rows, failed = [], {}
    for name, path in found:
        try:
            rows += measure_film(name, path, net, settings.keyframes)
        except ItemError as error:
            failed[name] = str(error)
            say(f"{name}: {error}")
    for line in [json.dumps(clips_json(rows, failed), indent=2)] if as_json else clip_lines(rows):
        click.echo(line)
    return int(ExitCode.SOME_FAILED if failed else ExitCode.OK)


def _factors(text: str) -> tuple[float, ...]:
    try:
        factors = tuple(float(part) for part in text.split(","))
    except ValueError:
        factors = ()
    if not factors or not all(0 < factor <= 3 for factor in factors):
        raise SettingsError(f"--saturations {text}: write numbers above 0 and up to 3, for example 0.5,0.8,1.")
    return tuple(dict.fromkeys(factors))

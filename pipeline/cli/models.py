"""`colorize models`: list, fetch, verify, import."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.completing import complete_model, complete_model_name
from pipeline.cli.presentation import Place, Presentation, json_option, presentation_options, tell
from pipeline.cli.settings_flags import read_settings, settings_flags
from pipeline.ground.errors import ExitCode, OutputError, SettingsError

if TYPE_CHECKING:
    from pipeline.nets.store.fetch import Progress
    from pipeline.nets.store.registry import ModelEntry

EPILOG = """\b
Examples:
  colorize models list
  colorize models fetch zhang2016
"""

LIST_EPILOG = """\b
Examples:
  colorize models list
  colorize models list --json
"""

FETCH_EPILOG = """\b
Exit: 0 the files are here and checked, 4 no mirror works or a file is not
what it should be, 5 the folder cannot be written, 75 another fetch is on.

\b
Examples:
  colorize models fetch zhang2016
  colorize models fetch zhang2016 --from /media/stick
"""

VERIFY_EPILOG = """\b
Exit: 0 all is what it should be, 4 a file is damaged or was asked for and
is missing.

\b
Examples:
  colorize models verify
  colorize models verify zhang2016 --models-dir /srv/models
"""

IMPORT_EPILOG = """\b
Examples:
  colorize models import deploy.prototxt release.caffemodel pts_in_hull.npy \\
    -o zhang.onnx
  colorize models import siggraph17-df00044c.pth -o siggraph17-pth
"""


@click.group(epilog=EPILOG)
def command() -> None:
    """List, fetch, verify and import models."""


@command.command("list", epilog=LIST_EPILOG)
@json_option
@presentation_options
@settings_flags("models_dir")
def list_models(as_json: bool, **values: Any) -> int:
    """List every model that `--model` knows, and which of them are here."""
    import json

    from pipeline.nets.store.registry import default_models_dir, load_registry

    registry = load_registry()
    folder = _models_dir(values) or default_models_dir()
    known = [_described(entry, folder) for entry in registry.entries.values()]
    ours = {name for entry in registry.entries.values() for name in (entry.loads(), *(f.name for f in entry.files))}
    found = sorted(folder.glob("*.onnx")) if folder.is_dir() else []
    imported: list[dict[str, Any]] = [
        {"name": path.stem, "bytes": path.stat().st_size} for path in found if path.name not in ours
    ]
    if as_json:
        document = {"models_dir": str(folder), "aliases": registry.aliases, "models": known, "imported": imported}
        click.echo(json.dumps(document, indent=2))
        return 0
    others = {target: alias for alias, target in registry.aliases.items()}
    tell(f"{'name':<24} {'here':<8} {'size':>8}  {'net':<14} licence")
    for row in known:
        size = f"{row['bytes'] / 1e6:.0f} MB" if row["bytes"] else "?"
        licence = str(row["licence"]).partition(" (")[0]
        tell(f"{row['name']:<24} {row['state']:<8} {size:>8}  {row['net']:<14} {licence}")
        if row["name"] in others:
            tell(f"  also called {others[str(row['name'])]}; the default")
    for each in imported:
        tell(f"{each['name']:<24} {'yes':<8} {each['bytes'] / 1e6:>5.0f} MB  imported")
    tell(f"Models are kept in {folder}")
    return 0


def _described(entry: ModelEntry, models_dir: Path) -> dict[str, Any]:
    folder = entry.folder(models_dir)
    there = [(folder / file.name).is_file() for file in entry.files]
    state = "yes" if all(there) or (folder / entry.loads()).is_file() else "partly" if any(there) else "no"
    sizes = [file.size for file in entry.files if file.size is not None]
    return {
        "name": entry.name,
        "state": state,
        "bytes": sum(sizes) if len(sizes) == len(entry.files) else None,
        "net": _fed(entry),
        "licence": entry.licence,
        "title": entry.title,
        "citation": entry.citation,
        "convert": entry.convert,
        "note": entry.note,
        "files": [{"name": f.name, "bytes": f.size, "sha256": f.sha256, "mirrors": f.mirrors} for f in entry.files],
    }


def _fed(entry: ModelEntry) -> str:
    """Say what goes into a net and what comes out; empty where only its own file says it."""
    if entry.contract is None:
        return ""
    fed = "L" if entry.contract.feed.channels == 1 else "RGB"
    return f"{fed} {entry.contract.input_size} -> {entry.contract.answer.kind}"


@command.command(epilog=FETCH_EPILOG)
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=complete_model_name)
@click.option("--from", "source", metavar="FOLDER", type=Place(), help="Copy from here, without internet.")
@presentation_options
@settings_flags("models_dir")
@click.pass_obj
def fetch(presentation: Presentation, /, names: tuple[str, ...], source: Path | None, **values: Any) -> int:
    """Get the files of the models NAME, check them and keep them.

    Mirrors are tried in order; what arrived before a break is kept and taken
    up again. Proxy variables (https_proxy) are honoured.
    """
    from pipeline.nets.store import fetch as fetching
    from pipeline.nets.store.registry import load_registry

    for name in names:
        load_registry().entry(name)  # a name mistyped at the end should not wait for gigabytes at the start
    for name in names:
        with _bar(presentation) as progress:
            paths = fetching.fetch(name, models_dir=_models_dir(values), from_folder=source, progress=progress)
        if not presentation.quiet:
            for path in paths:
                tell(f"{path}: checked")
    return 0


@contextmanager
def _bar(presentation: Presentation) -> Iterator[Progress | None]:
    """Draw a bar for each file on a terminal."""
    if presentation.quiet or not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    bars: dict[str, Any] = {}

    def show(name: str, here: int, size: int | None) -> None:
        if name not in bars:
            bars[name] = tqdm(
                total=size, initial=here, desc=name, unit="B", unit_scale=True, unit_divisor=1000, file=sys.stderr
            )
        bars[name].update(here - bars[name].n)

    try:
        yield show
    finally:
        for bar in bars.values():
            bar.close()


@command.command(epilog=VERIFY_EPILOG)
@click.argument("names", metavar="[NAME...]", nargs=-1, shell_complete=complete_model_name)
@json_option
@presentation_options
@settings_flags("models_dir")
@click.pass_obj
def verify(presentation: Presentation, /, names: tuple[str, ...], as_json: bool, **values: Any) -> int:
    """Check size and sha256 of the models that are here, or of the models NAME."""
    import json

    from pipeline.nets.store import fetch as fetching

    checked = [each for name in names or ("all",) for each in fetching.verify(name, models_dir=_models_dir(values))]
    told = [each for each in checked if names or each.state != "missing"]
    if as_json:
        rows = [{"model": e.model, "path": str(e.path), "state": e.state, "detail": e.detail} for e in told]
        click.echo(json.dumps(rows, indent=2))
    else:
        for each in told:
            if each.state != "ok" or not presentation.quiet:
                tell(f"{each.state:<8} {each.model:<24} {each.detail or each.path}")
    return int(ExitCode.OK if all(each.state == "ok" for each in told) else ExitCode.MODEL)


@command.command("import", epilog=IMPORT_EPILOG)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=Place())
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="NAME|FILE",
    shell_complete=complete_model,
    help="ONNX file, or a name in the models' folder.",
)
@click.option("-f", "--force", is_flag=True, help="Replace the output if it is there.")
@presentation_options
@settings_flags("models_dir")
@click.pass_obj
def import_model(
    presentation: Presentation, /, files: tuple[Path, ...], output: str, force: bool, **values: Any
) -> int:
    """Convert a published model into one ONNX file that every engine runs.

    FILE... is PROTOTXT CAFFEMODEL POINTS (the OpenCV tutorial's three files),
    or one PyTorch release (.pth) of eccv16 or siggraph17. Nothing inside the
    files is executed.
    """
    from pipeline.nets.convert.conversion import compare_with_caffe, import_caffe, import_torch
    from pipeline.nets.store.registry import default_models_dir

    destination = Path(output).expanduser()
    if destination.suffix.lower() != ".onnx":
        if destination.name != output:
            raise SettingsError(f"--output {output}: end a file's name in .onnx, or give a plain name.")
        destination = (_models_dir(values) or default_models_dir()) / f"{output}.onnx"
    if destination.exists() and not force:
        raise OutputError(f"{destination} is there already; --force replaces it.")
    agreement = None
    if len(files) == 3:
        prototxt, caffemodel, points = files
        net = import_caffe(prototxt, caffemodel, points, destination)
        agreement = compare_with_caffe(prototxt, caffemodel, points, net)
    elif len(files) == 1 and files[0].suffix.lower() in (".pth", ".pt"):
        net = import_torch(files[0], destination)
    else:
        raise SettingsError("Name PROTOTXT CAFFEMODEL POINTS, in this order, or one .pth file.")
    if not presentation.quiet:
        size = net.path.stat().st_size
        tell(f"{net.path}: {size:,} bytes, fed {net.input_size} x {net.input_size}, sha256 {net.sha256}")
        if agreement is not None:
            mean, most = agreement
            tell(f"Against OpenCV's own reading of the Caffe files: ab differs by {mean:.4f}, at most {most:.4f}.")
        tell(f"Use it with --model {output if destination.name != output else destination}")
    return 0


def _models_dir(values: dict[str, Any]) -> Path | None:
    folder = read_settings(values).models_dir
    return Path(folder) if folder else None

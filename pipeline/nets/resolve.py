"""From what `--model` says to a net that is there, checked and described."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from pipeline.ground.errors import ModelError, SettingsError
from pipeline.ground.settings import Settings
from pipeline.nets.convert.conversion import resolve_caffe, spec_from_sources
from pipeline.nets.spec import NetSpec
from pipeline.nets.store.identify import FOREIGN, carried_spec, converted_spec, resolve_file
from pipeline.nets.store.registry import ModelEntry, default_models_dir, load_registry

_LONGEST: Final = 255  # bytes of a file's name, on nearly every file system


def find_net(settings: Settings) -> NetSpec:
    """Return the net that the settings name: by `model`, or by the tutorial's three files.

    Raises:
        SettingsError: only some of the three files are named.
        ModelError: it is missing, unfit or does not match its checksum.
    """
    models_dir = Path(settings.models_dir) if settings.models_dir else None
    if not settings.prototxt and not settings.points:
        return resolve(settings.model, models_dir)
    if not (settings.prototxt and settings.points and settings.model.endswith(".caffemodel")):
        raise SettingsError("The tutorial's model is three files: --prototxt P --model C.caffemodel --points N.npy.")
    return resolve_caffe(Path(settings.prototxt), Path(settings.model), Path(settings.points), models_dir)


def resolve(model: str, models_dir: Path | None = None) -> NetSpec:
    """Find the net that `model` names, check it, and say how it is fed.

    Args:
        model: a registry name or alias, the name of an imported model in `models_dir`, or the path of an ONNX file.
        models_dir: folder of fetched and imported models; None: the user's cache.

    Raises:
        ModelError: unknown, missing (with the command that gets it), damaged, or of no kind that is known.
    """
    registry = load_registry()
    folder = models_dir or default_models_dir()
    name = registry.aliases.get(model, model)
    if name in registry.entries:
        return _resolve_entry(registry.entries[name], folder)
    path = Path(model).expanduser()
    if len(os.fsencode(path.name)) > _LONGEST:
        raise ModelError(f'There is no model "{model[:40]}...": no file can be called so.')
    if Path(model).name == model and not path.is_file() and path.suffix.lower() not in FOREIGN:
        path = folder / f"{model.removesuffix('.onnx')}.onnx"  # what `colorize models import -o NAME` wrote
        if not path.is_file() and not model.endswith(".onnx"):
            raise ModelError(f'There is no model "{model}".{registry.nearest(model)}')
        if not path.is_file():
            raise ModelError(f"The file {model} is not there, nor a model of that name in {folder}.")
    return resolve_file(path, name=path.stem)


def _resolve_entry(entry: ModelEntry, models_dir: Path) -> NetSpec:
    folder = entry.folder(models_dir)
    if entry.convert == "export":
        raise ModelError(
            f'The weights "{entry.name}" cannot be run as they are. {entry.note} (`--model FILE.onnx`)'.rstrip()
        )
    path = folder / entry.loads()
    remedy = f"`colorize models fetch {entry.name}` gets it."
    if entry.carried:
        remedy = "Install colorize again."
    if not path.is_file() and entry.convert:
        return spec_from_sources(entry, folder)
    if not path.is_file():
        raise ModelError(f'The model "{entry.name}" is not here ({path}). {remedy}')
    if not entry.convert:
        return carried_spec(entry, path, remedy)
    return converted_spec(entry, path)

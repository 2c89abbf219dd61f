"""The registry of models (`models/models.toml`), and the way from what `--model` says to a `NetSpec`."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from pipeline import resources
from pipeline.errors import ModelError
from pipeline.nets import integrity
from pipeline.nets.onnx_header import OnnxHeader, read_header
from pipeline.nets.spec import METADATA_KEY, Answer, Feed, NetSpec, Port, answer_from, contract_from_json, feed_from

_FOREIGN = (".caffemodel", ".prototxt", ".pth", ".npy")
CONVERSIONS = ("", "caffe", "eccv16", "siggraph17", "export")


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model: its name, sha256, bytes (None where unknown) and mirrors in order."""

    name: str
    sha256: str
    size: int | None
    mirrors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One entry of the registry; what the fields mean is told at the head of `models.toml`."""

    name: str
    title: str
    licence: str
    citation: str
    note: str
    convert: str
    carried: bool
    input_size: int
    feed: Feed
    answer: Answer
    files: tuple[ModelFile, ...]

    def folder(self, models_dir: Path) -> Path:
        """Return where this model's files lie: with the program, or in `models_dir`."""
        return resources.models_dir() if self.carried else models_dir

    def loads(self) -> str:
        """Return the name of the ONNX file that is run."""
        return f"{self.name}.onnx" if self.convert else self.files[0].name


@dataclass(frozen=True, slots=True)
class Registry:
    """All entries by name, and other names for some of them."""

    entries: dict[str, ModelEntry]
    aliases: dict[str, str]

    def entry(self, name: str) -> ModelEntry:
        """Return the entry called `name` (or an alias); raises `ModelError` naming the nearest one."""
        found = self.entries.get(self.aliases.get(name, name))
        if found is None:
            raise ModelError(f'There is no model "{name}".{self.nearest(name)}')
        return found

    def nearest(self, name: str) -> str:
        """Return a sentence that names the entry most like `name`, or says how to list them."""
        match = difflib.get_close_matches(name, [*self.entries, *self.aliases], n=1, cutoff=0.5)
        return f' Did you mean "{match[0]}"?' if match else " `colorize models list` names them all."


def default_models_dir() -> Path:
    """Return the folder in the user's cache where fetched and imported models lie."""
    from platformdirs import user_cache_path

    return user_cache_path("colorize") / "models"


@cache
def load_registry(path: Path | None = None) -> Registry:
    """Read and check `models.toml` (the one that travels with the program, unless `path` names another).

    Raises:
        ModelError: it is missing, is not TOML, or an entry makes no sense; the entry is named.
    """
    path = path or resources.models_dir() / "models.toml"
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"The registry of models {path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"The registry of models {path} is not valid TOML: {error}.") from None
    entries: dict[str, ModelEntry] = {}
    for name, table in values.get("models", {}).items():
        try:
            entries[name] = _entry(name, table)
        except (ModelError, KeyError, TypeError, ValueError) as error:
            what = f'"{error.args[0]}" is missing' if isinstance(error, KeyError) else str(error).rstrip(".")
            raise ModelError(f"{path}, model {name}: {what}.") from None
    aliases = dict(values.get("aliases", {}))
    for alias, target in aliases.items():
        if target not in entries:
            raise ModelError(f'{path}: the alias {alias} points to "{target}", which is not there.')
    return Registry(entries, aliases)


_ENTRY_KEYS = {
    "title", "licence", "citation", "note", "convert", "carried", "input_size", "feed", "answer", "files",
}  # fmt: skip


def _entry(name: str, table: dict[str, Any]) -> ModelEntry:
    if unknown := sorted(set(table) - _ENTRY_KEYS):
        raise ModelError(f'unknown key "{unknown[0]}"')
    convert = table.get("convert", "")
    if convert not in CONVERSIONS:
        raise ModelError(f'convert = "{convert}" is not one of {", ".join(CONVERSIONS[1:])}')
    size = table["input_size"]
    if type(size) is not int or not 0 < size <= 4096:
        raise ModelError(f"input_size = {size!r} is no side of a square")
    files = tuple(_file(each) for each in table["files"])
    if not files:
        raise ModelError("it has no files")
    return ModelEntry(
        name=name,
        title=str(table["title"]),
        licence=str(table["licence"]),
        citation=str(table["citation"]),
        note=str(table.get("note", "")),
        convert=convert,
        carried=bool(table.get("carried", False)),
        input_size=size,
        feed=feed_from(table.get("feed", {})),
        answer=answer_from(table.get("answer", {})),
        files=files,
    )


def _file(table: dict[str, Any]) -> ModelFile:
    name, sha256, size = table["name"], table["sha256"], table.get("bytes")
    if not isinstance(name, str) or Path(name).name != name:
        raise ModelError(f"the file name {name!r} is not plain")
    if not isinstance(sha256, str) or len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        raise ModelError(f"the sha256 of {name} is not 64 hexadecimal digits")
    if size is not None and (type(size) is not int or size <= 0):
        raise ModelError(f"bytes = {size!r} of {name} is no size")
    mirrors = table.get("mirrors", [])
    if not all(isinstance(each, str) and each.startswith(("https://", "http://")) for each in mirrors):
        raise ModelError(f"a mirror of {name} is no web address")
    return ModelFile(name, sha256, size, tuple(mirrors))


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
    if Path(model).name == model and not path.is_file() and path.suffix.lower() not in _FOREIGN:
        path = folder / f"{model.removesuffix('.onnx')}.onnx"  # what `colorize models import -o NAME` wrote
        if not path.is_file() and not model.endswith(".onnx"):
            raise ModelError(f'There is no model "{model}".{registry.nearest(model)}')
    return resolve_file(path, name=path.stem)


def resolve_file(path: Path, *, name: str) -> NetSpec:
    """Describe the ONNX file `path` by its own metadata, else by its sha256 in the registry, else by its shapes.

    Raises:
        ModelError: it is missing, damaged, no ONNX, or of no kind that is known.
    """
    if path.suffix.lower() in _FOREIGN:
        raise ModelError(f"{path} is not an ONNX file: `colorize models import` makes one of it.")
    if not path.is_file():
        raise ModelError(f"The model file {path} is not there.")
    sha256 = integrity.check(path)
    header = read_header(path)
    if METADATA_KEY in header.metadata:
        try:
            size, feed, answer, _ = contract_from_json(header.metadata[METADATA_KEY])
        except ModelError as error:
            raise ModelError(f"{path}: {error}") from None
        return _described(NetSpec(name, path, sha256, size, feed, answer, header.inputs), header)
    for entry in load_registry().entries.values():
        if not entry.convert and entry.files[0].sha256 == sha256:
            return _described(
                NetSpec(entry.name, path, sha256, entry.input_size, entry.feed, entry.answer, header.inputs), header
            )
    size, feed, answer = _kind_by_shape(path, header)
    return _described(NetSpec(name, path, sha256, size, feed, answer, header.inputs), header)


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
        from pipeline.nets.conversion import spec_from_sources  # it needs this module's entries

        return spec_from_sources(entry, folder)
    if not path.is_file():
        raise ModelError(f'The model "{entry.name}" is not here ({path}). {remedy}')
    if not entry.convert:
        known = entry.files[0]
        sha256 = integrity.check(path, sha256=known.sha256, size=known.size, remedy=remedy)
        header = read_header(path)
        return _described(
            NetSpec(entry.name, path, sha256, entry.input_size, entry.feed, entry.answer, header.inputs), header
        )
    return converted_spec(entry, path)


def converted_spec(entry: ModelEntry, path: Path) -> NetSpec:
    """Describe an ONNX file made from the entry's files, after a check that it was made from those very files.

    Raises:
        ModelError: it was made from other files, or cannot be read.
    """
    remedy = f"Remove it; it is then made anew from the files that `colorize models fetch {entry.name}` gets."
    sha256 = integrity.check(path, remedy=remedy)
    header = read_header(path)
    if METADATA_KEY not in header.metadata:
        raise ModelError(f"{path} does not say what it was made from. {remedy}")
    size, feed, answer, sources = contract_from_json(header.metadata[METADATA_KEY])
    weights = entry.files[0]
    if weights.sha256 not in sources.values():
        raise ModelError(f"{path} was not made from the {weights.name} that the registry knows. {remedy}")
    return _described(NetSpec(entry.name, path, sha256, size, feed, answer, header.inputs), header)


def _described(spec: NetSpec, header: OnnxHeader) -> NetSpec:
    """Add the declared inputs (the one that is fed first) and a declared size to `spec`; check that they fit."""
    axis = 1 if spec.feed.layout == "nchw" else 3
    fed = [port for port in header.inputs if len(port.shape) == 4 and port.shape[axis] in (spec.feed.channels, None)]
    if not fed:
        raise ModelError(
            f"{spec.path} takes {_shapes(header.inputs)}; "
            f"{spec.feed.channels} channel(s) in layout {spec.feed.layout} were expected."
        )
    out = header.outputs[0].shape
    if len(out) == 4 and out[axis] not in (spec.answer.channels, None):
        raise ModelError(
            f'{spec.path} gives {_shapes(header.outputs)}; {spec.answer.channels} channels ("{spec.answer.kind}") '
            "were expected."
        )
    side = fed[0].shape[2]
    others = tuple(port for port in header.inputs if port is not fed[0])
    return replace(spec, inputs=(fed[0], *others), input_size=side or spec.input_size)


def _kind_by_shape(path: Path, header: OnnxHeader) -> tuple[int, Feed, Answer]:
    """Guess size, feed and answer from declared shapes: the known families differ in them.

    L in, ab at a quarter of the size: Zhang 2016 (L - 50). L in, ab at full size, or with hint inputs: its PyTorch
    twins (raw L). RGB in, ab out: DDColor (0..1). RGB in, RGB out: DeOldify as exported for other programs (0..255).
    """
    if not header.inputs or not all(len(port.shape) == 4 for port in (header.inputs[0], header.outputs[0])):
        raise ModelError(_unknown(path, header))
    given, out = header.inputs[0].shape, header.outputs[0].shape
    layout = "nhwc" if given[1] not in (1, 3) and given[3] in (1, 3) else "nchw"
    axis, side = (1, 2) if layout == "nchw" else (3, 1)
    channels = (given[axis], out[axis])
    size = given[side]
    if channels == (1, 2):
        full = len(header.inputs) > 1 or (size is not None and size == out[side])
        return (size or (256 if full else 224)), Feed(offset=0.0 if full else -50.0, layout=layout), Answer()
    if channels == (3, 2):
        return size or 512, Feed(channels=3, layout=layout), Answer()
    if channels == (3, 3):
        return size or 256, Feed(channels=3, scale=255.0, layout=layout), Answer(kind="rgb", scale=1 / 255)
    raise ModelError(_unknown(path, header))


def _unknown(path: Path, header: OnnxHeader) -> str:
    return (
        f"{path} is of no kind known here: it takes {_shapes(header.inputs)} and gives {_shapes(header.outputs)}. "
        "Nets from L to ab, with or without hints, from RGB to ab and from RGB to RGB can be used."
    )


def _shapes(ports: tuple[Port, ...]) -> str:
    return " and ".join("x".join(str(size or "?") for size in port.shape) or "no shape" for port in ports) or "nothing"

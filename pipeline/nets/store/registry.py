"""The registry of models: what `models/models.toml` says, checked."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.ground import resources
from pipeline.ground.errors import ModelError
from pipeline.ground.files import words
from pipeline.ground.homes import user_cache
from pipeline.nets.spec import LARGEST_INPUT, Contract, answer_from, feed_from

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
    contract: Contract | None
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
    return user_cache() / "models"


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
        raise ModelError(f"The registry of models {path} cannot be read: {words(error)}.") from None
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
        contract=_contract(table),
        files=files,
    )


def _contract(table: dict[str, Any]) -> Contract | None:
    """Return how the net is fed, or None where its own file says it: that of a carried or converted one does."""
    told = sorted({"input_size", "feed", "answer"} & set(table))
    if table.get("carried") or table.get("convert"):
        if told:
            raise ModelError(f'"{told[0]}" stands in its own file, and nothing would read it here')
        return None
    size = table["input_size"]
    if type(size) is not int or not 0 < size <= LARGEST_INPUT:
        raise ModelError(f"input_size = {size!r} is no side of a square")
    return Contract(size, feed_from(table.get("feed", {})), answer_from(table.get("answer", {})))


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

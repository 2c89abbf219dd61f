"""A diagnosis in words."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from pipeline.measure.diagnosis import EXTRAS, Diagnosis
from pipeline.nets.engine import Engine

_WIDTH = 80


def diagnosis_lines(found: Diagnosis) -> Iterator[str]:
    """Yield what was found, for a person; only paths may make a line longer than 80 columns."""
    yield "Machine"
    yield from _machine(found.machine)
    yield "Software"
    yield from _software(found)
    yield "Films"
    yield from _films(found)
    yield "Model"
    yield from _model(found.model)
    if found.engines:
        yield "Engines: one prediction with one thread, and the check against OpenCV"
        yield from _engines(found)
    yield "A run here uses"
    yield from _use(found.use)
    yield "Folders"
    yield from map(_folder, found.folders)
    yield "Problems"
    yield from _items(found.problems or ["none"])
    if found.advice:
        yield "What would help"
        yield from _items(found.advice)


def _machine(machine: dict[str, Any]) -> Iterator[str]:
    yield from _item(f"{machine['processor']}{_in_brackets(machine['abilities'])}, {machine['system']}")
    cores = f"{machine['cores']} {'core' if machine['cores'] == 1 else 'cores'}"
    if machine["cores"] != machine["cores_of_machine"]:
        cores += f" of {machine['cores_of_machine']} for this process"
    memory = machine["memory_bytes"]
    yield from _item(f"{cores}, {f'{memory / 1e9:.1f} GB of memory free' if memory else 'free memory unknown'}")


def _software(found: Diagnosis) -> Iterator[str]:
    yield from _item(", ".join(f"{name} {version or '(missing)'}" for name, version in found.software.items()))
    yield from _item(
        ", ".join(f"{EXTRAS[name].module} {version or 'not installed'}" for name, version in found.extras.items())
    )


def _model(model: dict[str, Any]) -> Iterator[str]:
    if not model:
        yield "  none that can be used"
        return
    yield from _item(
        f"{model['name']}, {model['bytes'] / 1e6:.1f} MB, fed {model['input_size']} x {model['input_size']}, "
        f"sha256 {model['sha256'][:16]}... as it should be"
    )
    yield f"  {model['path']}"


def _engines(found: Diagnosis) -> Iterator[str]:
    for trial in found.engines:
        speed = f"{trial['milliseconds']:.0f} ms" if trial["milliseconds"] is not None else "-"
        label = Engine(trial["engine"], trial["precision"])
        yield from _item(f"{label!s:<20} {speed:>7}  {trial['verdict']}", indent=32)
    yield from _item(_age(found.examined))


def _use(use: dict[str, Any]) -> Iterator[str]:
    if not use:
        yield "  nothing: no picture could be colorized, see the problems"
        return
    yield from _item(f"{Engine(use['engine'], use['precision'])}: {use['why']}")
    yield from _item(f"{use['jobs']} {'worker' if use['jobs'] == 1 else 'workers'}: {use['why_jobs']}")


def _folder(folder: dict[str, Any]) -> str:
    state = f"{folder['bytes'] / 1e6:.0f} MB" if folder["exists"] else "not made yet"
    free = f", {folder['free_bytes'] / 1e9:.1f} GB free" if folder["free_bytes"] is not None else ""
    return f"  {folder['what']:<7} {folder['path']} ({state}{free}{'' if folder['writable'] else ', read-only'})"


def _age(examined: dict[str, Any], now: datetime | None = None) -> str:
    days = ((now or datetime.now(UTC)) - datetime.fromisoformat(examined["when"])).days
    age = "today" if days < 1 else "yesterday" if days == 1 else f"{days} days ago"
    unfair = "" if examined["fair"] else ": too busy for the times to be believed"
    return f"Timed {age}, while others used {examined['busy']:.0%} of the machine{unfair}."


def _films(found: Diagnosis) -> Iterator[str]:
    films = found.films
    if not films.get("version"):
        yield from _item("none: the extra film is not installed")
        return
    yield from _item(f"PyAV {films['version']} with {', '.join(films['encoders'])}")
    for name, trouble in films["devices"].items():
        yield from _item(f"{name}: {trouble or 'its device is there'}")


def _in_brackets(words: list[str]) -> str:
    return f" ({', '.join(words)})" if words else ""


def _items(texts: Sequence[str]) -> Iterator[str]:
    return chain.from_iterable(map(_item, texts))


def _item(text: str, indent: int = 4) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent="  ",
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )

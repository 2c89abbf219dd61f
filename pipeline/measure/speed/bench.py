"""Everything `colorize bench` does: nets, entrants, the race, the report."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2

from pipeline.errors import OutputError
from pipeline.measure.diagnosis import describe_machine
from pipeline.measure.speed.race import LARGE, Entrant, Race, Say, as_document, entrant, run_race, scale
from pipeline.measure.speed.report import markdown
from pipeline.measure.speed.specimens import write_specimens
from pipeline.nets.engines.catalogue import ENGINES, PRECISIONS, installed, require
from pipeline.nets.engines.choice import choose_engine
from pipeline.nets.resolve import find_net
from pipeline.nets.spec import NetSpec
from pipeline.nets.store.identify import resolve_file
from pipeline.run.capacity import automatic_jobs, available_memory
from pipeline.settings import Settings

SIZES = (0.3, 2.0, 12.0, 24.0, 100.0)
QUICK_SIZES = (0.3, 2.0)
# The reference holds some six float32 pictures at once.
REFERENCE_BYTES_A_PIXEL = 90

NO_RELEASE = (
    'Without the extra "import" there is no net of the release\'s size, hence no reference: '
    "pip install 'colorize[import]'."
)


def run_bench(
    settings: Settings,
    *,
    output: Path | None,
    sizes: Sequence[float],
    engines: Sequence[str],
    rounds: int,
    quick: bool,
    say: Say,
) -> dict[str, Any]:
    """Measure speed and write `performance.md` and `performance.json`.

    Args:
        settings: model, models_dir and jobs count; compositions other than the reference's are measured beside it.
        output: folder of the two files; None: nothing is written.
        sizes: in megapixels.
        engines: names or labels such as "openvino/bfloat16"; empty: all that are installed (at sizes above 1 MP
            OpenCV's and the fastest).
        rounds: how often everything takes its turn.
        quick: only OpenCV and the fastest engine, and no scaling.
        say: told what is going on, a line at a time.

    Returns:
        What the JSON file holds.

    Raises:
        OutputError: `output` cannot be written.
        ModelError: no such model, or an engine that is not there.
    """
    spec = find_net(settings)
    if output is not None:
        try:
            output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{output} cannot be written: {error.strerror}.") from None
    jobs = settings.jobs if isinstance(settings.jobs, int) else automatic_jobs(spec.path.stat().st_size)
    best = choose_engine(spec).label
    labels = _labels(engines)
    few = labels if engines else [label for label in labels if label in ("opencv/float32", best)]
    race = Race()
    conditions = {"machine": describe_machine(), **_versions(), "workers": jobs, "rounds": rounds, "best": best}
    document = as_document(race, conditions)
    with tempfile.TemporaryDirectory(prefix="colorize-bench-") as place:
        folder = Path(place)
        tmp = folder / "tmp"
        tmp.mkdir()
        nets = {"embedded" if settings.model == "embedded" else spec.name: spec}
        release = _release(folder)
        if release is not None:
            nets["release"] = release
        else:
            race.left_out.append(NO_RELEASE)
            say(NO_RELEASE)
        for megapixels in sizes:
            chosen = few if quick or megapixels > 1 else labels
            entrants = _entrants(nets, chosen, jobs, tmp, settings, best)
            reference = release
            memory = available_memory()
            if memory is not None and megapixels * 1e6 * REFERENCE_BYTES_A_PIXEL > memory:
                reference = None
                race.left_out.append(f"The reference at {megapixels:g} MP: not enough free memory.")
            part = run_race(
                entrants,
                reference,
                [megapixels],
                rounds=min(rounds, 2) if megapixels >= LARGE else rounds,
                threads=jobs,
                folder=folder,
                say=say,
            )
            _add(race, part)
            document = _saved(race, conditions, output)
        if not quick and jobs > 1:
            pictures = write_specimens(folder, 0.3, 8)
            fastest = entrant(next(iter(nets)), spec, best, jobs, tmp)
            scale(race, fastest, jobs, pictures, rounds, folder, say)
            document = _saved(race, conditions, output)
    return document


def _saved(race: Race, conditions: dict[str, Any], output: Path | None) -> dict[str, Any]:
    """Write what there is so far: what was measured is not lost when the rest is stopped."""
    document = as_document(race, conditions)
    if output is not None:
        _write(output / "performance.json", json.dumps(document, indent=1))
        _write(output / "performance.md", markdown(document))
    return document


def _labels(engines: Sequence[str]) -> list[str]:
    """Return the labels of the engines asked for, or of all that are installed."""
    labels = []
    for name in engines or [each for each in ENGINES if installed(each)]:
        engine, _, precision = name.partition("/")
        require(engine, "auto")
        labels += [name] if precision else [f"{engine}/{each}" for each in PRECISIONS[engine] if _has(each)]
    return list(dict.fromkeys(labels))


def _has(precision: str) -> bool:
    if precision != "bfloat16":
        return True
    from pipeline.nets.engines.openvino import has_bfloat16

    return has_bfloat16()


def _release(folder: Path) -> NetSpec | None:
    if importlib.util.find_spec("onnx") is None:
        return None
    from pipeline.nets.convert.release_topology import write_release_onnx

    path = folder / "release.onnx"
    write_release_onnx(path)
    return resolve_file(path, name="release")


def _entrants(
    nets: dict[str, NetSpec], labels: Sequence[str], jobs: int, tmp: Path, settings: Settings, best: str
) -> list[Entrant]:
    plain = [entrant(model, spec, label, jobs, tmp) for model, spec in nets.items() for label in labels]
    if (settings.upsample, settings.gamut) == ("bilinear", "clip"):
        return plain
    # What the composition of the settings costs, with the engine that leaves it the largest share.
    label = best if best in labels else labels[0]
    return plain + [entrant(model, spec, label, jobs, tmp, replace(settings)) for model, spec in nets.items()]


def _add(race: Race, part: Race) -> None:
    for name in ("rows", "probes", "comparisons", "reference", "scaling", "left_out"):
        getattr(race, name).extend(getattr(part, name))


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version(), "opencv": cv2.__version__, "load": f"{os.getloadavg()[0]:.1f}"}
    for name in ("colorize", "onnxruntime", "openvino", "numpy"):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}.") from None

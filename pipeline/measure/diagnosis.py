"""What this machine will use and why; it goes on where things are broken and says what is."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pipeline import __version__
from pipeline.ground.errors import ColorizeError, ExitCode, of_the_machine
from pipeline.ground.homes import user_cache
from pipeline.ground.settings import Settings
from pipeline.nets.engine import Engine
from pipeline.nets.engines.catalogue import PACKAGES
from pipeline.nets.spec import NetSpec
from pipeline.run.capacity import automatic_jobs, available_memory

# Modules of the core dependencies and what people call them.
_CORE = {
    "cv2": "OpenCV",
    "numpy": "NumPy",
    "PIL": "Pillow",
    "joblib": "joblib",
    "filelock": "filelock",
    "platformdirs": "platformdirs",
    "psutil": "psutil",
    "tqdm": "tqdm",
}


class Extra(NamedTuple):
    """The module that an extra brings, and what it is good for."""

    module: str
    use: str


EXTRAS = {
    "openvino": Extra("openvino", "the fastest engine on x86 processors, above all with bfloat16"),
    "onnxruntime": Extra("onnxruntime", "an engine that is faster than OpenCV's on most processors"),
    "import": Extra("onnx", "converts published models (`colorize models import`)"),
    "heic": Extra("pi_heif", "reads the HEIC that telephones write"),
    "credentials": Extra("c2pa", "signs pictures with Content Credentials"),
}
LITTLE_SPACE = 2**30
_BY_MEMORY = "as many as the free memory holds"

Found = TypeVar("Found")


@dataclass(slots=True)
class Diagnosis:
    """Everything `colorize doctor` found; each table is ready for JSON.

    Attributes:
        machine: processor, abilities, cores, cores_of_machine, memory_bytes (free), memory_total_bytes, system.
        software: name -> version, or None where it cannot be imported.
        extras: name -> version, or None where it is not installed.
        films: version (of PyAV, None where it is not installed), encoders that are there, devices: hardware encoder ->
            what is in its way, empty where nothing is.
        model: name, path, bytes, sha256, input_size; empty when there is none that can be used.
        engines: one table for each engine and precision tried, see `nets.engines.findings.Trial`.
        examined: when these were tried (ISO 8601, UTC), busy: the share of the machine that others used then, fair:
            whether their times may be believed.
        use: engine, precision, why, jobs, why_jobs; empty when no picture could be colorized.
        folders: what, path, exists, writable, bytes, free_bytes.
        problems: sentences on what is broken.
        advice: sentences on what would go faster or better.
        exit_code: of the worst problem.
    """

    machine: dict[str, Any] = field(default_factory=dict)
    software: dict[str, str | None] = field(default_factory=dict)
    extras: dict[str, str | None] = field(default_factory=dict)
    films: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    engines: list[dict[str, Any]] = field(default_factory=list)
    examined: dict[str, Any] = field(default_factory=dict)
    use: dict[str, Any] = field(default_factory=dict)
    folders: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)
    exit_code: ExitCode = ExitCode.OK

    def attempt(self, what: str, call: Callable[[], Found]) -> Found | None:
        """Call something that may be broken; what it raises becomes a problem."""
        try:
            return call()
        except ColorizeError as error:
            self._blame(str(error), error.exit_code)
        except Exception as error:  # a half-installed library can raise anything
            if told := of_the_machine(error):
                self._blame(f"{what}: {told}", told.exit_code)
            else:
                self._blame(f"{what}: {type(error).__name__}: {error}.", ExitCode.FAULT)
        return None

    def _blame(self, sentence: str, code: ExitCode) -> None:
        if sentence not in self.problems:
            self.problems.append(sentence)
        self.exit_code = self.exit_code or code


def diagnose(settings: Settings, *, anew: bool = False) -> Diagnosis:
    """Look at everything a run needs; never raises.

    Args:
        settings: model, engine, precision and jobs as a run would have them.
        anew: check the engines again instead of reading what an earlier check found.
    """
    found = Diagnosis()
    found.machine = describe_machine()
    _software(found)
    found.films = found.attempt("Films", film_encoders) or {}
    folders = found.attempt("The folders", lambda: _folders(settings))
    found.folders = folders or []
    for each in found.folders:
        if not each["writable"]:
            found.advice.append(f"{each['path']} cannot be written: {each['without']}.")
        elif each["free_bytes"] is not None and each["free_bytes"] < LITTLE_SPACE:
            found.advice.append(f"{each['path']} has only {each['free_bytes'] / 1e6:.0f} MB left.")
    spec = found.attempt("The model", lambda: _spec(settings))
    if spec is None:
        return found
    found.model = {
        "name": spec.name,
        "path": str(spec.path),
        "bytes": spec.path.stat().st_size,
        "sha256": spec.sha256,
        "input_size": spec.input_size,
    }
    found.attempt("The engines", lambda: _engines(found, spec, anew))
    choice = found.attempt("The engine", lambda: _choice(settings))
    if choice is not None:
        found.attempt("The engine", lambda: _tried(spec, choice))
        found.use = _use(settings, choice, found)
    _advise(found)
    return found


def describe_machine() -> dict[str, Any]:
    """Return processor, abilities, cores, memory and system."""
    processor, flags = platform.processor() or platform.machine(), ""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                processor = value.strip()
            elif name.strip() in ("flags", "Features"):
                flags = f" {value.strip()} "
                break
    known = {"avx2": "AVX2", "avx512f": "AVX-512", "avx512_bf16": "AVX512-BF16", "amx_bf16": "AMX-BF16"}
    cores = os.cpu_count() or 1
    with suppress(Exception):
        from joblib import cpu_count

        cores = int(cpu_count())
    return {
        "processor": processor,
        "abilities": [told for flag, told in known.items() if f" {flag} " in flags],
        "cores": cores,
        "cores_of_machine": os.cpu_count() or 1,
        "memory_bytes": available_memory(),
        "memory_total_bytes": _total_memory(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _total_memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None


def _software(found: Diagnosis) -> None:
    found.software["colorize"] = __version__
    found.software["Python"] = platform.python_version()
    for module, called in _CORE.items():
        loaded = found.attempt(f"{called} cannot be imported", partial(importlib.import_module, module))
        version = getattr(loaded, "__version__", None) or (_version(module) if loaded else None)
        found.software[called] = str(version) if version else None
    found.extras = {name: _version(extra.module) for name, extra in EXTRAS.items()}
    wheels = [name for name in PACKAGES["opencv"][1] if _version(name)]
    if len(wheels) > 1:
        found.advice.append(
            f"{' and '.join(wheels)} are installed side by side and overwrite each other's files: "
            "uninstall all of them, then install opencv-python-headless alone."
        )


def film_encoders() -> dict[str, Any]:
    """Return what can be done with films here."""
    version = _version("av")
    if version is None:
        return {"version": None, "encoders": [], "devices": {}}
    from pipeline.media.film.encoders import available, hardware

    return {
        "version": version,
        "encoders": [name for name, there in available().items() if there],
        "devices": hardware(),
    }


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _spec(settings: Settings) -> NetSpec:
    from pipeline.nets.resolve import find_net

    return find_net(settings)


def _engines(found: Diagnosis, spec: NetSpec, anew: bool) -> None:
    from pipeline.nets.engines.choice import examine

    findings = examine(spec, anew=anew)
    # Flat, as everything else here names an engine.
    found.engines = [asdict(trial) | asdict(trial.engine) | {"engine": trial.engine.name} for trial in findings.trials]
    found.examined = findings.described()
    if not findings.fair:
        found.advice.append(
            "The engines were timed while other programs kept the machine busy: the next run that finds it calm times "
            "them again; colorize doctor --anew does it now."
        )


def _choice(settings: Settings) -> Engine:
    from pipeline.run.engine import settle

    _, choice = settle(settings)
    return choice.engine


def _tried(spec: NetSpec, engine: Engine) -> None:
    # What is named outright is not checked beforehand: see whether it opens at all.
    from pipeline.nets.engines.open import open_net

    open_net(spec, engine)


def _use(settings: Settings, engine: Engine, found: Diagnosis) -> dict[str, Any]:
    jobs, why_jobs = _jobs(settings, found)
    return {
        "engine": engine.name,
        "precision": engine.precision,
        "why": _why(settings, found),
        "jobs": jobs,
        "why_jobs": why_jobs,
    }


def _why(settings: Settings, found: Diagnosis) -> str:
    if "auto" not in (settings.engine, settings.precision):
        return "the settings name it"
    if sum(trial["passed"] for trial in found.engines) <= 1:
        return "the only one here that passed its check"
    left = "" if settings.engine == settings.precision == "auto" else ", among those that the settings leave"
    return f"the fastest here whose answers agree with OpenCV's in float32{left}"


def _jobs(settings: Settings, found: Diagnosis) -> tuple[int | str, str]:
    if settings.jobs != "auto":
        return settings.jobs, "--jobs"
    jobs = automatic_jobs(found.model["bytes"])
    by_cores = jobs >= found.machine["cores"]
    return jobs, "one for each core" if by_cores else _BY_MEMORY


def _folders(settings: Settings) -> list[dict[str, Any]]:
    from pipeline.nets.store.registry import default_models_dir

    models = Path(settings.models_dir) if settings.models_dir else default_models_dir()
    return [
        _folder("models", models, "models cannot be fetched or imported there"),
        _folder("cache", user_cache(), "every run begins with the check of the engines"),
    ]


def _folder(what: str, path: Path, without: str) -> dict[str, Any]:
    there = path
    while not there.exists() and there != there.parent:
        there = there.parent
    writable = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
    free = None
    with suppress(OSError):
        free = shutil.disk_usage(there).free
    held = 0
    with suppress(OSError):
        held = sum(each.stat().st_size for each in path.rglob("*") if each.is_file())
    return {
        "what": what,
        "path": str(path),
        "exists": path.is_dir(),
        "writable": writable,
        "bytes": held,
        "free_bytes": free,
        "without": without,
    }


def _advise(found: Diagnosis) -> None:
    if found.films.get("version") is None:
        found.advice.append("pip install 'colorize-archive[film]': colorizes films.")
    for name, version in found.extras.items():
        if version is None:
            found.advice.append(f"pip install 'colorize-archive[{name}]': {EXTRAS[name].use}.")
    fit = [trial for trial in found.engines if trial["passed"] and trial["milliseconds"]]
    if found.use and fit:
        best = min(fit, key=lambda trial: trial["milliseconds"])
        fastest = Engine(best["engine"], best["precision"])
        if fastest != Engine(found.use["engine"], found.use["precision"]):
            found.advice.append(f"Leave engine and precision to auto: {fastest} is faster here and agrees.")
    if found.use and found.use["why_jobs"] == _BY_MEMORY:
        found.advice.append("More free memory would let more workers run; close what is not needed.")

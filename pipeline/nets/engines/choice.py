"""Which engine runs a net here: the fastest one installed whose answers agree with OpenCV's.

Where OpenCV cannot run a net, the first engine that can is what the others are held to.

The check runs once for a machine, a set of versions and a model; what it found is kept as JSON in the user's cache.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.ground.errors import EngineError
from pipeline.ground.files import write_whole
from pipeline.nets.engine import Engine
from pipeline.nets.engines import catalogue
from pipeline.nets.engines.catalogue import ENGINES, PRECISIONS
from pipeline.nets.engines.trial import Measured, measure
from pipeline.nets.spec import NetSpec

REFERENCE = Engine("opencv", "float32")
CANDIDATES = sorted(
    (Engine(name, each) for name in ENGINES for each in PRECISIONS[name]),
    key=lambda engine: engine.precision != "float32",
)

# Differences of ab, in Lab units, from OpenCV in float32: what float32 engines and bfloat16 may reach.
FLOAT32_MOST, FLOAT32_MEAN = 0.05, 0.005
# At the 99.9th percentile photographs may differ by 4.0; the made-up pictures of the check show a third of the tail
# that photographs have (embedded-v2: 3.2 against 9.8 on 150 photographs).
BFLOAT16_HIGH, BFLOAT16_MEAN = 4.0 / 3, 1.0

# Raised when the check itself changes: what was found before is then forgotten.
_CHECK_VERSION = 4


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of one engine.

    Attributes:
        engine: what was tried.
        passed: whether it may be used.
        verdict: in words, for `colorize doctor`.
        milliseconds: one prediction with one thread; None where it did not run.
        mean, high, most: mean, 99.9th percentile and maximum of the ab difference from the reference; None likewise.
    """

    engine: Engine
    passed: bool
    verdict: str
    milliseconds: float | None = None
    mean: float | None = None
    high: float | None = None
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """The engine that runs the net, and every trial that led there (empty where nothing was tried)."""

    engine: Engine
    trials: tuple[Trial, ...] = ()

    def keep(self, last: Engine | None, wanted: str, precision: str) -> Engine:
        """Return `last` where it passed its trial and is what is wanted, else the choice.

        A finished archive must not be done anew because a library was installed or a stopwatch wavered: the engine is
        part of what its pictures were made under.

        Args:
            last: what the last run used; None: there was none.
            wanted, precision: as in `choose_engine`.
        """
        fit = last in [trial.engine for trial in self.trials if trial.passed]
        return last if last is not None and fit and _is_wanted(last, wanted, precision) else self.engine


def _is_wanted(engine: Engine, wanted: str, precision: str) -> bool:
    return wanted in ("auto", engine.name) and precision in ("auto", engine.precision)


def choose_engine(
    spec: NetSpec, wanted: str = "auto", precision: str = "auto", cache_dir: Path | None = None
) -> Choice:
    """Choose what runs the net: the fastest installed engine that agrees with OpenCV in float32 on this machine.

    Args:
        spec: the net.
        wanted: an engine's name, or "auto".
        precision: "float32", "bfloat16", or "auto": bfloat16 only where the hardware has it and it stays close enough.
        cache_dir: where the findings are kept; None: the user's cache.

    Returns:
        The choice. With both engine and precision named nothing is tried.

    Raises:
        EngineError: the engine that is wanted is not installed (the extra is named), or cannot run the net.
    """
    catalogue.require(wanted, precision)
    if "auto" not in (wanted, precision):
        return Choice(Engine(wanted, precision))
    wished = [engine for engine in CANDIDATES if _is_wanted(engine, wanted, precision)]
    if all(engine == REFERENCE or not catalogue.installed(engine.name) for engine in wished):
        return Choice(REFERENCE)
    trials = examine(spec, cache_dir)
    fit = [trial for trial in trials if trial.passed and trial.engine in wished]
    if not fit:
        reasons = "; ".join(f"{trial.engine}: {trial.verdict}" for trial in trials if trial.engine in wished)
        raise EngineError(f"Nothing that was asked for can run {spec.name} here. {reasons}.")
    best = min(fit, key=lambda trial: trial.milliseconds or 0.0)
    return Choice(best.engine, trials)


def examine(spec: NetSpec, cache_dir: Path | None = None, *, anew: bool = False) -> tuple[Trial, ...]:
    """Try all engines on this net, or read from the cache what an earlier examination found.

    Args:
        spec: the net.
        cache_dir: where the findings are kept; None: the user's cache.
        anew: do not read the cache.

    Raises:
        EngineError: no engine can run the net.
    """
    if cache_dir is None:
        from platformdirs import user_cache_path

        cache_dir = user_cache_path("colorize")
    circumstances = _circumstances(spec)
    digest = hashlib.sha256(json.dumps(circumstances, sort_keys=True).encode()).hexdigest()[:16]
    path = cache_dir / "engines" / f"{digest}.json"
    if not anew and (known := _recall(path, circumstances)):
        return known
    trials: list[Trial] = []
    reference: Measured | None = None
    for engine in CANDIDATES:  # those in float32 come first
        trial, found = _trial(spec, engine, reference, cache_dir)
        trials.append(trial)
        reference = reference or found
    if reference is None:
        reasons = "; ".join(f"{trial.engine.name}: {trial.verdict}" for trial in trials)
        raise EngineError(f"No engine can run {spec.name} here. {reasons}.")
    _remember(path, circumstances, trials)
    return tuple(trials)


def _trial(spec: NetSpec, engine: Engine, reference: Measured | None, cache_dir: Path) -> tuple[Trial, Measured | None]:
    """Try one engine; where there is no reference yet and it runs, it becomes the reference (second value)."""

    def no(verdict: str) -> tuple[Trial, None]:
        return Trial(engine, False, verdict), None

    if not catalogue.installed(engine.name):
        return no(f"not installed: {catalogue.remedy(engine.name)}")
    if engine.precision == "bfloat16":
        if not _has_bfloat16():
            return no("this processor has no bfloat16 arithmetic")
        if reference is None:
            return no("nothing in float32 runs, so there is nothing to compare it with")
    found = measure(spec, engine, cache_dir)
    if found.ab is None:
        return no(f"cannot run it: {found.fault.rstrip('.')}")
    if reference is None or reference.ab is None:
        return Trial(engine, True, "the reference", found.milliseconds, 0.0, 0.0, 0.0), found
    if found.ab.shape != reference.ab.shape:
        return no("gives ab of another size than the reference")
    difference = np.abs(found.ab - reference.ab)
    mean, most = float(difference.mean()), float(difference.max())
    high = float(np.percentile(difference, 99.9))
    if engine.precision == "float32":
        passed = most <= FLOAT32_MOST and mean <= FLOAT32_MEAN
        figures = f"ab differs by {mean:.4f} on average, {most:.3f} at most"
    else:
        passed = high <= BFLOAT16_HIGH and mean <= BFLOAT16_MEAN
        figures = f"ab differs by {mean:.2f} on average, {high:.2f} at the 99.9th percentile"
    verdict = f"{'agrees' if passed else 'differs too much'}: {figures}"
    return Trial(engine, passed, verdict, found.milliseconds, mean, high, most), None


def _has_bfloat16() -> bool:
    from pipeline.nets.engines.openvino import has_bfloat16  # an optional library stays unimported until it is needed

    return has_bfloat16()


def _circumstances(spec: NetSpec) -> dict[str, Any]:
    versions = {engine: catalogue.package_version(engine) for engine in ENGINES}
    return {
        "check": _CHECK_VERSION,
        "machine": [platform.machine(), _processor()],
        "versions": versions,
        "model": spec.sha256,
        "contract": [spec.input_size, asdict(spec.feed), asdict(spec.answer), spec.form],
    }


def _processor() -> str:
    """Return the processor's model and abilities: a home folder may be shared between machines."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor()
    wanted = ("model name", "flags", "Features", "CPU part")
    lines = [line for line in text.partition("\n\n")[0].splitlines() if line.startswith(wanted)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _recall(path: Path, circumstances: dict[str, Any]) -> tuple[Trial, ...]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["circumstances"] != json.loads(json.dumps(circumstances)):
            return ()
        return tuple(Trial(**each | {"engine": Engine(**each["engine"])}) for each in found["trials"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ()  # not there, or damaged: the check is done anew


def _remember(path: Path, circumstances: dict[str, Any], trials: list[Trial]) -> None:
    text = json.dumps({"circumstances": circumstances, "trials": [asdict(each) for each in trials]}, indent=1)
    with contextlib.suppress(OSError):  # a cache that cannot be written costs time, nothing else
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text)

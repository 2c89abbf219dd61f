"""Everything that `make bench` does: nets and engines, size after size, the report."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import cv2

from benchmarks.contender import Contender
from benchmarks.films import measure_films
from benchmarks.measurement import LARGE, Say, measurement
from benchmarks.report import markdown
from benchmarks.results import Document, Results
from pipeline import __version__
from pipeline.ground.errors import OutputError
from pipeline.ground.files import words, write_whole
from pipeline.ground.settings import Settings
from pipeline.measure.diagnosis import describe_machine
from pipeline.media.reels import INSTALLED
from pipeline.nets.engine import Engine
from pipeline.nets.engines.catalogue import ENGINES, PRECISIONS, installed, require
from pipeline.nets.engines.choice import REFERENCE
from pipeline.nets.spec import NetSpec
from pipeline.nets.store.identify import resolve_file
from pipeline.run.capacity import available_memory, wished_jobs
from pipeline.run.engine import settle

SIZES = (0.3, 2.0, 12.0, 24.0, 100.0)
QUICK_SIZES = (0.3, 2.0)
# Up to this size all engines are measured; above it OpenCV's and the fastest.
ALL_ENGINES_UP_TO = 1.0
# The reference holds some six float32 pictures at once.
REFERENCE_BYTES_A_PIXEL = 90

NO_RELEASE = (
    'Without the extra "import" there is no net of the release\'s size, hence no reference: '
    "pip install 'colorize-archive[import]'."
)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is to be measured.

    Attributes:
        sizes: of pictures, in megapixels.
        engines: such as "openvino" or "openvino/bfloat16"; empty: all that are installed (above 1 MP OpenCV's and the
            fastest).
        rounds: how often everything takes its turn.
        quick: only OpenCV and the fastest engine, and no scaling.
        output: folder of `performance.md` and `performance.json`; None: nothing is written.
    """

    sizes: Sequence[float] = SIZES
    engines: Sequence[str] = ()
    rounds: int = 5
    quick: bool = False
    output: Path | None = None


def run_suite(settings: Settings, wishes: Wishes, say: Say) -> Document:
    """Measure speed, and write the two files anew after each size.

    Args:
        settings: model, models_dir and jobs count.
        wishes: what is measured.
        say: told what is going on, a line at a time.

    Returns:
        What the JSON file holds.

    Raises:
        OutputError: `wishes.output` cannot be written.
        ModelError: no such model, or an engine that is not there.
        ColorizeError: a process died while it was measured.
    """
    if wishes.output is not None:
        _make_folder(wishes.output)
    with tempfile.TemporaryDirectory(prefix="colorize-bench-") as place:
        suite = _Suite.prepared(settings, wishes, say, Path(place))
        for megapixels in wishes.sizes:
            suite.measure(megapixels)
            suite.save()
        if not wishes.quick:
            suite.films()
            suite.save()
        if not wishes.quick and suite.jobs > 1:
            suite.scale()
            suite.save()
        return suite.document()


@dataclass(slots=True)
class _Suite:
    """What does not change from size to size, and what was found."""

    wishes: Wishes
    say: Say
    folder: Path
    jobs: int
    best: Engine
    engines: list[Engine]
    nets: dict[str, NetSpec]
    conditions: dict[str, Any]
    results: Results = field(default_factory=Results)

    @classmethod
    def prepared(cls, settings: Settings, wishes: Wishes, say: Say, folder: Path) -> _Suite:
        """Look what there is, and make a net of the release's size."""
        net, choice = settle(replace(settings, engine="auto", precision="auto"))
        engines = wished(wishes.engines)
        jobs = wished_jobs(settings, net)
        nets = {"embedded" if settings.model == "embedded" else net.name: net}
        facts = {"workers": jobs, "rounds": wishes.rounds, "best": str(choice.engine)}
        conditions = {"machine": describe_machine(), **_versions(), **facts}
        suite = cls(wishes, say, folder, jobs, choice.engine, engines, nets, conditions)
        release = made_up_release(folder)
        if release is None:
            suite._leave_out(NO_RELEASE)
        else:
            nets["release"] = release
        return suite

    def measure(self, megapixels: float) -> None:
        """Measure everything at one size of pictures."""
        contenders = [
            Contender(model, net, engine, self.jobs)
            for model, net in self.nets.items()
            for engine in self._engines(megapixels)
        ]
        rounds = min(self.wishes.rounds, 2) if megapixels >= LARGE else self.wishes.rounds
        reference = self._reference(megapixels)
        with measurement(megapixels, self.folder, self.results, self.say) as size:
            fit = size.alone(contenders)
            size.in_turns(fit, reference, rounds=rounds, threads=self.jobs)

    def scale(self) -> None:
        """Measure the fastest of what was asked for with more and more workers."""
        model, net = next(iter(self.nets.items()))
        engine = self.best if self.best in self.engines else self.engines[0]
        with measurement(min(SIZES), self.folder, self.results, self.say) as size:
            size.scale(Contender(model, net, engine, self.jobs), rounds=self.wishes.rounds)

    def films(self) -> None:
        """Measure films, where they can be worked on: the fastest engine and OpenCV, on the tutorial's net and ours."""
        if not INSTALLED:
            self._leave_out("Films: the extra is not installed (pip install 'colorize-archive[film]').")
            return
        engines = dict.fromkeys(each for each in (REFERENCE, self.best) if each in self.engines)
        contenders = [
            Contender(model, net, engine, self.jobs)
            for model, net in self.nets.items()
            for engine in engines
            if not (model == "embedded" and "release" in self.nets and engine != self.best)
        ]
        rounds = min(self.wishes.rounds, 3)
        with tempfile.TemporaryDirectory(dir=self.folder) as place:
            self.results.films += measure_films(
                Path(place), contenders, self.nets.get("release"), self.say, rounds=rounds
            )

    def document(self) -> Document:
        """Return what was found so far."""
        return self.results.document(self.conditions)

    def save(self) -> None:
        """Write what there is so far: what was measured is not lost when the rest is stopped."""
        if self.wishes.output is not None:
            document = self.document()
            _write(self.wishes.output / "performance.json", json.dumps(document, indent=1))
            _write(self.wishes.output / "performance.md", markdown(document))

    def _engines(self, megapixels: float) -> list[Engine]:
        if self.wishes.engines or not (self.wishes.quick or megapixels > ALL_ENGINES_UP_TO):
            return self.engines
        return [engine for engine in self.engines if engine in (REFERENCE, self.best)]

    def _reference(self, megapixels: float) -> NetSpec | None:
        memory = available_memory()
        if "release" in self.nets and memory is not None and megapixels * 1e6 * REFERENCE_BYTES_A_PIXEL > memory:
            self._leave_out(f"The reference at {megapixels:g} MP: not enough free memory.")
            return None
        return self.nets.get("release")

    def _leave_out(self, sentence: str) -> None:
        self.results.left_out.append(sentence)
        self.say(sentence)


def wished(names: Sequence[str]) -> list[Engine]:
    """Return the engines asked for, or all that are installed; without a precision: in all that this machine has.

    Raises:
        EngineError: there is no such engine or precision, or it is not installed.
    """
    found: list[Engine] = []
    for name in names or [each for each in ENGINES if installed(each)]:
        engine, _, precision = name.partition("/")
        require(engine, precision or "auto")
        precisions = [precision] if precision else filter(_has, PRECISIONS[engine])
        found += [Engine(engine, each) for each in precisions]
    return list(dict.fromkeys(found))


def _has(precision: str) -> bool:
    if precision != "bfloat16":
        return True
    from pipeline.nets.engines.openvino import has_bfloat16  # the one engine that knows it, and it is installed then

    return has_bfloat16()


def made_up_release(folder: Path) -> NetSpec | None:
    """Write a net of the release's size with made-up weights into `folder`; None where the extra is not installed."""
    if importlib.util.find_spec("onnx") is None:
        return None
    from pipeline.nets.convert.release_topology import write_release_onnx

    path = folder / "release.onnx"
    write_release_onnx(path)
    return resolve_file(path, name="release")


def _versions() -> dict[str, str]:
    found = {
        "python": platform.python_version(),
        "colorize": __version__,
        "opencv": cv2.__version__,
        "load": f"{os.getloadavg()[0]:.1f}",
    }
    for name in ("onnxruntime", "openvino", "numpy"):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {words(error)}.") from None


def _write(path: Path, text: str) -> None:
    try:
        write_whole(path, text)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {words(error)}.") from None

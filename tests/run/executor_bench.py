"""Executors as the driver makes them, one after another for a test: the suite of all of them."""

from __future__ import annotations

import importlib.util
import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from pipeline.ground.items import Kind, Unit, Verb
from pipeline.ground.settings import Settings, field_of
from pipeline.nets.engine import Engine
from pipeline.nets.resolve import resolve
from pipeline.run import driver
from pipeline.run.context import Context
from pipeline.run.executors.executor import Executor
from pipeline.run.progress import Progress
from tests.conftest import write_archive
from tests.run import clusters

EXECUTORS = field_of("executor").metadata["choices"]
IN_PROCESSES = [name for name in EXECUTORS if name != "serial"]
ON_CLUSTERS = [name for name in EXECUTORS if name in clusters.BEGIN]


@dataclass
class Told(Progress):
    """Keeps what a person would be told."""

    told: list[str] = field(default_factory=list)

    def say(self, sentence: str) -> None:
        self.told.append(sentence)


@dataclass
class Bench:
    """An executor as the driver makes it, and photographs to do."""

    context: Context
    tmp_dir: Path
    sources: list[Path]
    told: list[str]

    def executor(self, **changes: object) -> Executor:
        context = replace(self.context, **changes)
        jobs = driver._jobs(context, Counter({Kind.PHOTO: len(self.sources)}))
        return driver._executor(context, jobs, self.tmp_dir, Told(len(self.sources), told=self.told))

    def units(self) -> list[Unit]:
        return [Unit(Verb.MAKE, path.name, Kind.PHOTO, path, f"{path.stem}.png", path.name) for path in self.sources]


@pytest.fixture
def bench(request: pytest.FixtureRequest, tmp_path: Path, tiny_net: Path, begun: Callable[[str], str]) -> Bench:
    if request.param in ON_CLUSTERS and importlib.util.find_spec(clusters.MODULES[request.param]) is None:
        pytest.skip(f"extra: {request.param}")
    settings = Settings(executor=request.param, cluster=begun(request.param), jobs=2, format="png")
    tmp_dir = tmp_path / "colour" / "tmp"
    tmp_dir.mkdir(parents=True)
    sources = write_archive(tmp_path / "scans", 9)
    context = Context(
        [tmp_path / "scans"], tmp_path / "colour", [], settings, resolve(str(tiny_net)), Engine("opencv", "float32")
    )
    return Bench(context, tmp_dir, sources, [])


def _of(names: Iterable[str]) -> pytest.MarkDecorator:
    marks = {"ray": [pytest.mark.soak]}  # its workers take many seconds to come up
    return pytest.mark.parametrize(
        "bench", [pytest.param(name, marks=marks.get(name, [])) for name in names], indirect=True
    )


every = _of(EXECUTORS)
in_processes = _of(IN_PROCESSES)
in_children = _of(["loky"])


def taking(units: list[Unit]) -> Callable[[], Unit | None]:
    return lambda: units.pop(0) if units else None


def children() -> set[int]:
    """Processes that this one has started, loky's housekeeper aside."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
            command = status.with_name("cmdline").read_bytes()
        except OSError:
            continue
        if int(fields["PPid"]) == os.getpid() and b"resource_tracker" not in command:
            found.add(int(status.parent.name))
    return found

"""A net or engine that fails ends the run with its sentence; no picture is blamed for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.ground.errors import ExitCode, ModelError
from pipeline.ground.items import Answer, Halt, Kind, Result, Unit, Verb
from pipeline.ground.settings import Settings
from pipeline.media.medium import Job
from pipeline.nets.engine import Engine
from pipeline.nets.engines.open import open_net
from pipeline.nets.net import LoadedNet
from pipeline.nets.resolve import resolve
from pipeline.run import driver
from pipeline.run.executors import loky
from pipeline.run.worker import Worker
from tests.conftest import landscape, write_archive, write_tiff

OPENCV = Engine("opencv", "float32")


@pytest.fixture
def settings(tiny_net: Path) -> Settings:
    return Settings(model=str(tiny_net), engine="opencv", precision="float32", executor="serial")


class Failing:
    """Opens nets that work for so many pictures (the trial at opening not counted), one number a net; then for ever."""

    def __init__(self, *good_for: int) -> None:
        self.good_for = list(good_for)
        self.opened = 0

    def __call__(self, spec: object, engine: Engine) -> LoadedNet:
        net = open_net(spec, engine)  # type: ignore[arg-type]
        left = [self.good_for[self.opened] if self.opened < len(self.good_for) else 10**9]
        self.opened += 1
        run = net.run  # type: ignore[attr-defined]

        def running(fed: object) -> np.ndarray:
            if left[0] == 0:
                raise RuntimeError("CUDA error: an illegal memory\naccess was encountered")
            left[0] -= 1
            return run(fed)

        return replace(net, run=running)  # type: ignore[type-var]


def failing(monkeypatch: pytest.MonkeyPatch, *good_for: int) -> Failing:
    opener = Failing(*good_for)
    monkeypatch.setattr("pipeline.media.medium.open_net", opener)
    return opener


def test_an_engine_that_dies_once_is_opened_again_and_the_run_goes_on(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    opener = failing(monkeypatch, 3)
    write_archive(tmp_path / "scans", 7)
    summary = driver.run_archive([tmp_path / "scans"], tmp_path / "colour", settings)
    assert summary.counts == {"done": 7}
    assert opener.opened == 2


def test_one_that_stays_dead_ends_the_run_and_what_is_left_waits(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_archive(tmp_path / "scans", 7)
    write_tiff(tmp_path / "scans" / "letter.tif", landscape(1), landscape(2))
    with monkeypatch.context() as patch:
        opener = failing(patch, 3, 0)
        with pytest.raises(ModelError) as caught:
            driver.run_archive([tmp_path / "scans"], tmp_path / "colour", settings)
    assert caught.value.exit_code == ExitCode.MODEL == 4
    assert str(caught.value) == (
        "The engine opencv/float32 stopped working on tiny: CUDA error: an illegal memory access was encountered"
    )
    assert opener.opened == 2
    manifest = (tmp_path / "colour" / "manifest.csv").read_text().splitlines()[1:]
    assert 1 <= len(manifest) <= 3
    assert all(",done," in line for line in manifest)
    summary = driver.run_archive([tmp_path / "scans"], tmp_path / "colour", settings)
    assert summary.counts == {"done": 8}
    assert summary.worked == 8 - len(manifest)


def test_a_net_that_went_before_the_workers_load_it_ends_the_run_with_its_sentence(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_archive(tmp_path / "scans", 3)
    settle = driver.settle

    def then_gone(wished: Settings) -> tuple[object, object]:
        spec, choice = settle(wished)
        return replace(spec, path=tmp_path / "gone.onnx"), choice

    monkeypatch.setattr(driver, "settle", then_gone)
    monkeypatch.setattr(driver, "_jobs", lambda context, todo: 2 if context.settings.executor == "loky" else 0)
    for executor in ("serial", "loky"):
        with pytest.raises(ModelError, match=r"gone\.onnx"):
            driver.run_archive([tmp_path / "scans"], tmp_path / "colour", replace(settings, executor=executor))
        assert len((tmp_path / "colour" / "manifest.csv").read_text().splitlines()) == 1, "no picture is blamed"
    monkeypatch.undo()
    assert driver.run_archive([tmp_path / "scans"], tmp_path / "colour", settings).counts == {"done": 3}


def job(tmp_path: Path, model: Path | str, **changes: object) -> Job:
    tmp_dir = tmp_path / "tmp"
    tmp_dir.mkdir(exist_ok=True)
    settings = replace(Settings(format="png"), **changes)
    return Job(settings, resolve(str(model)), OPENCV, tmp_path, tmp_dir)


def do(job: Job, source: Path) -> Answer:
    return loky._do(job, Unit(Verb.MAKE, source.name, Kind.PHOTO, source, "made.png", "copy.png"))


@pytest.fixture
def _no_worker_yet() -> None:
    loky._worker.cache_clear()


@pytest.mark.usefixtures("_no_worker_yet")
def test_a_worker_for_a_second_job_never_uses_the_first_one_s_net(tmp_path: Path, tiny_net: Path) -> None:
    (source,) = write_archive(tmp_path / "scans", 1)
    models = []
    for wished in (job(tmp_path, tiny_net), job(tmp_path, "embedded"), job(tmp_path, tiny_net)):
        loky._worker(wished)
        result = do(wished, source)
        assert isinstance(result, Result)
        models.append(result.model)
    assert models[0] == models[2] == "tiny"
    assert models[1].startswith("embedded")


@pytest.mark.usefixtures("_no_worker_yet")
def test_a_second_job_whose_net_cannot_be_loaded_does_not_go_on_with_the_first_one_s(
    tmp_path: Path, tiny_net: Path
) -> None:
    (source,) = write_archive(tmp_path / "scans", 1)
    first = job(tmp_path, tiny_net)
    second = replace(first, net=replace(first.net, path=tmp_path / "gone.onnx"))
    assert isinstance(do(first, source), Result)
    for _ in range(2):  # each unit says it, until the driver has heard
        answer = do(second, source)
        assert isinstance(answer, Halt)
        assert isinstance(answer.error, ModelError)
        assert "gone.onnx" in str(answer.error)


@pytest.mark.usefixtures("_no_worker_yet")
def test_a_job_is_loaded_once_for_all_its_units(
    tmp_path: Path, tiny_net: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = write_archive(tmp_path / "scans", 3)
    opener = failing(monkeypatch)
    for source in sources:
        assert isinstance(do(job(tmp_path, tiny_net), source), Result)
    assert opener.opened == 1


@pytest.mark.usefixtures("_no_worker_yet")
def test_other_settings_are_another_job(tmp_path: Path, tiny_net: Path) -> None:
    (source,) = write_archive(tmp_path / "scans", 1)
    made = []
    for saturation in (1.0, 0.0):
        do(job(tmp_path, tiny_net, saturation=saturation), source)
        made.append((tmp_path / "made.png").read_bytes())
    assert made[0] != made[1]


@pytest.mark.usefixtures("_no_worker_yet")
def test_a_loader_that_breaks_is_one_sentence_too(
    tmp_path: Path, tiny_net: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ImportError("libopenvino.so: cannot open shared object file")

    (source,) = write_archive(tmp_path / "scans", 1)
    monkeypatch.setattr("pipeline.media.medium.open_net", broken)
    answer = do(job(tmp_path, tiny_net), source)
    assert isinstance(answer, Halt)
    assert str(answer.error) == (
        "The net cannot be loaded in a worker: ImportError: libopenvino.so: cannot open shared object file."
    )


def test_reopening_that_fails_is_what_ends_the_run(
    tmp_path: Path, tiny_net: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source,) = write_archive(tmp_path / "scans", 1)
    failing(monkeypatch, 0)
    worker = Worker(job(tmp_path, tiny_net))

    def gone(*_: object) -> Callable[[], None]:
        raise ModelError("The device is gone.")

    monkeypatch.setattr("pipeline.media.medium.open_net", gone)
    answer = worker.do(Unit(Verb.MAKE, "a", Kind.PHOTO, source, "made.png", "copy.png"))
    assert isinstance(answer, Halt)
    assert str(answer.error) == "The device is gone."

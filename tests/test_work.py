"""What a worker does with one item: held to the reference algorithm on real files, and never an exception."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline import work
from pipeline.colour.reference import colorize_reference
from pipeline.errors import OutputError
from pipeline.nets.engines.open import open_net
from pipeline.nets.resolve import resolve
from pipeline.settings import Settings
from pipeline.work import Job, Outcome, Task, prepare, process
from tests.conftest import landscape

SETTINGS = Settings(engine="opencv", precision="float32", format="png", on_color="recolor")


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Path]:
    """This process made a worker; its folder for unfinished files."""
    tmp = tmp_path / "unfinished"
    tmp.mkdir()
    threads = cv2.getNumThreads()
    prepare(Job(SETTINGS, resolve("embedded"), tmp, os.getpid()))
    yield tmp
    work._job = work._net = None
    cv2.setNumThreads(threads)


def colorize(source: Path) -> Outcome:
    return process(Task(source.name, source, source.with_name("colour.png"), source.with_name("copy.png")))


def toned(grey: np.ndarray) -> np.ndarray:
    return np.dstack([grey * 0.7, grey * 0.85, grey.astype(float)]).astype(np.uint8)


@pytest.mark.parametrize("size", [(48, 64), (1, 1), (3, 1), (1, 50), (37, 211), (333, 217), (20, 6000)])
@pytest.mark.parametrize("of", [lambda grey: grey, toned], ids=["grey", "BGR"])
def test_a_file_is_colorized_as_the_reference_does(tmp_path: Path, worker: Path, size: tuple[int, int], of) -> None:
    picture = of(landscape(7, *size))
    source = tmp_path / "scan.png"
    cv2.imwrite(str(source), picture)

    outcome = colorize(source)

    assert (outcome.status, outcome.reason) == ("done", "")
    assert (outcome.height, outcome.width, outcome.bits) == (*size, 8)
    net = open_net(resolve("embedded"), "opencv", "float32")
    side = net.spec.input_size

    def predict(centred: np.ndarray) -> np.ndarray:
        return net.predict(centred + np.float32(50)).transpose(2, 0, 1)

    wanted = colorize_reference(picture, predict, side).astype(int)
    difference = np.abs(cv2.imread(str(tmp_path / "colour.png")).astype(int) - wanted)
    assert difference.max() <= 2
    assert (difference <= 1).mean() >= 0.999
    assert not list(worker.iterdir())


def test_an_original_is_never_opened_for_writing(tmp_path: Path, worker: Path) -> None:
    source = tmp_path / "scan.png"
    cv2.imwrite(str(source), landscape(1))
    source.chmod(0o444)
    before = (source.stat().st_mtime_ns, source.read_bytes())
    assert colorize(source).status == "done"
    assert (source.stat().st_mtime_ns, source.read_bytes()) == before


def test_whatever_is_wrong_is_an_outcome(tmp_path: Path, worker: Path) -> None:
    assert colorize(tmp_path / "gone.png").status == "vanished"
    (tmp_path / "text.png").write_text("<html>not found</html>")
    failed = colorize(tmp_path / "text.png")
    assert (failed.status, failed.halt) == ("failed", None)
    assert failed.reason
    assert failed.source_size > 0


def test_a_run_that_is_over_can_publish_no_more(tmp_path: Path, worker: Path) -> None:
    source = tmp_path / "scan.png"
    cv2.imwrite(str(source), landscape(1))
    worker.rmdir()  # as the next run does with what a killed one left
    outcome = colorize(source)
    assert isinstance(outcome.halt, OutputError)
    assert not (tmp_path / "colour.png").exists()


def test_a_net_that_cannot_be_loaded_is_said_by_the_first_item(tmp_path: Path) -> None:
    from dataclasses import replace

    spec = replace(resolve("embedded"), path=tmp_path / "gone.onnx")
    prepare(Job(SETTINGS, spec, tmp_path, os.getpid()))
    try:
        outcome = process(Task("a", tmp_path / "a.png", tmp_path / "b.png", tmp_path / "b.png"))
        assert outcome.halt is not None
        assert "gone.onnx" in str(outcome.halt)
    finally:
        work._job = work._net = work._refusal = None

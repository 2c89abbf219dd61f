"""What a worker does with one photograph: held to the reference algorithm on real files, and never an exception."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.colour.reference import colorize_reference
from pipeline.ground.errors import ModelError, OutputError
from pipeline.ground.items import Answer, Halt, Kind, Result, Status, Unit, Verb
from pipeline.ground.settings import Settings
from pipeline.media.medium import Job
from pipeline.nets.engine import Engine
from pipeline.nets.engines.open import open_net
from pipeline.nets.resolve import resolve
from pipeline.run.worker import Worker
from tests.conftest import in_colour, landscape

OPENCV = Engine("opencv", "float32")
SETTINGS = Settings(
    engine="opencv", precision="float32", format="png", lightness="lab", palette="plain", on_color="recolor"
)


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Job]:
    """A job whose OUTPUT is the test's folder, and whose unfinished files have one of their own."""
    tmp = tmp_path / "unfinished"
    tmp.mkdir()
    threads = cv2.getNumThreads()
    yield Job(SETTINGS, resolve("embedded"), OPENCV, tmp_path, tmp)
    cv2.setNumThreads(threads)


def photograph(source: Path) -> Unit:
    return Unit(Verb.MAKE, source.name, Kind.PHOTO, source, "colour.png", "copy.png")


def colorize(job: Job, source: Path) -> Answer:
    return Worker(job).do(photograph(source))


def toned(grey: np.ndarray) -> np.ndarray:
    return np.dstack([grey * 0.7, grey * 0.85, grey.astype(float)]).astype(np.uint8)


@pytest.mark.parametrize("size", [(48, 64), (1, 1), (3, 1), (1, 50), (37, 211), (333, 217), (20, 6000)])
@pytest.mark.parametrize("of", [lambda grey: grey, toned], ids=["grey", "BGR"])
def test_a_file_is_colorized_as_the_reference_does(tmp_path: Path, job: Job, size: tuple[int, int], of) -> None:
    picture = of(landscape(7, *size))
    source = tmp_path / "scan.png"
    cv2.imwrite(str(source), picture)

    result = colorize(job, source)

    assert isinstance(result, Result)
    assert (result.status, result.reason) == ("done", "")
    assert (result.seen.height, result.seen.width, result.seen.bits) == (*size, 8)
    net = open_net(resolve("embedded"), OPENCV)
    side = net.spec.input_size

    def predict(centred: np.ndarray) -> np.ndarray:
        return net.predict(centred + np.float32(50)).transpose(2, 0, 1)

    wanted = colorize_reference(picture, predict, side).astype(int)
    difference = np.abs(cv2.imread(str(tmp_path / "colour.png")).astype(int) - wanted)
    assert difference.max() <= 2
    assert (difference <= 1).mean() >= 0.999
    assert not list(job.tmp_dir.iterdir())


def test_an_original_is_never_opened_for_writing(tmp_path: Path, job: Job) -> None:
    source = tmp_path / "scan.png"
    cv2.imwrite(str(source), landscape(1))
    source.chmod(0o444)
    before = (source.stat().st_mtime_ns, source.read_bytes())
    result = colorize(job, source)
    assert isinstance(result, Result)
    assert result.status == "done"
    assert (source.stat().st_mtime_ns, source.read_bytes()) == before


def test_whatever_is_wrong_is_an_answer(tmp_path: Path, job: Job) -> None:
    worker = Worker(job)
    gone = worker.do(photograph(tmp_path / "gone.png"))
    assert isinstance(gone, Result)
    assert gone.status is Status.VANISHED
    (tmp_path / "text.png").write_text("<html>not found</html>")
    failed = worker.do(photograph(tmp_path / "text.png"))
    assert isinstance(failed, Result)
    assert failed.status is Status.FAILED
    assert failed.reason
    assert failed.seen.source_size > 0


def test_a_run_that_is_over_can_publish_no_more(tmp_path: Path, job: Job) -> None:
    source = tmp_path / "scan.png"
    cv2.imwrite(str(source), landscape(1))
    worker = Worker(job)
    job.tmp_dir.rmdir()  # as the next run does with what a killed one left
    answer = worker.do(photograph(source))
    assert isinstance(answer, Halt)
    assert isinstance(answer.error, OutputError)
    assert not (tmp_path / "colour.png").exists()


def test_a_net_that_cannot_be_loaded_is_said(tmp_path: Path, job: Job) -> None:
    gone = replace(job, net=replace(job.net, path=tmp_path / "gone.onnx"))
    with pytest.raises(ModelError, match=r"gone\.onnx"):
        Worker(gone)


@pytest.mark.parametrize(("number", "status"), [(errno.EPERM, Status.DONE), (errno.EIO, Status.FAILED)])
@pytest.mark.parametrize("in_colour_already", [False, True])
def test_an_output_that_takes_no_times_takes_the_picture(
    tmp_path: Path, job: Job, monkeypatch: pytest.MonkeyPatch, in_colour_already: bool, number: int, status: Status
) -> None:
    source = tmp_path / "scan.png"
    cv2.imwrite(str(source), in_colour() if in_colour_already else landscape(1))

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "utime", refuse)
    answer = colorize(replace(job, settings=replace(SETTINGS, on_color="copy", keep_times=True)), source)
    if status is Status.FAILED:
        assert isinstance(answer, Halt)
        return
    assert isinstance(answer, Result)
    assert answer.status == (Status.COPIED if in_colour_already else Status.DONE)
    assert answer.metadata.endswith("its source's time could not be set")
    assert answer.filed is not None
    assert (job.output / answer.filed.place).stat().st_size == answer.filed.size

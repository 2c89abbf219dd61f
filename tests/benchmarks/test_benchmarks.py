import json
import os
import statistics
from contextlib import closing
from dataclasses import replace

import cv2
import numpy as np
import pytest

from benchmarks import measurement, suite, workloads
from benchmarks.contender import Contender, check, cycle, emptied, units
from benchmarks.films import measure_films
from benchmarks.measurement import block_of, steps
from benchmarks.pictures import sides, write_pictures
from benchmarks.process import Process
from benchmarks.report import markdown, summary_lines
from benchmarks.results import Results
from benchmarks.runners import NetRunner, PipelineRunner
from pipeline.ground.errors import ColorizeError, EngineError, OutputError
from pipeline.ground.items import Halt, Result, Status
from pipeline.media.reels import INSTALLED
from pipeline.nets.engine import Engine
from pipeline.nets.resolve import resolve
from pipeline.run.executors import child, loky

OPENCV = Engine("opencv", "float32")
BROKEN = Engine("opencv", "bfloat16")


def fall_over(_question):
    raise ValueError("no such thing")


def make_faulty():
    return fall_over


def make_nothing():
    raise ValueError("no such net")


def make_dying():
    return lambda _question: os._exit(9)


def make_environment():
    return os.environ.get


def quiet(_sentence):
    pass


@pytest.fixture(scope="module")
def net():
    return resolve("embedded")


@pytest.fixture
def contender(net):
    return Contender("embedded", net, OPENCV, 1)


def test_pictures_are_grey_of_the_size_that_was_asked_for_and_differ(tmp_path):
    paths = write_pictures(tmp_path, 0.05, 3)
    pictures = [cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in paths]
    width, height = sides(0.05)
    assert width * height == pytest.approx(50_000, rel=0.02)
    assert {picture.shape for picture in pictures} == {(height, width)}
    assert np.abs(pictures[0].astype(int) - pictures[1]).mean() > 10
    first = [path.read_bytes() for path in paths]
    assert [path.read_bytes() for path in write_pictures(tmp_path, 0.05, 3)] == first


def test_a_process_that_fails_or_dies_is_said():
    with closing(Process(make_faulty)) as faulty, pytest.raises(ColorizeError, match="no such thing"):
        faulty.ask(1)
    with pytest.raises(ColorizeError, match="no such net"):
        Process(make_nothing)
    with closing(Process(make_dying)) as dying:
        with pytest.raises(ColorizeError, match="died"):
            dying.ask(1)
        with pytest.raises(ColorizeError, match="died"):  # and goes on being dead
            dying.ask(1)


def test_a_process_has_its_variables_and_this_one_does_not(monkeypatch):
    monkeypatch.delenv("BENCHMARK_A", raising=False)
    monkeypatch.setenv("BENCHMARK_B", "before")
    with closing(Process(make_environment, environment={"BENCHMARK_A": "1", "BENCHMARK_B": "2"})) as there:
        assert [there.ask(name) for name in ("BENCHMARK_A", "BENCHMARK_B")] == ["1", "2"]
    assert "BENCHMARK_A" not in os.environ
    assert os.environ["BENCHMARK_B"] == "before"


def test_a_worker_alone_tells_every_stage_and_its_memory(tmp_path, contender):
    pictures = write_pictures(tmp_path, 0.05, 2)
    with closing(Process(workloads.worker_alone, emptied(contender.job(tmp_path / "out")))) as alone:
        found = alone.ask(units(pictures, 2))
    assert set(found["stages"]) == {*workloads.STAGES, "other"}
    assert all(found["stages"][stage] > 0 for stage in workloads.STAGES)
    assert sum(found["stages"].values()) == pytest.approx(found["seconds"][1])
    assert found["stages"]["other"] < found["seconds"][1] / 2
    assert 20e6 < found["memory"]["peak"] < 2e9
    assert cv2.imread(str(tmp_path / "out/1.jpg")).shape == (*sides(0.05)[::-1], 3)


def test_what_did_not_work_does_not_count_as_fast():
    check(Result("a", Status.DONE))
    with pytest.raises(ColorizeError, match="already in colour"):
        check(Result("a", Status.COPIED, reason="already in colour"))
    with pytest.raises(OutputError, match="no space"):
        check(Halt(OutputError("no space")))


def test_a_worker_that_fails_is_said_at_once(tmp_path, net):
    pictures = write_pictures(tmp_path, 0.01, 3)
    with (
        closing(PipelineRunner(Contender("embedded", net, BROKEN, 1), pictures, tmp_path / "out")) as runner,
        pytest.raises(ColorizeError, match="float32"),
    ):
        runner.block(3)


def test_a_worker_that_dies_is_said(tmp_path, contender, monkeypatch):
    monkeypatch.setenv(child.POISON_VARIABLE, "mp-0")
    pictures = write_pictures(tmp_path, 0.01, 1)
    with (
        closing(PipelineRunner(contender, pictures, tmp_path / "out")) as runner,
        pytest.raises(ColorizeError, match="died"),
    ):
        runner.block(1)


def test_the_pipeline_does_block_after_block_with_the_same_workers(tmp_path, net, monkeypatch):
    opened = []
    real = loky.Loky._open_pool
    monkeypatch.setattr(loky.Loky, "_open_pool", lambda self, jobs: opened.append(jobs) or real(self, jobs))
    pictures = write_pictures(tmp_path, 0.01, 2)
    with closing(PipelineRunner(Contender("embedded", net, OPENCV, 2), pictures, tmp_path / "out")) as runner:
        for count in (5, 1, 4):
            assert runner.block(count) > 0
            assert len(list((tmp_path / "out").glob("*.jpg"))) == count
    assert opened == [2]


def test_a_net_alone_predicts_in_as_many_processes_as_there_are_workers(net):
    with closing(NetRunner(Contender("embedded", net, OPENCV, 2))) as runner:
        assert runner.block(2) > 0


@pytest.fixture
def measured(tmp_path, net, contender, monkeypatch):
    """What comes of one contender at a small size, three rounds."""
    monkeypatch.setattr(measurement, "BLOCK_SECONDS", 0.1)
    results = Results()
    with measurement.measurement(0.05, tmp_path, results, quiet) as size:
        fit = size.alone([contender])
        size.in_turns(fit, net, rounds=3, threads=1)
        size.scale(contender, rounds=1)
    return results


def test_a_measurement_gives_ratios_outputs_and_a_report(tmp_path, measured):
    (row,) = measured.rows
    assert measured.left_out == []
    assert len(row["seconds"]) == len(row["reference_seconds"]) == len(row["bare_seconds"]) == 3
    pairs = zip(row["seconds"], row["reference_seconds"], strict=True)
    assert row["reference_ratio"] == pytest.approx(statistics.median(b / a for a, b in pairs))
    assert measured.comparisons[0]["within_one"] >= 0.999
    assert measured.comparisons[0]["most"] <= 2
    assert measured.scaling[0]["gain"] == 1
    assert not list(tmp_path.iterdir())  # the pictures and what was made of them are gone
    machine = {"processor": "P", "abilities": [], "cores": 1, "memory_total_bytes": None}
    document = measured.document({"machine": machine, "opencv": "5", "workers": 1, "rounds": 3})
    json.dumps(document)
    assert max(map(len, summary_lines(document))) <= 80
    text = markdown(document)
    assert f"**{row['reference_ratio']:.2f}x**" in text
    for heading in ("bare net", "Workers", "Where the time goes", "Memory", "first picture", "Outputs"):
        assert heading in text


def test_an_engine_that_cannot_run_is_left_out_and_said(tmp_path, net):
    results = Results()
    with measurement.measurement(0.01, tmp_path, results, quiet) as size:
        fit = size.alone([Contender("embedded", net, BROKEN, 1)])
        size.in_turns(fit, None, rounds=1, threads=1)
    assert (fit, results.rows) == ([], [])
    assert "opencv/bfloat16" in results.left_out[0]


def test_a_picture_that_cannot_be_read_fails_the_worker(tmp_path, contender):
    (tmp_path / "empty.jpg").touch()
    job = emptied(contender.job(tmp_path / "out"))
    with closing(Process(workloads.worker_alone, job)) as alone, pytest.raises(ColorizeError, match="empty"):
        alone.ask(units([tmp_path / "empty.jpg"], 1))


def test_cycle_goes_round():
    assert cycle([1, 2, 3], 5) == [1, 2, 3, 1, 2]


def test_steps_double_and_end_at_the_number_of_workers():
    assert [steps(most) for most in (1, 2, 6, 8)] == [[1], [1, 2], [1, 2, 4, 6], [1, 2, 4, 8]]


def test_a_block_is_whole_turns_of_about_two_seconds():
    assert block_of(0.1, 4) == 20
    assert block_of(30.0, 4) == 4
    assert block_of(1e-9, 1) == measurement.MOST_PICTURES
    assert block_of(0.01, 1, most=8) == 8


def test_names_become_engines():
    assert suite.wished(["opencv"]) == [OPENCV]
    assert suite.wished(["opencv/float32", "opencv"]) == [OPENCV]
    assert OPENCV in suite.wished([])
    with pytest.raises(EngineError, match="bfloat16"):
        suite.wished(["opencv/bfloat16"])


@pytest.mark.skipif(not INSTALLED, reason="the extra film is not installed")
def test_a_film_is_coloured_whole_by_each_in_turn(tmp_path, contender, net):
    contenders = [replace(contender, jobs=2)]
    rows = measure_films(tmp_path, contenders, net, quiet, rounds=2, sizes=((96, 64, 24),))
    assert [row["jobs"] for row in rows] == [1, 2]
    assert [len(row["seconds"]) for row in rows] == [2, 2]
    assert rows[1]["gain"] > 0
    assert all(row["reference_ratio"] > 0 for row in rows)

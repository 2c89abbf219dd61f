import json
import os
import statistics

import cv2
import numpy as np
import pytest

from pipeline.errors import ColorizeError
from pipeline.measure.speed import bench, race, station
from pipeline.measure.speed.lanes import PipelineLane, Station, cycle
from pipeline.measure.speed.race import entrant, run_race, scale
from pipeline.measure.speed.report import markdown, summary_lines
from pipeline.measure.speed.specimens import sides, write_specimens
from pipeline.nets.resolve import resolve
from pipeline.work import Task


def fall_over(_question):
    raise ValueError("no such thing")


def make_faulty():
    return fall_over


def make_dying():
    return lambda _question: os._exit(9)


def quiet(_sentence):
    pass


@pytest.fixture(scope="module")
def spec():
    return resolve("embedded")


def test_specimens_are_grey_of_the_size_that_was_asked_for_and_differ(tmp_path):
    paths = write_specimens(tmp_path, 0.05, 3)
    pictures = [cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in paths]
    width, height = sides(0.05)
    assert width * height == pytest.approx(50_000, rel=0.02)
    assert {picture.shape for picture in pictures} == {(height, width)}
    assert np.abs(pictures[0].astype(int) - pictures[1]).mean() > 10
    again = write_specimens(tmp_path / ".", 0.05, 3)
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in paths]


def test_a_station_that_fails_or_dies_is_said():
    faulty = Station(make_faulty)
    with pytest.raises(ColorizeError, match="no such thing"):
        faulty.ask(1)
    faulty.close()
    dying = Station(make_dying)
    with pytest.raises(ColorizeError, match="died"):
        dying.ask(1)
    dying.close()


def test_a_worker_alone_tells_every_stage_and_its_memory(tmp_path, spec):
    pictures = write_specimens(tmp_path, 0.05, 2)
    alone = Station(station.worker, entrant("embedded", spec, "opencv/float32", 1, tmp_path).job)
    found = alone.ask([Task(s.name, s, tmp_path / f"{s.name}-out.jpg", tmp_path / "copy.jpg") for s in pictures])
    alone.close()
    assert set(found["stages"]) == {*station.STAGES, "other"}
    assert all(found["stages"][stage] > 0 for stage in station.STAGES)
    assert sum(found["stages"].values()) == pytest.approx(found["seconds"][1])
    assert 20e6 < found["memory"]["peak"] < 2e9


def test_a_worker_that_fails_is_said_at_once(tmp_path, spec):
    lane = PipelineLane(entrant("embedded", spec, "opencv/bfloat16", 1, tmp_path).job, 1, tmp_path / "out")
    with pytest.raises(ColorizeError, match="float32"):
        lane.block(write_specimens(tmp_path, 0.01, 3))
    lane.close()


def test_a_lane_does_block_after_block(tmp_path, spec):
    lane = PipelineLane(entrant("embedded", spec, "opencv/float32", 2, tmp_path).job, 2, tmp_path / "out")
    pictures = write_specimens(tmp_path, 0.01, 2)
    for count in (5, 1, 4):
        assert lane.block(cycle(pictures, count)) > 0
        assert len(list((tmp_path / "out").iterdir())) == count
    lane.close()


def test_the_race_gives_ratios_outputs_and_a_report(tmp_path, spec, monkeypatch):
    monkeypatch.setattr(race, "BLOCK_SECONDS", 0.1)
    each = entrant("embedded", spec, "opencv/float32", 1, tmp_path)
    found = run_race([each], spec, [0.05], rounds=3, threads=1, folder=tmp_path, say=quiet)
    (row,) = found.rows
    assert found.left_out == []
    assert len(row["seconds"]) == len(row["reference_seconds"]) == len(row["bare_seconds"]) == 3
    pairs = zip(row["seconds"], row["reference_seconds"], strict=True)
    assert row["reference_ratio"] == pytest.approx(statistics.median(b / a for a, b in pairs))
    assert found.comparisons[0]["within_one"] >= 0.999
    assert found.comparisons[0]["most"] <= 2
    scale(found, each, 1, write_specimens(tmp_path, 0.05, 1), 1, tmp_path, quiet)
    assert found.scaling[0]["gain"] == 1
    machine = {"processor": "P", "abilities": [], "cores": 1, "memory_total_bytes": None}
    document = race.as_document(found, {"machine": machine, "opencv": "5", "workers": 1, "rounds": 3})
    json.dumps(document)
    lines = list(summary_lines(document))
    assert max(map(len, lines)) <= 80
    text = markdown(document)
    assert f"**{row['reference_ratio']:.2f}x**" in text
    for heading in ("bare net", "Workers", "Where the time goes", "Memory", "first picture", "Outputs"):
        assert heading in text
    assert not list(tmp_path.glob("tmp*"))  # the pictures of the race are gone


def test_an_engine_that_cannot_run_is_left_out_and_said(tmp_path, spec):
    broken = entrant("embedded", spec, "opencv/bfloat16", 1, tmp_path)
    found = run_race([broken], None, [0.01], rounds=1, threads=1, folder=tmp_path, say=quiet)
    assert found.rows == []
    assert "opencv/bfloat16" in found.left_out[0]


def test_cycle_goes_round():
    assert cycle([1, 2, 3], 5) == [1, 2, 3, 1, 2]


@pytest.mark.parametrize(
    ("names", "labels"),
    [(["opencv"], ["opencv/float32"]), (["opencv/float32", "opencv"], ["opencv/float32"])],
)
def test_engines_become_labels(names, labels):
    assert bench._labels(names) == labels

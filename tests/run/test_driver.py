"""The driver from inside: what whole runs through the command line do not show."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.archive.manifest import ManifestDrawer
from pipeline.errors import ColorizeError, ExitCode, InputError, OutputError
from pipeline.run import collect, driver
from pipeline.run.progress import Progress
from pipeline.settings import Settings
from tests.conftest import write_archive

SETTINGS = Settings(engine="opencv", precision="float32", executor="serial")


def rows(output: Path) -> int:
    path = output / "manifest.csv"
    return len(path.read_text(encoding="utf-8").splitlines()) - 1 if path.exists() else 0


def test_the_manifest_is_drawn_while_the_run_is_at_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawers: list[ManifestDrawer] = []

    def at_once(output: Path) -> ManifestDrawer:
        drawers.append(ManifestDrawer(output, every=0.0))
        return drawers[0]

    monkeypatch.setattr(collect, "ManifestDrawer", at_once)
    write_archive(tmp_path / "scans", 3)
    seen: list[int] = []
    step = Progress.step

    def watched(self: Progress, *, problem: bool = False) -> None:
        drawers[0].wait()
        drawers[0]._due = 0.0
        seen.append(rows(tmp_path / "colour"))
        step(self, problem=problem)

    monkeypatch.setattr(Progress, "step", watched)
    driver.run_archive([tmp_path / "scans"], tmp_path / "colour", SETTINGS)
    assert seen == [0, 1, 2]
    assert rows(tmp_path / "colour") == 3


def test_films_wait_for_another_version(tmp_path: Path) -> None:
    write_archive(tmp_path / "scans", 1)
    (tmp_path / "scans" / "reel.mp4").write_bytes(b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41" + b"\0" * 64)
    summary = driver.run_archive([tmp_path / "scans"], tmp_path / "colour", SETTINGS)
    assert summary.counts == {"done": 1, "unsupported": 1}
    assert summary.exit_code == ExitCode.OK
    again = driver.run_archive([tmp_path / "scans"], tmp_path / "colour", SETTINGS)
    assert again.worked == 0


def test_a_picture_that_goes_while_the_run_works_is_vanished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = write_archive(tmp_path / "scans", 2)
    step = Progress.step

    def take_away(self: Progress, *, problem: bool = False) -> None:
        paths[1].unlink(missing_ok=True)
        step(self, problem=problem)

    monkeypatch.setattr(Progress, "step", take_away)
    summary = driver.run_archive([tmp_path / "scans"], tmp_path / "colour", SETTINGS)
    assert summary.counts == {"done": 1, "vanished": 1}
    assert summary.exit_code == ExitCode.OK


def test_an_input_that_goes_altogether_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_archive(tmp_path / "scans", 3)
    step = Progress.step

    def unplug(self: Progress, *, problem: bool = False) -> None:
        (tmp_path / "scans").rename(tmp_path / "elsewhere")
        step(self, problem=problem)

    monkeypatch.setattr(Progress, "step", unplug)
    with pytest.raises(InputError, match="gone"):
        driver.run_archive([tmp_path / "scans"], tmp_path / "colour", SETTINGS)
    assert rows(tmp_path / "colour") == 1  # the others wait for the disk to come back
    monkeypatch.undo()
    (tmp_path / "elsewhere").rename(tmp_path / "scans")
    assert driver.run_archive([tmp_path / "scans"], tmp_path / "colour", SETTINGS).worked == 2


def test_workers_that_cannot_start_blame_no_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_archive(tmp_path / "scans", 2)
    settings = Settings(engine="opencv", precision="float32", jobs=1)
    # A Job is no exit code: the worker ends at once.
    monkeypatch.setattr("pipeline.run.executors.loky._be_a_worker", lambda job, driver: os._exit(1))
    with pytest.raises(ColorizeError, match="die before they take a picture"):
        driver.run_archive([tmp_path / "scans"], tmp_path / "colour", settings)
    assert rows(tmp_path / "colour") == 0
    monkeypatch.undo()
    assert driver.run_archive([tmp_path / "scans"], tmp_path / "colour", SETTINGS).counts == {"done": 2}


def test_an_output_that_goes_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_archive(tmp_path / "scans", 3)
    step = Progress.step

    def remove(self: Progress, *, problem: bool = False) -> None:
        shutil.rmtree(tmp_path / "colour", ignore_errors=True)
        step(self, problem=problem)

    monkeypatch.setattr(Progress, "step", remove)
    with pytest.raises(OutputError):
        driver.run_archive([tmp_path / "scans"], tmp_path / "colour", SETTINGS)
    assert not (tmp_path / "colour").exists()


def test_no_worker_is_started_when_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_archive(tmp_path / "scans", 1)
    driver.run_archive([tmp_path / "scans"], tmp_path / "colour", SETTINGS)

    def never(*_: object) -> None:
        raise AssertionError("a net was loaded for nothing")

    monkeypatch.setattr("pipeline.run.worker.open_net", never)
    assert driver.run_archive([tmp_path / "scans"], tmp_path / "colour", SETTINGS).worked == 0


def test_what_is_ours_stays_ours_through_changes_of_mind(tmp_path: Path) -> None:
    hues = np.dstack([np.tile(np.arange(0, 180, 2, np.uint8), (60, 1)), *[np.full((60, 90), 200, np.uint8)] * 2])
    (tmp_path / "scans").mkdir()
    cv2.imwrite(str(tmp_path / "scans" / "parrot.png"), cv2.cvtColor(hues, cv2.COLOR_HSV2BGR))
    for on_color, status in [("copy", "copied"), ("skip", "skipped"), ("recolor", "done"), ("copy", "copied")]:
        settings = replace(SETTINGS, on_color=on_color)
        assert driver.run_archive([tmp_path / "scans"], tmp_path / "colour", settings).counts == {status: 1}
    assert (tmp_path / "colour" / "parrot.png").exists()
    assert not (tmp_path / "colour" / "parrot.jpg").exists()

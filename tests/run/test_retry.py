"""The advice in the reasons is followed: what a changed setting allows is tried again by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.archive.journal import Journal
from pipeline.archive.row import Row
from pipeline.ground.errors import Cause, InputError
from pipeline.ground.settings import Settings
from pipeline.run import driver
from pipeline.run.summary import Summary
from tests.conftest import landscape


@pytest.fixture
def run(tmp_path: Path, tiny_net: Path) -> Callable[..., Summary]:
    settings = Settings(model=str(tiny_net), engine="opencv", precision="float32", executor="serial")
    (tmp_path / "scans").mkdir()

    def call(**changes: object) -> Summary:
        return driver.run_archive([tmp_path / "scans"], tmp_path / "colour", replace(settings, **changes))

    return call


def row(tmp_path: Path) -> Row:
    with Journal(tmp_path / "colour", read_only=True) as journal:
        (found,) = journal.rows()
    return found


def test_a_higher_limit_of_megapixels(tmp_path: Path, run: Callable[..., Summary]) -> None:
    cv2.imwrite(str(tmp_path / "scans" / "1.png"), landscape(1, 400, 500))
    assert run(max_megapixels=0.1).counts == {"failed": 1}
    assert row(tmp_path).reason == (
        "too large: 500 x 400 is 0.2 megapixels; raise max_megapixels (now 0.1) to colorize it"
    )
    assert run(max_megapixels=0.1, quality=70).worked == 0
    assert run().counts == {"done": 1}


def test_another_format(tmp_path: Path, run: Callable[..., Summary]) -> None:
    cv2.imwrite(str(tmp_path / "scans" / "1.png"), np.tile(np.arange(250, dtype=np.uint8), (2, 80))[:, :17000])
    assert run(format="webp").counts == {"failed": 1}
    assert "choose format png or tif" in row(tmp_path).reason
    assert run(format="webp", quality=70).worked == 0
    assert run(format="png").counts == {"done": 1}


def test_another_version_of_the_program(
    tmp_path: Path, run: Callable[..., Summary], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scans" / "1.jxl").write_bytes(b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(40))
    assert run().counts == {"failed": 1}
    assert run().worked == 0
    monkeypatch.setattr(driver, "__version__", "99.0")
    assert run().worked == 1
    assert run().worked == 0


def test_a_disk_that_is_lost_ends_the_run_and_known_faults_do_not(
    tmp_path: Path, run: Callable[..., Summary], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        cv2.imwrite(str(tmp_path / "scans" / f"{number:02d}.png"), landscape(number))

    def refuse(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("pipeline.media.stills.read", refuse)
        for met in (9, 18):  # the tenth is not held against its picture
            with pytest.raises(InputError, match="10 files in a row") as caught:
                run()
            assert caught.value.exit_code == 5
            with Journal(tmp_path / "colour", read_only=True) as journal:
                assert journal.counts() == {"failed": met}
    assert run().counts == {"done": 30}


def test_a_folder_that_is_gone_is_a_fault_and_nothing_that_vanished(
    tmp_path: Path, run: Callable[..., Summary], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scans" / "box").mkdir()
    cv2.imwrite(str(tmp_path / "scans" / "0.png"), landscape(1))
    cv2.imwrite(str(tmp_path / "scans" / "box" / "1.png"), landscape(2))
    begin = driver.begin

    def unplug(*arguments: object, **rest: object) -> object:
        todo = begin(*arguments, **rest)  # type: ignore[arg-type]
        (tmp_path / "scans" / "box").rename(tmp_path / "away")
        return todo

    monkeypatch.setattr(driver, "begin", unplug)
    summary = run()
    assert (summary.counts, summary.exit_code) == ({"done": 1, "failed": 1}, 3)
    with Journal(tmp_path / "colour", read_only=True) as journal:
        row = journal.row("box/1.png")
    assert row is not None
    assert row.cause == Cause.FOLDER_GONE


@pytest.mark.parametrize("mounted_on", ["folder that stays", "nothing"])
def test_a_disk_below_input_that_is_lost_has_let_nothing_vanish(
    tmp_path: Path, run: Callable[..., Summary], monkeypatch: pytest.MonkeyPatch, mounted_on: str
) -> None:
    """An unmounted disk leaves an empty folder; today's 232 pictures in it are not gone for good, with exit code 0."""
    disk, scans = tmp_path / "disk", tmp_path / "scans" / "disk"
    scans.mkdir()
    cv2.imwrite(str(tmp_path / "scans" / "0.png"), landscape(1))
    for number in range(5):
        cv2.imwrite(str(scans / f"{number}.png"), landscape(number))

    def unplug(*_: object) -> None:
        if not disk.exists():
            scans.rename(disk)
            if mounted_on != "nothing":
                scans.mkdir()

    examine, began = driver.Plan._of_folder, driver.begin
    with monkeypatch.context() as patch:  # after a folder was listed, before its files are looked at
        patch.setattr(driver.Plan, "_of_folder",
                      lambda plan, folder: (folder.place == "disk" and unplug(), examine(plan, folder))[1])  # fmt: skip
        summary = run()
    assert (summary.counts, summary.exit_code) == ({"done": 1, "failed": 5}, 3)
    if scans.exists():
        scans.rmdir()
    disk.rename(scans)

    def late(*arguments: object, **rest: object) -> object:
        todo = began(*arguments, **rest)  # type: ignore[arg-type]
        unplug()
        return todo

    with monkeypatch.context() as patch:  # after the plan
        patch.setattr(driver, "begin", late)
        summary = run()
    assert (summary.counts, summary.exit_code) == ({"done": 1, "failed": 5}, 3)
    if scans.exists():
        scans.rmdir()
    disk.rename(scans)
    assert run().counts == {"done": 6}


def test_a_disk_that_works_again(tmp_path: Path, run: Callable[..., Summary], monkeypatch: pytest.MonkeyPatch) -> None:
    cv2.imwrite(str(tmp_path / "scans" / "1.png"), landscape(1))

    def refuse(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("pipeline.media.stills.read", refuse)
        assert run().counts == {"failed": 1}
    assert row(tmp_path).reason == "reading failed: input/output error"
    assert run().counts == {"done": 1}
    assert row(tmp_path).attempts == 2

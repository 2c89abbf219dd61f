"""`--series folder`: approved pictures steer the others of their folder, whatever the order and the workers."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.archive.journal import Journal
from pipeline.ground.errors import Crowded, ItemError
from pipeline.ground.files import sha256
from pipeline.ground.hints import Exemplar, Hints
from pipeline.ground.items import Kind, Unit, Verb
from pipeline.ground.settings import Settings
from pipeline.media.medium import Job, Memory, Tools
from pipeline.nets.engine import Engine
from pipeline.nets.resolve import resolve
from pipeline.run.driver import run_archive
from pipeline.run.summary import Summary
from tests.conftest import landscape

HINTS = '["box/1.png"]\ndecision = "approved"\nstrokes = [{ path = [[0, 0.8], [1, 0.8]], color = "#2f5f9a" }]\n'


@pytest.fixture
def folder(tmp_path: Path, user_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(user_cache))
    for key in ("box/1", "box/2", "box/3", "other/1"):
        path = tmp_path / "in" / f"{key}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), landscape(int(key[-1]), 150, 200))
    return tmp_path


def run(folder: Path, output: str = "out", **settings: object) -> Summary:
    wanted = {"engine": "opencv", "precision": "float32", "executor": "serial", "series": "folder"} | settings
    return run_archive([folder / "in"], folder / output, Settings(**wanted), bar=False, quiet=True)  # type: ignore[arg-type]


def outputs(folder: Path, output: str = "out") -> dict[str, str]:
    root = folder / output
    paths = sorted(root.glob("*/*.png"))
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_approved_pictures_steer_the_others_of_their_folder_alone(folder: Path) -> None:
    run(folder)
    plain = outputs(folder)
    (folder / "out" / "hints.toml").write_text(HINTS)
    assert run(folder).worked == 1, "the picture itself, under its hints; nothing was approved before"
    approved = outputs(folder)
    assert run(folder).worked == 2
    steered = outputs(folder)
    assert {key for key in steered if steered[key] != approved[key]} == {"box/2.png", "box/3.png"}
    assert steered["other/1.png"] == plain["other/1.png"]
    with Journal(folder / "out", read_only=True) as journal:
        said = {row.key: row.reason for row in journal.rows()}
    by_one = "steered by 1 approved picture of its folder"
    assert said == {"box/1.png": "", "box/2.png": by_one, "box/3.png": by_one, "other/1.png": "same as box/1.png"}

    def blue(output: str) -> float:
        pixels = cv2.imread(str(folder / output / "box/2.png")).astype(float)
        return float((pixels[90:, :, 0] - pixels[90:, :, 2]).mean())

    other = folder / "plain"
    run(folder, "plain", series="off")
    assert blue("out") > blue("plain") + 20
    luma = [cv2.cvtColor(cv2.imread(str(each / "box/2.png")), cv2.COLOR_BGR2GRAY) for each in (other, folder / "out")]
    assert np.abs(luma[0].astype(int) - luma[1]).max() <= 1, "luma is the source's"
    assert run(folder).worked == 0, "nothing is done twice"
    assert run(folder, series="off").worked == 2
    assert outputs(folder) == approved


def test_neither_order_nor_workers_count_and_what_was_steered_can_be_approved(folder: Path) -> None:
    for output in ("out", "again"):
        (folder / output).mkdir()
        (folder / output / "hints.toml").write_text(HINTS)
        run(folder, output)
    assert run(folder, "again", executor="loky", jobs=2).worked == 2
    assert run(folder).worked == 2
    assert outputs(folder, "again") == outputs(folder)
    hints = folder / "out" / "hints.toml"
    before = outputs(folder)
    hints.write_text(HINTS + '["box/2.png"]\ndecision = "approved"\n')
    assert run(folder).worked == 1, "the third is steered by two now"
    assert {key for key, digest in outputs(folder).items() if digest != before[key]} == {"box/3.png"}
    hints.write_text("")
    assert run(folder).worked == 3


def test_an_approved_output_that_somebody_painted_over_steers_no_more(folder: Path) -> None:
    run(folder)
    (folder / "out" / "hints.toml").write_text('["box/1.png"]\ndecision = "approved"\n')
    assert run(folder).worked == 2
    cv2.imwrite(str(folder / "out" / "box/1.png"), np.full((150, 200, 3), 90, np.uint8))
    assert run(folder).worked == 2
    assert run(folder).worked == 0


def test_the_guard_of_memory_counts_what_steers(folder: Path) -> None:
    run(folder)
    source, made = folder / "in/box/1.png", folder / "out/box/1.png"
    exemplar = Exemplar(str(source), sha256(source), "box/1.png", sha256(made))
    unit = Unit(Verb.MAKE, "2", Kind.PHOTO, source, "2.png", "2.png", hints=Hints(exemplars=(exemplar,)))

    def wished(share: float, whole: float, *, alone: bool = False) -> Tools:
        job = Job(Settings(), resolve("embedded"), Engine("opencv", "float32"), folder / "out", folder)
        return Tools.loaded(replace(job, memory=Memory(share, whole))).wished(replace(unit, alone=alone))

    with pytest.raises(ItemError, match="too large for the memory: 200 x 150 needs"):
        wished(10**5, 10**5)
    with pytest.raises(Crowded):
        wished(10**5, 10**9)
    assert wished(10**5, 10**9, alone=True).steered == 1

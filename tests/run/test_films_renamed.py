"""Films are items: what was made of them goes along with their sources' names, and what people made of that."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("av", reason="makes clips; extra: film")

from pipeline.archive.decision import Action
from pipeline.archive.prune import reject
from pipeline.run import driver
from tests.conftest import SETTINGS, manifest
from tests.film.clips import scenes, write_clip


@pytest.mark.parametrize("changes", [{}, {"container": "mp4"}, {"film_quality": 40}])
def test_films_exchange_their_names(tmp_path: Path, tiny_net: Path, changes: dict[str, object]) -> None:
    scans, colour = tmp_path / "scans", tmp_path / "colour"
    settings = replace(SETTINGS, model=str(tiny_net))
    scans.mkdir()
    for number in (1, 2, 3, 4):
        write_clip(scans / f"{number}.mkv", scenes(12 + number, 32, 32), options={"preset": "ultrafast"})
    driver.run_archive([scans], colour, settings, quiet=True)
    made = {key: (colour / row["output"]).read_bytes() for key, row in manifest(colour).items()}
    mine = colour / manifest(colour)["1.mkv"]["output"]
    mine.write_bytes(mine.read_bytes() + b"cut by hand")
    reject(colour, [Path("4.mkv")])
    (scans / "1.mkv").rename(scans / "aside.mkv")
    (scans / "2.mkv").rename(scans / "1.mkv")
    (scans / "aside.mkv").rename(scans / "2.mkv")
    (scans / "3.mkv").rename(scans / "three.MKV")
    (scans / "4.mkv").rename(scans / "3.mkv")
    settings = replace(settings, **changes)  # type: ignore[arg-type]
    foretold = list(driver.list_archive([scans], colour, settings))
    summary = driver.run_archive([scans], colour, settings, quiet=True)
    assert summary.worked == sum(each.action is Action.TODO for each in foretold) == (2 if changes else 0)
    now = manifest(colour)
    assert {key: row["status"] for key, row in now.items()} == {
        "1.mkv": "done", "2.mkv": "edited", "3.mkv": "rejected", "three.MKV": "done",
    }  # fmt: skip
    assert (colour / now["2.mkv"]["output"]).read_bytes() == made["1.mkv"] + b"cut by hand"
    assert Path(now["2.mkv"]["output"]).suffix == mine.suffix
    if not changes:
        assert (colour / now["1.mkv"]["output"]).read_bytes() == made["2.mkv"]
        assert (colour / now["three.MKV"]["output"]).read_bytes() == made["3.mkv"]
    assert driver.run_archive([scans], colour, settings, quiet=True).worked == 0

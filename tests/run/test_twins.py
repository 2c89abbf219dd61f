"""Sources of the same bytes are coloured once; each has its own output, and the manifest says so."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from pipeline.ground.items import Result, Status, Unit, Verb
from pipeline.ground.settings import Settings
from pipeline.run import driver
from pipeline.run.worker import Worker
from tests.conftest import TINY, landscape, manifest, write_archive, write_tiff
from tests.conftest import TINY_SETTINGS as SETTINGS

pytestmark = pytest.mark.usefixtures("tiny_net")


def test_doubles_are_made_once_and_each_has_its_output(tmp_path: Path, verbs: Counter[Verb]) -> None:
    scans, colour = tmp_path / "scans", tmp_path / "colour"
    first, _ = write_archive(scans, 2)
    for name in ("box 0/z.jpg", "box 5/again.JPG", "a.jpg"):
        (scans / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(first, scans / name)
    assert driver.run_archive([scans], colour, SETTINGS).counts == {"done": 5}
    assert verbs == {Verb.LOOK: 4, Verb.MAKE: 2, Verb.REPEAT: 3}
    rows = manifest(colour)
    assert Counter(row["reason"] for row in rows.values()) == {"": 2, "same as a.jpg": 3}
    same = {"source_sha256", "output_sha256", "model", "engine", "width", "height", "verdict", "chroma"}
    for key in ("box 0/z.jpg", "box 5/again.JPG", "box 0/picture 000.jpg"):
        assert {name: rows[key][name] for name in same} == {name: rows["a.jpg"][name] for name in same}
        assert (colour / rows[key]["output"]).read_bytes() == (colour / "a.jpg").read_bytes()
    assert not (colour / "a.jpg").samefile(colour / "box 0/z.jpg")
    assert driver.run_archive([scans], colour, SETTINGS).worked == 0


def test_a_double_of_what_an_earlier_run_made(tmp_path: Path, verbs: Counter[Verb]) -> None:
    scans, colour = tmp_path / "scans", tmp_path / "colour"
    (first,) = write_archive(scans, 1)
    driver.run_archive([scans], colour, SETTINGS)
    shutil.copyfile(first, scans / "again.jpg")
    verbs.clear()
    driver.run_archive([scans], colour, SETTINGS)
    assert verbs == {Verb.LOOK: 1, Verb.REPEAT: 1}
    # What somebody has changed is no double of anything.
    made = colour / "box 0" / "picture 000.jpg"
    made.write_bytes(made.read_bytes() + b"retouched")
    (colour / "again.jpg").write_bytes((colour / "again.jpg").read_bytes() + b"retouched")
    shutil.copyfile(first, scans / "third.jpg")
    verbs.clear()
    summary = driver.run_archive([scans], colour, SETTINGS)
    assert summary.counts == {"done": 1, "edited": 2}
    assert verbs == {Verb.MAKE: 1}


def test_a_double_of_a_source_that_is_gone(tmp_path: Path, verbs: Counter[Verb]) -> None:
    scans, colour = tmp_path / "scans", tmp_path / "colour"
    first, _ = write_archive(scans, 2)
    driver.run_archive([scans], colour, SETTINGS)
    kept = first.rename(tmp_path / "kept.jpg")
    assert driver.run_archive([scans], colour, SETTINGS).counts == {"done": 1, "gone": 1}
    shutil.copyfile(kept, scans / "back.jpg")
    verbs.clear()
    assert driver.run_archive([scans], colour, SETTINGS).counts == {"done": 2, "gone": 1}
    assert verbs == {Verb.LOOK: 1, Verb.REPEAT: 1}


def test_other_settings_make_them_anew_once(tmp_path: Path, verbs: Counter[Verb]) -> None:
    scans, colour = tmp_path / "scans", tmp_path / "colour"
    (first,) = write_archive(scans, 1)
    shutil.copyfile(first, scans / "again.jpg")
    driver.run_archive([scans], colour, SETTINGS)
    before = (colour / "again.jpg").read_bytes()
    verbs.clear()
    vivid = Settings(model=TINY, engine="opencv", precision="float32", executor="serial", saturation=2.0)
    driver.run_archive([scans], colour, vivid)
    assert verbs == {Verb.LOOK: 2, Verb.MAKE: 1, Verb.REPEAT: 1}
    assert (colour / "again.jpg").read_bytes() != before


def test_files_of_one_size_that_are_no_doubles(tmp_path: Path, verbs: Counter[Verb]) -> None:
    scans, colour = tmp_path / "scans", tmp_path / "colour"
    for number in range(3):
        write_tiff(scans / f"{number}.tif", landscape(number))
    assert len({path.stat().st_size for path in scans.iterdir()}) == 1
    assert driver.run_archive([scans], colour, SETTINGS).counts == {"done": 3}
    assert verbs == {Verb.LOOK: 3, Verb.MAKE: 3}
    assert len({path.read_bytes() for path in colour.glob("*.tif")}) == 3


@pytest.mark.parametrize("executor", ["serial", "loky"])
def test_doubles_of_several_pages(tmp_path: Path, executor: str) -> None:
    scans, colour = tmp_path / "scans", tmp_path / "colour"
    book = write_tiff(scans / "book.tif", landscape(1), landscape(2))
    for name in ("copy.tif", "more.tif", "yet.tif"):
        shutil.copyfile(book, scans / name)
    write_archive(scans, 3)
    settings = Settings(model=TINY, engine="opencv", precision="float32", executor=executor, jobs=2)
    assert driver.run_archive([scans], colour, settings).counts == {"done": 7}
    reasons = Counter(row["reason"] for row in manifest(colour).values())
    assert sum(count for reason, count in reasons.items() if reason.startswith("same as")) == 3
    assert len({path.read_bytes() for path in colour.glob("*.tif")}) == 1
    assert not list((colour / ".colorize" / "parts").glob("*"))


def test_where_the_first_fails_the_next_one_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scans, colour = tmp_path / "scans", tmp_path / "colour"
    (first,) = write_archive(scans, 1)
    shutil.copyfile(first, scans / "a.jpg")
    shutil.copyfile(first, scans / "z.jpg")
    do = Worker.do

    def failing(self: Worker, unit: Unit) -> object:
        if unit.key == "a.jpg" and unit.verb is Verb.MAKE:
            return Result(unit.key, Status.FAILED, reason="of all things")
        return do(self, unit)

    monkeypatch.setattr(Worker, "do", failing)
    assert driver.run_archive([scans], colour, SETTINGS).counts == {"done": 2, "failed": 1}

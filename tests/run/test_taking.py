"""A command that was mistyped, or met a disk that is not mounted, leaves nothing behind, above all among originals."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.archive.taking import taking
from pipeline.ground import inside
from pipeline.ground.errors import InputError
from pipeline.run import driver
from tests.conftest import TINY_SETTINGS as SETTINGS
from tests.conftest import write_archive

pytestmark = pytest.mark.usefixtures("tiny_net")


def below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_input_and_output_exchanged_leave_the_originals_as_they_are(tmp_path: Path) -> None:
    scans, colour = tmp_path / "scans", tmp_path / "colour"
    write_archive(scans, 2)
    before = below(scans)
    driver.run_archive([scans], colour, SETTINGS)
    with pytest.raises(InputError, match="colour was filled by this program"):
        driver.run_archive([colour], scans, SETTINGS)
    assert below(scans) == before
    assert driver.run_archive([scans], colour, SETTINGS).worked == 0, "scans still pass for originals"


def test_a_gallery_is_no_input_either(tmp_path: Path) -> None:
    scans = tmp_path / "scans"
    write_archive(scans, 1)
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "colorize-gallery.json").write_text("{}")
    before = below(scans)
    with pytest.raises(InputError, match="pages was filled by this program"):
        driver.run_archive([tmp_path / "pages"], scans, SETTINGS)
    assert below(scans) == before


@pytest.mark.parametrize("there", ["", "a", "a/b/colour"])
def test_an_input_that_is_empty_from_the_first_night_on_is_refused_and_output_is_left_as_it_was(
    tmp_path: Path, there: str
) -> None:
    (tmp_path / "scans" / "empty box").mkdir(parents=True)
    (tmp_path / "scans" / "Thumbs.db").write_bytes(b"junk")
    output = tmp_path / "a" / "b" / "colour"
    (tmp_path / there).mkdir(parents=True, exist_ok=True)
    before = below(tmp_path)
    with pytest.raises(InputError, match=r"scans holds no files: is a disk not mounted\?") as caught:
        driver.run_archive([tmp_path / "scans"], output, SETTINGS)
    assert caught.value.exit_code == 5
    assert below(tmp_path) == before
    with pytest.raises(InputError, match="holds no files"):
        list(driver.list_archive([tmp_path / "scans"], output, SETTINGS))
    accepting = replace(SETTINGS, accept_gone=True)
    assert driver.run_archive([tmp_path / "scans"], output, accepting).exit_code == 0
    assert (output / "manifest.csv").exists()
    assert driver.run_archive([tmp_path / "scans"], output, SETTINGS).exit_code == 0, "it was accepted"


def test_one_of_two_inputs_that_is_empty_from_the_first_night_on_is_refused(tmp_path: Path) -> None:
    write_archive(tmp_path / "scans", 1)
    (tmp_path / "prints").mkdir()
    inputs = [tmp_path / "scans", tmp_path / "prints"]
    with pytest.raises(InputError, match=r"^prints holds no files"):
        driver.run_archive(inputs, tmp_path / "colour", SETTINGS)
    assert not (tmp_path / "colour").exists()
    (tmp_path / "scans" / "empty box").mkdir()
    nested = [tmp_path / "scans", tmp_path / "scans" / "box 0", tmp_path / "scans" / "empty box"]
    assert driver.run_archive(nested, tmp_path / "colour", SETTINGS).counts == {"done": 1}


def test_a_share_that_holds_nothing_of_an_input_that_is_there_is_none_that_is_empty(tmp_path: Path) -> None:
    write_archive(tmp_path / "scans", 1)
    (tmp_path / "prints").mkdir()
    (tmp_path / "prints" / "1.txt").write_text("notes")
    empty = 0
    for number in (1, 2, 3):
        share = replace(SETTINGS, shard=f"{number}/3")
        inputs = [tmp_path / "scans", tmp_path / "prints"]
        empty += not driver.run_archive(inputs, tmp_path / f"colour {number}", share).counts
    assert empty
    (tmp_path / "lost").mkdir()
    with pytest.raises(InputError, match="lost holds no files"):
        driver.run_archive([tmp_path / "lost"], tmp_path / "colour", replace(SETTINGS, shard="1/3"))


def test_what_tells_of_a_run_or_is_somebody_elses_stays(tmp_path: Path) -> None:
    for name in ("manifest.csv", ".colorize/journal.copy.sqlite", ".colorize/hints.lock", "mine.txt"):
        folder = tmp_path / name.replace("/", " ")
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text("mine")
        with taking(folder):
            pass
        assert (folder / name).read_text() == "mine"
    with taking(tmp_path / "new"), inside.opened(tmp_path / "new", "", make=True):
        (tmp_path / "new" / "mine.txt").write_text("mine")
    assert below(tmp_path / "new") == ["mine.txt"]


def test_a_disk_that_fails_has_nothing_cleared_and_hides_no_other_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_archive(tmp_path / "scans", 1)
    driver.run_archive([tmp_path / "scans"], tmp_path / "colour", SETTINGS)
    before = below(tmp_path / "colour")

    def fail(path: Path) -> os.stat_result:
        raise OSError(errno.EIO, "Input/output error", str(path))

    def fail_while_taken() -> None:
        with taking(tmp_path / "colour"):
            monkeypatch.setattr(Path, "lstat", fail)
            monkeypatch.setattr(Path, "exists", fail)
            raise InputError("as it was")

    with pytest.raises(InputError, match="as it was"):
        fail_while_taken()
    monkeypatch.undo()
    assert below(tmp_path / "colour") == before

"""A dry run says what the run will do: renames, doubles, what is gone; and leaves OUTPUT as it is."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.archive.database import journal_path
from pipeline.ground.settings import Settings
from pipeline.run import driver
from pipeline.run.report import plan_lines
from tests.conftest import TINY_SETTINGS as SETTINGS
from tests.conftest import write_archive

pytestmark = pytest.mark.usefixtures("tiny_net")


def test_renames_doubles_and_what_is_gone_are_told_beforehand(tmp_path: Path) -> None:
    scans, colour = tmp_path / "scans", tmp_path / "colour"
    first, second, third = write_archive(scans, 3)

    def lines(settings: Settings = SETTINGS) -> list[str]:
        return list(plan_lines(driver.list_archive([scans], colour, settings)))

    shutil.copyfile(first, scans / "again.jpg")
    one = "box 0/picture 000.jpg"
    assert lines() == [
        "todo   again.jpg -> again.jpg (new)",
        f"todo   {one} -> {one} (new; same as again.jpg)",
        "todo   box 1/picture 001.jpg -> box 1/picture 001.jpg (new)",
        "todo   box 2/picture 002.jpg -> box 2/picture 002.jpg (new)",
        "4 of 4 files to do (1 of them by a copy of what is the same); nothing was written.",
    ]
    assert not colour.exists()
    driver.run_archive([scans], colour, SETTINGS, quiet=True)

    second.rename(scans / "other.jpg")
    third.unlink()
    shutil.copyfile(first, scans / "third.jpg")
    before = journal_path(colour).read_bytes()
    told = lines()
    assert "todo   third.jpg -> third.jpg (new; same as again.jpg)" in told
    assert "move   other.jpg (renamed, was box 1/picture 001.jpg)" in told
    assert "mark   box 2/picture 002.jpg (gone: its source is no longer there)" in told
    end = "(1 of them by a copy of what is the same, 1 renamed, 1 more gone); nothing was written."
    assert told[-1] == f"1 of 4 files to do {end}"
    anew = lines(replace(SETTINGS, quality=80))
    assert "todo   other.jpg -> other.jpg (renamed, was box 1/picture 001.jpg, and made anew)" in anew
    assert journal_path(colour).read_bytes() == before

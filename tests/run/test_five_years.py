"""Five years of one archive, in one story: what people do to INPUT and OUTPUT, and that nothing of theirs is lost.

Before each run a dry run is asked, and held to what the run then did.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.archive.database import journal_path
from pipeline.archive.decision import Action
from pipeline.archive.prune import prunable, prune, reject
from pipeline.archive.recover import recover
from pipeline.ground.errors import ExitCode, InputError, OutputError
from pipeline.run import driver
from pipeline.run.summary import Summary
from pipeline.run.verify import verify
from tests.conftest import SETTINGS, manifest, write_archive


class Archive:
    """INPUTs and OUTPUT, and what a person sees of them."""

    def __init__(self, folder: Path) -> None:
        self.scans, self.colour = folder / "scans", folder / "colour"
        self.inputs, self.settings = [self.scans], SETTINGS

    def night(self) -> Summary:
        """Ask what would be done, do it, and hold the one to the other."""
        foretold = list(driver.list_archive(self.inputs, self.colour, self.settings))
        before = self.read()
        summary = driver.run_archive(self.inputs, self.colour, self.settings, quiet=True)
        todo = {each.found.key for each in foretold if each.action is Action.TODO}
        assert summary.worked == len(todo)
        after = self.rows()
        assert {key for key, row in after.items() if row["reason"].startswith("same as")} >= {
            each.found.key for each in foretold if "same as" in each.why
        }
        assert {each.found.key for each in foretold if each.action is Action.MOVE} <= after.keys()
        for key, data in self.read().items():
            assert key in todo or before.get(key, data) == data, f"{key} was not to be touched"
        return summary

    def rows(self) -> dict[str, dict[str, str]]:
        return manifest(self.colour)

    def statuses(self) -> dict[str, str]:
        return {key: row["status"] for key, row in self.rows().items()}

    def read(self) -> dict[str, bytes]:
        """Source and what its output holds."""
        if not (self.colour / "manifest.csv").exists():
            return {}
        places = {key: self.colour / row["output"] for key, row in self.rows().items() if row["output"]}
        return {key: place.read_bytes() for key, place in places.items() if place.is_file()}

    def output(self, key: str) -> Path:
        return self.colour / self.rows()[key]["output"]


def test_five_years_of_an_archive(tmp_path: Path, tiny_net: Path) -> None:
    archive = Archive(tmp_path)
    scans, colour = archive.scans, archive.colour
    pictures = write_archive(scans, 8)
    key = {number: path.relative_to(scans).as_posix() for number, path in enumerate(pictures)}
    (scans / "Thumbs.db").write_bytes(b"junk")
    (scans / "notes.txt").write_text("of 1931")

    # The first year: the first night, then one with nothing to do. Picture 1 is retouched, 2 is not wanted.
    assert archive.night().counts == {"done": 8, "unsupported": 1}
    assert archive.night().worked == 0
    retouched = archive.output(key[1]).read_bytes() + b"retouched"
    archive.output(key[1]).write_bytes(retouched)
    assert reject(colour, [archive.output(key[2])]).taken == [key[2]]
    assert not (colour / key[2]).exists()
    assert archive.night().counts == {"done": 6, "edited": 1, "rejected": 1, "unsupported": 1}

    # The second: a folder gets another name, a picture is scanned again, one is a double, one goes.
    (scans / "box 3").rename(scans / "Box Three")
    moved = key[3].replace("box 3", "Box Three")
    shutil.copyfile(pictures[5], pictures[4])  # the new scan of 4 is, by mistake, that of 5
    shutil.copyfile(pictures[0], scans / "again.jpg")
    pictures[6].unlink()
    was = archive.output(key[3]).read_bytes()
    summary = archive.night()
    assert summary.worked == 2
    assert archive.output(moved).read_bytes() == was
    assert (archive.output(moved).parent.name, key[3] in archive.rows()) == ("Box Three", False)
    assert archive.rows()["again.jpg"]["reason"] == f"same as {key[0]}"
    assert archive.rows()[key[4]]["reason"] == f"same as {key[5]}"
    assert archive.statuses()[key[6]] == "gone"
    assert archive.output(key[6]).is_file()
    assert [(gone, kept) for gone, _, kept in prunable(colour)] == [(key[6], "")]
    assert prune(colour).removed == 1
    assert not (colour / key[6]).exists()

    # The third: another model. What somebody made stays, what nobody wants stays away; the rest is made anew.
    archive.settings = replace(SETTINGS, model=str(tiny_net))
    anew = archive.night()
    assert anew.worked == 6
    assert archive.output(key[1]).read_bytes() == retouched
    assert archive.statuses()[key[2]] == "rejected"
    assert {archive.rows()[each]["model"] for each in (key[0], moved)} == {"tiny"}

    # The fourth: INPUT is not mounted one night; then both INPUT and OUTPUT move to another disk, without their times.
    scans.rename(tmp_path / "unplugged")
    scans.mkdir()
    made = archive.read()
    with pytest.raises(InputError):
        driver.run_archive(archive.inputs, colour, archive.settings, quiet=True)
    assert archive.read() == made
    scans.rmdir()
    archive.scans, archive.colour = tmp_path / "new disk" / "scans", tmp_path / "new disk" / "colour"
    archive.inputs = [archive.scans]
    shutil.copytree(tmp_path / "unplugged", archive.scans, copy_function=shutil.copyfile)
    shutil.copytree(colour, archive.colour, copy_function=shutil.copyfile)
    scans, colour = archive.scans, archive.colour
    assert archive.night().worked == 0
    assert archive.read() == made
    backup = tmp_path / "backup"
    shutil.copytree(colour, backup)

    # A subfolder alone would lie there twice: refused. A second INPUT, in an OUTPUT of both, is an archive of its own.
    with pytest.raises((InputError, OutputError)):
        driver.run_archive([scans / "Box Three"], colour, archive.settings, quiet=True)
    (negative,) = write_archive(tmp_path / "negatives", 1)
    with pytest.raises((InputError, OutputError)):
        driver.run_archive([scans, tmp_path / "negatives"], colour, archive.settings, quiet=True)
    assert archive.read() == made

    # The fifth: new pictures come, the disk dies, the backup of last year is put back. Then the journal is lost, too.
    shutil.copyfile(negative, scans / "new.jpg")
    os.utime(scans / "new.jpg", ns=(1, 10**18))
    assert archive.night().worked == 1
    shutil.rmtree(colour)
    shutil.copytree(backup, colour)
    assert archive.night().worked == 1  # what the backup did not know
    assert archive.output(key[1]).read_bytes() == retouched
    for each in journal_path(colour).parent.glob("journal*"):
        each.unlink()
    with pytest.raises(OutputError, match="recover"):
        driver.run_archive(archive.inputs, colour, archive.settings, quiet=True)
    recover(colour)
    before = archive.read()
    summary = archive.night()
    assert archive.read() == before
    assert (summary.worked, summary.exit_code) == (0, ExitCode.OK)
    assert archive.statuses()[key[1]] == "edited"
    assert archive.output(key[1]).read_bytes() == retouched
    assert [finding for finding in verify(colour) if finding.problems] == []
    assert (tmp_path / "unplugged" / "notes.txt").read_text() == "of 1931"

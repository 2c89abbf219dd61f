"""What may happen to an archive between two nights, and what has to be true after each: for stories that are made up.

Sources are told by their bytes. An edited output and a rejected one belong to the bytes they were made of, wherever
these go.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import cv2
import pytest

from pipeline.archive.decision import Action
from pipeline.archive.names import ending
from pipeline.archive.status import read_status
from pipeline.ground import inside
from pipeline.ground.settings import Settings
from pipeline.run import driver
from pipeline.run.summary import Summary
from pipeline.run.verify import verify
from tests.conftest import SETTINGS, in_colour, landscape, manifest_of, sha256, write_tiff

OTHER_NOW = "another source has its name now"
PERSONAL = "of a person"
OWN = {"manifest.csv", "hints.toml", ".colorize"}


class Killed(BaseException):
    """As by kill -9: nothing more is done."""


def told(path: Path) -> str:
    """What tells a thing in OUTPUT from all others; empty of a folder that is nobody's own."""
    if path.is_symlink():
        return str(path.readlink())
    if path.is_dir():
        return f"folder {(path / PERSONAL).read_text()}" if (path / PERSONAL).exists() else ""
    return sha256(path)


@contextmanager
def killed_at(moment: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the program die at the n-th name that a file gets, just before or just after it."""
    calls = 0
    move = inside.move

    def dying(root: Path, place: str, to: str) -> None:
        nonlocal calls
        calls += 1
        if calls * 2 == moment:
            raise Killed
        move(root, place, to)
        if calls * 2 + 1 == moment:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(inside, "move", dying)
        yield


class Lying(Protocol):
    """What lies in OUTPUT as people see it, who come by another way than the program's.

    Attributes:
        moments: of `killed_at`, the last one.
    """

    moments: int

    def home(self) -> Path:
        """What the program is given as OUTPUT."""
        ...

    def things(self) -> dict[str, str]:
        """What lies there by place, `told`, but for what is the program's own."""
        ...

    def read(self, place: str) -> bytes: ...

    def write(self, place: str, data: bytes) -> None: ...

    def remove(self, place: str) -> None:
        """Take a thing away, with all that is in it."""
        ...

    def exchange(self, place: str, mark: str, *, folder: bool) -> None:
        """Put a folder, or something else that is no output, where one was."""
        ...

    def killed_at(self, moment: int, monkeypatch: pytest.MonkeyPatch) -> AbstractContextManager[None]: ...


@dataclass
class InFolder:
    """Implements `Lying` for a folder."""

    root: Path
    moments = 9

    def home(self) -> Path:
        return self.root

    def things(self) -> dict[str, str]:
        found = {}
        for path in self.root.rglob("*"):
            place = path.relative_to(self.root)
            if place.parts[0] not in OWN and path.name != PERSONAL and (path.is_file() or told(path)):
                found[place.as_posix()] = told(path)
        return found

    def read(self, place: str) -> bytes:
        return (self.root / place).read_bytes()

    def write(self, place: str, data: bytes) -> None:
        (self.root / place).write_bytes(data)

    def remove(self, place: str) -> None:
        path = self.root / place
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    def exchange(self, place: str, mark: str, *, folder: bool) -> None:
        path = self.root / place
        path.unlink()
        if folder:
            path.mkdir()
            (path / PERSONAL).write_text(mark)
        else:
            elsewhere = self.root.with_name(mark)
            elsewhere.write_text("elsewhere")
            path.symlink_to(elsewhere)

    def killed_at(self, moment: int, monkeypatch: pytest.MonkeyPatch) -> AbstractContextManager[None]:
        return killed_at(moment, monkeypatch)


def exchange(one: Path, other: Path) -> None:
    """Let two files have each other's name."""
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


@dataclass
class Story:
    """An INPUT and an OUTPUT, what people did to them, and what each night made of it."""

    folder: Path
    settings: Settings
    far: Lying | None = None  # where OUTPUT lies, if not beside INPUT
    edited: dict[str, str] = field(default_factory=dict)  # sha256 of what somebody made of an output, and of its source
    unwanted: set[str] = field(default_factory=set)  # sha256 of sources
    made: dict[tuple[str, str, str], str] = field(default_factory=dict)  # what a source became under settings
    number: int = 0

    @property
    def scans(self) -> Path:
        return self.folder / "scans"

    @property
    def colour(self) -> Path:
        return self.folder / "colour"

    @property
    def lying(self) -> Lying:
        return self.far or InFolder(self.colour)

    @property
    def home(self) -> Path:
        return self.lying.home()

    def put(self, key: str, sort: str = "grey") -> Path:
        """A new picture, grey, in colour, or of two pages; all of a sort have one size on the disk."""
        path = self.scans / key
        path.parent.mkdir(parents=True, exist_ok=True)
        self.number += 1
        pixels = landscape(self.number, 24, 32)
        if sort == "pages":
            path.unlink(missing_ok=True)
            write_tiff(path, pixels, pixels[::-1].copy())
            return self.date(path)
        if sort == "colour":
            pixels = cv2.add(in_colour(24, 32), cv2.cvtColor(pixels // 8, cv2.COLOR_GRAY2BGR))
        path.write_bytes(cv2.imencode(".jpg", pixels)[1].tobytes().ljust(4096, b"\0"))
        return self.date(path)

    def date(self, path: Path) -> Path:
        """Give a source a time of its own: names that are exchanged between two of one size and time cannot be seen."""
        self.number += 1
        os.utime(path, ns=(0, 10**18 + self.number * 10**9))
        return path

    def sources(self) -> list[str]:
        return sorted(path.relative_to(self.scans).as_posix() for path in self.scans.rglob("*") if path.is_file())

    def rows(self) -> dict[str, dict[str, str]]:
        try:
            return manifest_of(self.lying.read("manifest.csv").decode())
        except FileNotFoundError:
            return {}

    def statuses(self) -> dict[str, str]:
        return {key: row["status"] for key, row in self.rows().items()}

    def output(self, key: str) -> Path:
        return self.colour / self.place(key)

    def place(self, key: str) -> str:
        return self.rows()[key]["output"]

    def files(self) -> dict[str, str]:
        """What lies in OUTPUT, but for what is the program's own: a file's hash, else what a person put there."""
        return self.lying.things()

    def edit(self, key: str) -> bytes:
        """Somebody retouches an output."""
        place, self.number = self.place(key), self.number + 1
        self.edited.pop(self.files()[place], None)
        self.lying.write(place, self.lying.read(place) + b"retouched %d" % self.number)
        self.edited[self.files()[place]] = sha256(self.scans / key)
        return self.lying.read(place)

    def exchange(self, key: str, *, folder: bool) -> None:
        """Somebody puts a folder, or a link to a file elsewhere, where an output was."""
        place, self.number = self.place(key), self.number + 1
        self.edited.pop(self.files()[place], None)
        self.lying.exchange(place, str(self.number), folder=folder)
        self.edited[self.files()[place]] = sha256(self.scans / key)

    def lose(self, key: str) -> None:
        """Somebody deletes an output."""
        place = self.place(key)
        self.edited.pop(self.files()[place], None)
        self.lying.remove(place)
        self.unwanted.add(self.rows()[key]["source_sha256"])

    def night(self) -> Summary:
        """Ask what would be done, do it, and hold all that can be said of it to the other; then once more."""
        foretold = list(driver.list_archive([self.scans], self.home, self.settings))
        summary = driver.run_archive([self.scans], self.home, self.settings, quiet=True)
        actions = Counter(each.action for each in foretold)
        assert Action.HOLD not in actions
        assert summary.worked == actions[Action.TODO], f"{summary.worked} {actions}"
        self.check(summary)
        before = self._known(), self.files()
        foretold = list(driver.list_archive([self.scans], self.home, self.settings))
        known = dict(self.problems())
        assert {each.action for each in foretold if each.found.key not in known} <= {Action.DONE, Action.KEEP}
        again = driver.run_archive([self.scans], self.home, self.settings, quiet=True)
        assert (again.worked, again.exit_code) == (0, 0)
        assert (self._known(), self.files()) == before
        return summary

    def run(self, **changes: object) -> Summary:
        """Run with some settings changed for once, unseen."""
        settings = replace(self.settings, **changes)  # type: ignore[arg-type]
        return driver.run_archive([self.scans], self.home, settings, quiet=True)

    def _known(self) -> dict[str, dict[str, str] | str]:
        """What the manifest says; of what failed, which is looked at each night, the reason."""
        return {key: row["reason"] if row["status"] == "failed" else row for key, row in self.rows().items()}

    def check(self, summary: Summary) -> None:
        rows, files = self.rows(), self.files()
        assert read_status(self.home).counts == Counter(row["status"] for row in rows.values()) == summary.counts
        assert read_status(self.home).left == 0
        blocked = {key for key, reason in self.problems() if "what somebody has made of" in reason}
        assert [each for each in self.problems() if each[0] not in blocked] == []
        assert set(self.sources()) <= rows.keys()
        assert [finding for finding in verify(self.home) if finding.problems] == []
        assert files.keys() <= {row["output"] for row in rows.values()}, "nobody's"
        assert not (self.home / ".colorize" / "moving").exists()
        for key in set(self.sources()) - blocked:
            self._check_item(key, rows[key], files)
        for key in rows.keys() - set(self.sources()):
            assert rows[key]["status"] in ("gone", "vanished"), f"{key} is not there"
        assert self.edited.keys() <= set(files.values()), "somebody's work is lost"

    def _check_item(self, key: str, row: dict[str, str], files: dict[str, str]) -> None:
        source = sha256(self.scans / key)
        if row["status"] in ("done", "copied"):
            assert row["source_sha256"] == source, f"{key} is paired with another source"
            assert files[row["output"]] == row["output_sha256"]
            kind = source, ending(row["output"]), self.settings.palette
            made = self.made.setdefault(kind, row["output_sha256"])
            assert made == row["output_sha256"], f"{key} is not what was made of it"
            return
        assert row["status"] in ("edited", "rejected"), f"{key}: {row['reason']}"
        if row["status"] == "edited":
            assert self.edited[files[row["output"]]] == row["source_sha256"]
        else:
            assert (row["source_sha256"] or source) in self.unwanted
        assert row["source_sha256"] in (source, "") or OTHER_NOW in row["reason"], (
            f"{key} is paired with another source"
        )

    def problems(self) -> list[tuple[str, str]]:
        return [(key, row["reason"]) for key, row in self.rows().items() if row["status"] in ("failed", "crashed")]


def a_night_old(folder: Path, net: Path, count: int) -> Story:
    """So many pictures, 1.jpg and on, and what one night made of them."""
    story = Story(folder, replace(SETTINGS, model=str(net)))
    for number in range(1, count + 1):
        story.put(f"{number}.jpg")
    story.night()
    return story

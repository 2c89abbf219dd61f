"""Nights after days on which people do whatever they like to INPUT and OUTPUT: made up, and the same for each seed."""

from __future__ import annotations

import random
import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.archive.names import ending
from pipeline.archive.prune import prune, reject
from pipeline.ground.settings import Settings
from tests.run.stories import OTHER_NOW, Killed, Lying, Story, exchange, sha256

SETTINGS = Settings(engine="opencv", precision="float32", executor="serial")
HARMLESS = {"rename", "move", "exchange", "shift", "recase", "chmod", "touch"}
NIGHTS, DEEDS = 4, 4


class Day:
    """What people do, each at random."""

    def __init__(self, story: Story, seed: int) -> None:
        self.story, self.chance = story, random.Random(seed)
        self.away: list[bytes] = []
        self.told: list[str] = []
        self._fresh = 0

    def some(self) -> str:
        return self.chance.choice(self.story.sources())

    def fresh(self, suffix: str = ".jpg") -> str:
        self._fresh += 1
        return f"{self.chance.choice(('', 'box/', 'Box Two/', 'box/deep/'))}n{self._fresh}{suffix}"

    def _to(self, key: str, other: str) -> None:
        path = self.story.scans / other
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            (self.story.scans / key).rename(path)

    def rename(self, key: str) -> None:
        self._to(key, self.fresh(Path(key).suffix))

    def move(self, key: str) -> None:
        self._to(key, f"{self.chance.choice(('box', 'crate', 'crate/deep'))}/{Path(key).name}")

    def recase(self, key: str) -> None:
        self._to(key, str(Path(key).with_name(Path(key).name.swapcase())))

    def respell(self, key: str) -> None:
        self._to(key, str(Path(key).with_suffix(self.chance.choice((".jpg", ".jpeg", ".JPG", ".png")))))

    def exchange(self, key: str) -> None:
        one, other = self.story.scans / key, self.story.scans / self.some()
        if one != other:
            exchange(one, other)

    def shift(self, key: str) -> None:
        keys = self.story.sources()
        if self.chance.random() < 0.5:
            keys.reverse()
        first = self.story.scans / keys[0]
        aside = first.rename(self.story.scans / "aside")
        for key, before in zip(keys[1:], keys, strict=False):
            (self.story.scans / key).rename(self.story.scans / before)
        aside.rename(self.story.scans / keys[-1])

    def copy(self, key: str) -> None:
        target = self.story.scans / self.fresh()
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(self.story.scans / key, target)

    def copy_over(self, key: str) -> None:
        with suppress(shutil.SameFileError):
            self.story.date(Path(shutil.copyfile(self.story.scans / key, self.story.scans / self.some())))

    def replace(self, key: str) -> None:
        self.story.put(key)

    def add(self, key: str) -> None:
        sort = self.chance.choice(("grey", "colour", "pages"))
        self.story.put(self.fresh(".tif" if sort == "pages" else ".jpg"), sort)

    def delete(self, key: str) -> None:
        if len(self.story.sources()) > 3:
            self.away.append((self.story.scans / key).read_bytes())
            (self.story.scans / key).unlink()

    def restore(self, key: str) -> None:
        if self.away:
            path = self.story.scans / self.chance.choice((key, self.fresh()))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.away.pop())
            self.story.date(path)

    def chmod(self, key: str) -> None:
        (self.story.scans / key).chmod(0o400)

    def touch(self, key: str) -> None:
        self.story.date(self.story.scans / key)

    def _made(self) -> list[str]:
        there = set(self.story.sources())
        rows = self.story.rows()
        return [
            key
            for key, row in rows.items()
            if row["status"] in ("done", "copied")
            and key in there
            and row["source_sha256"] == sha256(self.story.scans / key)
        ]

    def _lying(self) -> list[str]:
        """What was made and lies there."""
        rows, files = self.story.rows(), self.story.files()
        return [key for key in self._made() if not files.get(rows[key]["output"], "folder").startswith("folder")]

    def edit(self, key: str) -> None:
        if made := self._lying():
            self.story.edit(self.chance.choice(made))

    def exchange_output(self, key: str) -> None:
        if made := self._lying():
            self.story.exchange(self.chance.choice(made), folder=self.chance.random() < 0.5)

    def lose(self, key: str) -> None:
        if made := self._lying():
            self.story.lose(self.chance.choice(made))

    def lose_work(self, key: str) -> None:
        """Somebody deletes what somebody made."""
        for place, what in self.story.files().items():
            if what in self.story.edited and self.chance.random() < 0.5:
                self.story.unwanted.add(self.story.edited.pop(what))
                self.story.lying.remove(place)

    def reject(self, key: str) -> None:
        if made := self._made():
            key = self.chance.choice(made)
            self.story.unwanted.add(self.story.rows()[key]["source_sha256"])
            reject(self.story.home, [Path(key)])

    def want(self, key: str) -> None:
        if unwanted := [key for key, status in self.story.statuses().items() if status == "rejected"]:
            reject(self.story.home, [Path(self.chance.choice(unwanted))], undo=True)

    def prune(self, key: str) -> None:
        prune(self.story.home)

    def settings(self, key: str) -> None:
        self.story.settings = replace(
            self.story.settings,
            format=self.chance.choice(("keep", "png", "jpg")),
            palette=self.chance.choice(("natural", "plain")),
            deleted_outputs=self.chance.choice(("redo", "redo", "rejected")),
        )

    def deeds(self) -> list[str]:
        own = {"some", "fresh", "deeds", "pass_by"}
        return sorted(name for name in vars(Day) if not name.startswith("_") and name not in own)

    def pass_by(self) -> set[str]:
        """Let a day pass; return what was done."""
        done = set()
        for _ in range(self.chance.randint(1, DEEDS)):
            name = self.chance.choice(self.deeds())
            key = self.some()
            self.told.append(f"{name} {key}")
            getattr(self, name)(key)
            done.add(name)
        self.told.append("---")
        return done


def nights(
    folder: Path, net: Path, seed: int, monkeypatch: pytest.MonkeyPatch, far: Lying | None = None, count: int = NIGHTS
) -> None:
    """Tell one story."""
    story = Story(folder, replace(SETTINGS, model=str(net)), far)
    day = Day(story, seed)
    for name in ("a.jpg", "b.jpg", "box/a.jpg", "box/d.jpg", "crate/e.jpg"):
        story.put(name)
    story.put("c.jpg", "colour")
    story.put("box/letter.tif", "pages")
    story.night()
    try:
        for _ in range(count):
            quiet = not any(OTHER_NOW in row["reason"] or row["status"] == "failed" for row in story.rows().values())
            done = day.pass_by()
            if day.chance.random() < 0.4:
                day.told.append("killed")
                lying = story.lying
                with lying.killed_at(day.chance.randint(2, lying.moments), monkeypatch), suppress(Killed):
                    story.night()
            summary = story.night()
            alike = len({ending(key) for key in story.sources()}) == 1  # else names that are exchanged ask for formats
            harmless = HARMLESS if alike else HARMLESS - {"exchange", "shift"}
            assert summary.worked == 0 or not quiet or not done <= harmless, "done again"
    except BaseException as error:
        error.add_note(f"seed {seed}: {', '.join(day.told)}")
        raise


def test_what_a_killed_run_could_not_say_any_more_is_not_left_to_do(
    tmp_path: Path, tiny_net: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It made an output again as it was: there is nothing to do, and `status` says so."""
    story = Story(tmp_path, replace(SETTINGS, model=str(tiny_net)))
    story.put("a.jpg")
    story.run()
    story.lying.remove("a.jpg")

    def dying(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch, suppress(Killed):
        patch.setattr("pipeline.run.collect.Collector._receive", dying)
        story.run()
    assert story.night().worked == 0


@pytest.mark.parametrize("seed", [*range(5), 394])
def test_a_story(tmp_path: Path, tiny_net: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    nights(tmp_path, tiny_net, seed, monkeypatch)


@pytest.mark.soak
@pytest.mark.parametrize("hundred", range(100, 400, 100))
def test_many_stories(tmp_path: Path, tiny_net: Path, hundred: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(hundred, hundred + 100):
        nights(tmp_path / str(seed), tiny_net, seed, monkeypatch)
        shutil.rmtree(tmp_path / str(seed))

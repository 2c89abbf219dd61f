"""Names that the file system of OUTPUT refuses."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from pipeline.archive.discover import Folder, Found
from pipeline.archive.journal import Journal
from pipeline.archive.names import Naming
from pipeline.archive.refused import NOTHING, Refused, known, learn, plain, probe, respelled
from pipeline.ground import inside
from pipeline.ground.items import Kind
from pipeline.ground.settings import Settings
from pipeline.run import driver
from tests.conftest import write_archive

EXFAT = Refused('\x01"*:<>?\\|', endings=True, devices=False, bytes=True)
NTFS = Refused('\x01"*:<>?\\|', endings=True, devices=True, bytes=True)
NAMES = ["a.jpg", "12:30.jpg", "why?.jpg", "100%.jpg", "100%3A.jpg", "end.", "end ", "aux.jpg", "AUX", "auxiliary.jpg"]


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Callable[[Refused], None]:
    """Let every folder refuse what a file system does."""
    create, mkdir, replace = inside.create, os.mkdir, os.replace

    def become(system: Refused) -> None:
        def check(name: object) -> None:
            if str(name) != system.spell(str(name)) and "%" not in str(name):
                raise OSError(errno.EINVAL, "Invalid argument")

        def checked_create(name: str, folder: int) -> int:
            check(name)
            return create(name, folder)

        def checked_mkdir(name: str, *rest: object, **more: object) -> None:
            check(Path(name).name)
            mkdir(name, *rest, **more)  # type: ignore[arg-type]

        def checked_replace(old: str, new: str, **more: object) -> None:
            check(Path(new).name)
            replace(old, new, **more)  # type: ignore[arg-type]

        monkeypatch.setattr(inside, "create", checked_create)
        monkeypatch.setattr(os, "mkdir", checked_mkdir)
        monkeypatch.setattr(os, "replace", checked_replace)

    return become


@pytest.mark.parametrize("system", [NOTHING, EXFAT, NTFS, Refused(":", bytes=True)])
def test_the_probe_finds_what_is_refused_and_leaves_nothing(
    tmp_path: Path, refusing: Callable[[Refused], None], system: Refused
) -> None:
    (tmp_path / ".colorize").mkdir()
    refusing(system)
    assert probe(tmp_path) == system
    assert not list((tmp_path / ".colorize").iterdir())


def test_a_name_that_is_kept_otherwise_is_refused_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".colorize").mkdir()
    create = inside.create
    monkeypatch.setattr(inside, "create", lambda name, folder: create(name.rstrip(". "), folder))
    assert probe(tmp_path) == Refused(endings=True)


def test_what_was_refused_once_stays_so_wherever_output_is_moved(
    tmp_path: Path, refusing: Callable[[Refused], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Journal(tmp_path) as journal:
        assert known(journal) == NOTHING
        refusing(Refused(":"))
        assert learn(journal) == known(journal) == Refused(":")
        monkeypatch.undo()
        assert learn(journal) == Refused(":")
    assert "takes no names with :: what it refuses is written as %3A" in Refused(":").sentence()
    assert (
        "with control characters, that end in a dot or a space, such as aux or con, that are not UTF-8"
        in NTFS.sentence()
    )


@given(some.text(some.characters(exclude_characters="/\0", exclude_categories=()), min_size=1, max_size=20))
@pytest.mark.parametrize("system", [EXFAT, NTFS])
def test_every_spelling_is_taken_and_can_be_taken_back(system: Refused, name: str) -> None:
    if any("\ud800" <= each <= "\udfff" for each in name):
        name = os.fsdecode(name.encode("utf-8", "replace") + b"\xe9")
    spelled = system.spell(name)
    assert plain(spelled) == name
    assert respelled(f"{spelled}/{name}", system, system) == f"{spelled}/{system.spell(name)}" or plain(name) != name
    assert respelled(f"{name}/{name}", NOTHING, system) == f"{spelled}/{spelled}"
    assert not set(spelled) & set('"*:<>?\\|\x01\n')
    assert spelled[-1] not in ". "


def test_spellings() -> None:
    assert [NTFS.spell(name) for name in NAMES] == [
        "a.jpg", "12%3A30.jpg", "why%3F.jpg", "100%.jpg", "100%253A.jpg", "end%2E", "end%20", "%61ux.jpg", "%41UX",
        "auxiliary.jpg",
    ]  # fmt: skip
    assert [NOTHING.spell(name) for name in NAMES] == NAMES
    assert NTFS.spell(os.fsdecode(b"caf\xe9.jpg")) == "caf%E9.jpg"


def test_no_two_outputs_meet_and_none_is_too_long() -> None:
    names = [*NAMES, "12%3A30.jpg", "12%253A30.jpg", ":" * 200 + ".jpg", "?" * 251 + ".png", "aux"]
    files = [Found(name, name, name, Kind.PHOTO) for name in names]
    naming = Naming(lambda kind, own: own or ".png", NTFS)
    found = naming.names(Folder("", files, ["dir:", "dir."]))
    made = [each for both in found.values() for each in {both.output, both.copy_output}]
    assert len({name.casefold() for name in made}) == len(made)
    assert all(len(os.fsencode(name)) <= 255 and NTFS.spell(name) in (name, name.replace("%", "%25")) for name in made)
    below = naming.names(Folder("dir:", [Found("x", "dir:/x.jpg", "dir:/x.jpg", Kind.PHOTO)]))
    assert below["dir:/x.jpg"].output == "dir%3A/x.jpg"


def test_an_archive_into_an_output_that_refuses_names(
    tmp_path: Path, refusing: Callable[[Refused], None], capsys: pytest.CaptureFixture[str]
) -> None:
    scans, colour = tmp_path / "scans", tmp_path / "colour"
    first, second = write_archive(scans, 2)
    (scans / "6:00 p.m.").mkdir()
    first.rename(scans / "6:00 p.m." / "who?.jpg")
    refusing(NTFS)
    settings = Settings(engine="opencv", precision="float32", executor="serial")
    assert driver.run_archive([scans], colour, settings).counts == {"done": 2}
    assert "OUTPUT takes no names with" in capsys.readouterr().err
    assert (colour / "6%3A00 p.m%2E" / "who%3F.jpg").is_file()
    assert (colour / second.relative_to(scans)).is_file()
    assert driver.run_archive([scans], colour, settings).worked == 0
    listed = list(driver.list_archive([scans], colour, settings))
    assert {str(each.action) for each in listed} == {"done"}

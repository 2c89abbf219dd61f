"""An OUTPUT by SFTP and WebDAV: the server's folder is looked at from behind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fsspec", reason="writes to storages; extra: storage")

from pipeline.archive.merge import merge
from pipeline.archive.prune import reject
from pipeline.archive.recover import recover
from pipeline.archive.state import housed
from pipeline.ground import shelf, storage, storages, uploads
from pipeline.ground.errors import OutputError, SettingsError
from pipeline.ground.items import Stamp
from pipeline.ground.storage import located
from pipeline.run.driver import run_archive
from pipeline.run.verify import verify
from tests.conftest import ENTRY, environment, landscape, manifest, write_archive, write_tiff
from tests.storage import servers, test_run
from tests.storage.far import run

PICTURE, ODD = "box 0/picture 000.jpg", "box 1/what? #1 100% ä+b.jpg"


@pytest.fixture(params=["sftp", "webdav"])
def address(request: pytest.FixtureRequest, home: Path, there: Path) -> Iterator[str]:
    if request.param == "sftp":
        with servers.sftp(home) as where:
            yield f"sftp://{where}{there}"
        return
    with servers.webdav(there.parent, "archivist", "b0x-of-glass") as where:
        (home / ".netrc").write_text("machine 127.0.0.1 login archivist password b0x-of-glass\n")
        (home / ".netrc").chmod(0o600)
        yield f"webdav://{where}/{there.name}"


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """The server's folder, which is not there yet."""
    (tmp_path / "server").mkdir()
    return tmp_path / "server" / "colour"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    folder = tmp_path / "scans"
    write_archive(folder, 6)
    (folder / "box 1" / "picture 001.jpg").rename(folder / ODD)
    write_tiff(folder / "minutes.tif", landscape(20), landscape(21))
    return folder


def spelled(name: str, address: str) -> str:
    """Return an output's name as it stands there."""
    return name.replace("%", "%25").replace("?", "%3F") if "?" in name and address.startswith("webdav") else name


def wanted(near: Path, address: str) -> dict[str, bytes]:
    return {spelled(name, address): data for name, data in test_run.files(near).items()}


def test_it_gets_what_a_folder_gets_and_then_nothing_is_to_do(
    archive: Path, near: Path, address: str, there: Path, tmp_path: Path, tiny_net: Path
) -> None:
    state = tmp_path / "state"
    assert run(archive, state, tiny_net, address).exit_code == 0
    assert test_run.files(there) == wanted(near, address)
    told = {key: row | {"output": spelled(row["output"], address)} for key, row in test_run.plain(near).items()}
    assert test_run.plain(there) == told
    assert list((there / ".colorize" / "tmp").iterdir()) == []
    assert run(archive, state, tiny_net, address).worked == 0
    home = housed(located(address), state, known=True)
    assert [each for each in verify(home) if each.problems] == []
    assert not any(b"b0x-of-glass" in each.read_bytes() for each in tmp_path.glob("state/**/*") if each.is_file())
    assert run(archive, state, tiny_net, address, saturation=0.5).worked == 7
    assert test_run.files(there).keys() == wanted(near, address).keys()
    assert test_run.files(there)[PICTURE] != test_run.files(near)[PICTURE]


def test_what_a_person_did_stays_and_what_is_not_ours_is_not_written_over(
    archive: Path, address: str, there: Path, tmp_path: Path, tiny_net: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, carry = tmp_path / "state", uploads.carry
    (there / "box 2").mkdir(parents=True)
    (there / "box 2" / "picture 002.jpg").write_bytes(b"mine")
    late = there / "box 3" / "picture 003.jpg"

    def comes_late(body: uploads.Body, to: storage.Origin, *others: object) -> str:
        if to.name == late.name:
            late.parent.mkdir(exist_ok=True)
            late.write_bytes(b"mine, since a moment")
        return carry(body, to, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(uploads, "carry", comes_late)
    assert run(archive, state, tiny_net, address).exit_code == 3
    monkeypatch.undo()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert late.read_bytes() == b"mine, since a moment"
    assert (there / "box 2" / "picture 002.jpg").read_bytes() == b"mine"
    before = test_run.files(there)
    (there / PICTURE).write_bytes(b"retouched")
    (there / spelled(ODD, address)).unlink()
    run(archive, state, tiny_net, address)
    assert test_run.files(there) == before | {PICTURE: b"retouched"}
    assert manifest(there)[PICTURE]["status"] == "edited"
    assert {row["status"] for row in manifest(there).values()} == {"done", "edited", "failed"}


@pytest.mark.parametrize("before", [False, True], ids=["new", "made anew"])
def test_what_comes_after_the_plan_stays_whatever_its_time(
    before: bool, archive: Path, address: str, there: Path, tmp_path: Path, tiny_net: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    if before:
        run(archive, tmp_path / "state", tiny_net, address)
    made, put = test_run.files(there) if before else {}, shelf.put

    def comes_late(to: shelf.Shelf, data: Path, place: str, seen: Stamp | None) -> int:
        if place == PICTURE:
            (there / PICTURE).parent.mkdir(parents=True, exist_ok=True)
            (there / PICTURE).write_bytes(b"mine, of 2001")
            os.utime(there / PICTURE, (1e9, 1e9))
        return put(to, data, place, seen)

    monkeypatch.setattr(shelf, "put", comes_late)
    assert run(archive, tmp_path / "state", tiny_net, address, saturation=0.5).exit_code == 3
    assert (there / PICTURE).read_bytes() == b"mine, of 2001"
    assert manifest(there)[PICTURE]["reason"] == "something that this program did not write has taken its name"
    assert test_run.files(there)["box 3/picture 003.jpg"] != made.get("box 3/picture 003.jpg")
    monkeypatch.setattr(shelf, "put", put)
    run(archive, tmp_path / "state", tiny_net, address, saturation=0.5, retry_failed=True)
    assert (there / PICTURE).read_bytes() == b"mine, of 2001", "nor by the next run"


def test_it_moves_and_goes_with_its_source(
    archive: Path, near: Path, address: str, there: Path, tmp_path: Path, tiny_net: Path
) -> None:
    state = tmp_path / "state"
    run(archive, state, tiny_net, address)
    (archive / "box 9").mkdir()
    (archive / PICTURE).rename(archive / "box 9" / "harbour.jpg")
    run(archive, state, tiny_net, address)
    made = test_run.files(there)
    assert made["box 9/harbour.jpg"] == test_run.files(near)[PICTURE]
    assert PICTURE not in made
    reject(housed(located(address), state), [located(f"{address}/box 9/harbour.jpg")])
    assert "box 9/harbour.jpg" not in test_run.files(there)
    assert manifest(there)["box 9/harbour.jpg"]["status"] == "rejected"


def test_a_lost_state_folder_loses_nothing(
    archive: Path, address: str, there: Path, tmp_path: Path, tiny_net: Path
) -> None:
    run(archive, tmp_path / "lost", tiny_net, address)
    before = test_run.files(there)
    with pytest.raises(OutputError, match=rf"kept by the state folder {tmp_path}/lost"):
        run(archive, tmp_path / "new", tiny_net, address)
    assert recover(housed(located(address), tmp_path / "new")).from_copy == 7
    assert run(archive, tmp_path / "new", tiny_net, address).worked == 0
    assert test_run.files(there) == before
    (there / ".colorize" / "keeper.json").unlink()
    with pytest.raises(OutputError, match="holds nothing of what was written there"):
        run(archive, tmp_path / "new", tiny_net, address)


def test_a_file_in_the_way_of_a_folder_fails_what_belongs_there(
    archive: Path, address: str, there: Path, tmp_path: Path, tiny_net: Path
) -> None:
    there.mkdir()
    (there / "box 0").write_bytes(b"mine")
    assert run(archive, tmp_path / "state", tiny_net, address).exit_code == 3
    assert manifest(there)[PICTURE]["reason"].startswith("a file is in the way of the folder")
    assert (there / "box 0").read_bytes() == b"mine"
    assert sum(row["status"] == "done" for row in manifest(there).values()) == 6


def test_a_file_that_comes_in_the_way_of_a_folder_fails_what_belongs_there_alone(
    archive: Path, address: str, there: Path, tmp_path: Path, tiny_net: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = shelf.put

    def comes_late(to: shelf.Shelf, data: Path, place: str, seen: Stamp | None) -> int:
        if place == PICTURE:
            (there / "box 0").write_bytes(b"mine, since a moment")
        return put(to, data, place, seen)

    monkeypatch.setattr(shelf, "put", comes_late)
    assert run(archive, tmp_path / "state", tiny_net, address).exit_code == 3
    assert manifest(there)[PICTURE]["reason"] == "cannot be written: a file is in the way"
    assert sum(row["status"] == "done" for row in manifest(there).values()) == 6


def test_it_is_what_shares_become_and_a_share_itself(
    archive: Path, near: Path, address: str, there: Path, tmp_path: Path, tiny_net: Path
) -> None:
    """Also where a name is not taken there: it is spelled otherwise, as a run would."""
    state = tmp_path / "state"
    found = merge([near], housed(located(address), state))
    assert (found.taken, found.problems) == (7, [])
    assert test_run.files(there) == wanted(near, address)
    assert run(archive, state, tiny_net, address).worked == 0
    assert test_run.files(there) == wanted(near, address)
    assert merge([located(address)], tmp_path / "back").taken == 7
    assert test_run.files(tmp_path / "back") == wanted(near, address)
    assert merge([near, located(address)], tmp_path / "back").taken == 0
    assert run_archive([archive], tmp_path / "back", test_run.settings(tiny_net), quiet=True).worked == 0


@pytest.mark.soak
def test_kills_leave_nothing_half(
    archive: Path, near: Path, address: str, there: Path, tmp_path: Path, tiny_net: Path, user_cache: Path, home: Path
) -> None:
    whole, moments, kills = wanted(near, address), random.Random(5), 0
    arguments = ["run", str(archive), "-o", address, "--state", str(tmp_path / "state"), "--model", str(tiny_net)]
    arguments += ["-j", "2", "--no-progress", "--engine", "opencv", "--precision", "float32"]
    given = environment(XDG_CACHE_HOME=str(user_cache), HOME=str(home))
    for _ in range(3):
        had = len(test_run.files(there))
        process = subprocess.Popen([*ENTRY, *arguments], env=given, start_new_session=True, stdout=subprocess.DEVNULL)
        while process.poll() is None and len(test_run.files(there)) < had + 2:
            time.sleep(0.002)
        time.sleep(moments.random() / 50)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            kills += 1
        process.wait()
        assert test_run.files(there).items() <= whole.items()
    assert kills
    (there / ".colorize" / "tmp" / "0.part").write_bytes(b"of a run that was killed")
    assert run(archive, tmp_path / "state", tiny_net, address).exit_code == 0
    assert test_run.files(there) == whole
    assert {row["status"] for row in manifest(there).values()} == {"done"}
    assert list((there / ".colorize" / "tmp").iterdir()) == []


def test_a_server_that_goes_ends_the_run_and_the_same_command_goes_on(
    archive: Path, near: Path, there: Path, home: Path, tmp_path: Path, tiny_net: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storages, "_PATIENCE", 2.0)
    (home / ".netrc").write_text("machine 127.0.0.1 login archivist password b0x-of-glass\n")
    (home / ".netrc").chmod(0o600)
    carry, port = uploads.carry, servers.free_port()
    with servers.webdav(there.parent, "archivist", "b0x-of-glass", port) as where:
        address = f"webdav://{where}/colour"

        def refused(body: uploads.Body, to: storage.Origin, *others: object) -> str:
            if to.suffix == ".jpg" and len(test_run.files(there)) == 3:
                (home / ".netrc").write_text("machine 127.0.0.1 login archivist password another\n")
                storages.file_system.cache_clear()
            return carry(body, to, *others)  # type: ignore[arg-type]

        monkeypatch.setattr(uploads, "carry", refused)
        with pytest.raises(OutputError, match=r"permission denied .*What is finished stays"):
            run(archive, tmp_path / "state", tiny_net, address)
        assert len(test_run.files(there)) == 3
        monkeypatch.setattr(uploads, "carry", carry)
        (home / ".netrc").write_text("machine 127.0.0.1 login archivist password b0x-of-glass\n")
        storages.file_system.cache_clear()
        assert run(archive, tmp_path / "state", tiny_net, address).worked == 4
    storages.file_system.cache_clear()
    with pytest.raises(OutputError, match=r"cannot be written: .*refused"):
        run(archive, tmp_path / "state", tiny_net, address)
    assert test_run.files(there) == wanted(near, address)


def test_there_is_no_folder_for_a_user_without_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.archive.state.user_state", lambda: None)
    with pytest.raises(SettingsError, match="this user has no home"):
        housed(located("sftp://host/colour"))
    assert housed(located("sftp://host/colour"), tmp_path / "state") == tmp_path / "state"
    assert shelf.name(tmp_path / "state") == "sftp://host/colour"

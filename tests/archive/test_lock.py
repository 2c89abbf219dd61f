from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import filelock
import pytest

from pipeline.archive import lock as lock_module
from pipeline.archive.lock import Owner, hold, is_held, read_owner
from pipeline.ground.errors import LockedError, OutputError

HOLDER = """
import sys, time
from pathlib import Path
from pipeline.archive.lock import hold
with hold(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def start_holder(output: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(output)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def take(output: Path) -> None:
    with hold(output):
        pass


def test_a_second_run_is_refused_with_the_owner_named_and_a_dead_one_taken_over(tmp_path: Path) -> None:
    with start_holder(tmp_path) as process:
        assert is_held(tmp_path)
        with pytest.raises(LockedError, match=f"process {process.pid} on {socket.gethostname()}"):
            take(tmp_path)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert read_owner(tmp_path) is not None  # its note is stale
    assert not is_held(tmp_path)
    with hold(tmp_path):
        owner = read_owner(tmp_path)
        assert owner is not None
        assert owner.pid == os.getpid()
    assert read_owner(tmp_path) is None


def test_a_dead_container_with_another_host_name_is_taken_over(tmp_path: Path) -> None:
    folder = tmp_path / ".colorize"
    folder.mkdir()
    (folder / "owner.json").write_text(json.dumps({"pid": 1, "host": "elsewhere", "started_at": "then"}))
    take(tmp_path)


def test_the_lock_goes_when_the_run_fails(tmp_path: Path) -> None:
    def fail() -> None:
        with hold(tmp_path):
            raise ValueError

    with pytest.raises(ValueError):
        fail()
    assert not is_held(tmp_path)
    take(tmp_path)


def no_flock(self: object, *_: object, **__: object) -> None:
    raise OSError(errno.ENOLCK, "No locks available")


def test_without_flock_a_lock_file_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filelock.FileLock, "acquire", no_flock)
    with hold(tmp_path):
        assert is_held(tmp_path)
    assert not is_held(tmp_path)
    (tmp_path / ".colorize" / "lock.soft").write_text("4242\nelsewhere\n")
    owner = Owner(4242, "elsewhere", "then")
    monkeypatch.setattr(lock_module, "read_owner", lambda _: owner)
    with pytest.raises(LockedError, match=r"process 4242 on elsewhere.*remove .*lock\.soft"):
        take(tmp_path)


@pytest.mark.parametrize("note", ["", "[]", "{}", '{"pid": "x", "host": 1, "started_at": 2}', "\udcff"])
def test_a_broken_note_does_no_harm(tmp_path: Path, note: str) -> None:
    (tmp_path / ".colorize").mkdir()
    (tmp_path / ".colorize" / "owner.json").write_bytes(note.encode("utf-8", "surrogateescape"))
    assert read_owner(tmp_path) is None
    take(tmp_path)


def test_an_output_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        take(tmp_path / "file")


def test_asking_writes_nothing(tmp_path: Path) -> None:
    assert not is_held(tmp_path)
    assert list(tmp_path.iterdir()) == []

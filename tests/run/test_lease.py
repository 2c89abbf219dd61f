"""Folders that workers of a cluster are lent to write in, and that are taken back from those given up."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from pipeline.ground import files, inside
from pipeline.ground.errors import OutputError
from pipeline.run.executors import lease as leases
from pipeline.run.executors.lease import Leases


def test_a_worker_that_was_given_up_can_publish_nothing_more(tmp_path: Path) -> None:
    """It may live, on a host that does not answer: the storage decides."""
    granted = Leases(tmp_path, tmp_path / "tmp")
    lost, other = granted.grant(), granted.grant()
    files.publish(b"whole", "a.jpg", files.Room(tmp_path, lost))
    with files.Room(tmp_path, lost).unfinished() as folder:  # it is in the middle of a file
        part = inside.create("b.part", folder)
        os.write(part, b"late")
        granted.revoke(lost)
        os.close(part)
        with pytest.raises(FileNotFoundError):
            files._move("b.part", folder, "b.jpg", files.Room(tmp_path, lost))
    with pytest.raises(OutputError, match="is gone"):
        files.publish(b"late", "b.jpg", files.Room(tmp_path, lost))
    with pytest.raises(FileNotFoundError):
        leases.begin(lost, 7)
    files.publish(b"whole", "b.jpg", files.Room(tmp_path, other))
    assert (tmp_path / "b.jpg").read_bytes() == b"whole"


def test_a_folder_is_withdrawn_although_somebody_still_writes_into_it(tmp_path: Path) -> None:
    (tmp_path / "tmp" / "run").mkdir(parents=True)
    written, over = [], threading.Event()

    def write() -> None:
        while not over.is_set():
            try:
                (tmp_path / "tmp" / "run" / f"{len(written)}").write_bytes(b"x")
                written.append(1)
                time.sleep(0.001)
            except OSError:
                return

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    while not written:
        time.sleep(0.001)
    try:
        inside.withdraw(tmp_path, "tmp")
    finally:
        over.set()
    writer.join()
    assert not (tmp_path / "tmp").exists()

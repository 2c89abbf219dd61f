"""A journal on a share: no memory is shared there, so it is written without a log, and one with a log is taken over."""

from __future__ import annotations

import sqlite3
from collections import namedtuple
from pathlib import Path

import psutil
import pytest

from pipeline.archive.database import journal_path
from pipeline.archive.journal import Journal
from pipeline.ground import mounts
from pipeline.ground.errors import OutputError

Mount = namedtuple("Mount", "mountpoint fstype")


def mounted(monkeypatch: pytest.MonkeyPatch, folder: Path, kind: str) -> None:
    """Let `folder` be the place of a mount."""
    table = [Mount("/", "ext4"), Mount(str(folder.parent), "xfs"), Mount(str(folder), kind)]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: table)


@pytest.mark.parametrize(
    ("kind", "network"),
    [("cifs", True), ("nfs4", True), ("fuse.sshfs", True), ("fuse.rclone", True), ("fuseblk", False), ("btrfs", False)],
)
def test_a_share_is_known_by_its_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, network: bool
) -> None:
    mounted(monkeypatch, tmp_path, kind)
    assert mounts.file_system(tmp_path / "not" / "there yet") == kind
    assert mounts.over_network(tmp_path / "not" / "there yet") is network
    assert mounts.file_system(tmp_path.parent) == "xfs"


def test_of_several_mounts_in_one_place_the_last_lies_on_top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = [Mount("/", "ext4"), Mount(str(tmp_path), "autofs"), Mount(str(tmp_path), "cifs")]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: table)
    assert mounts.file_system(tmp_path) == "cifs"
    assert mounts.over_network(tmp_path), "what systemd mounts when it is asked for is a share all the same"


def test_where_nothing_is_known_of_mounts_it_is_a_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: [])
    assert not mounts.over_network(tmp_path)


def test_a_journal_that_had_a_log_goes_on_without_one_when_output_is_moved_to_a_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Journal(tmp_path) as journal:
        assert journal.shared
        journal.put_fact("where", "a disk")
    mounted(monkeypatch, tmp_path, "cifs")
    with Journal(tmp_path) as journal:
        assert not journal.shared
        assert journal.db.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert journal.fact("where") == "a disk"
        journal.put_fact("where", "a share")
        with Journal(tmp_path, read_only=True) as reader:
            assert reader.fact("where") == "a share"
    assert not journal_path(tmp_path).with_name("journal.sqlite-wal").exists()
    monkeypatch.undo()
    with Journal(tmp_path) as journal:  # and back
        assert (journal.shared, journal.fact("where")) == (True, "a share")


def test_what_cannot_hold_a_database_is_said_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounted(monkeypatch, tmp_path, "fuse.gvfsd-fuse")
    with (
        Journal(tmp_path) as journal,
        pytest.raises(OutputError, match=r"fuse\.gvfsd-fuse, which cannot hold a database: mount the share itself"),
        journal.speaking(),
    ):
        raise sqlite3.OperationalError("disk I/O error")

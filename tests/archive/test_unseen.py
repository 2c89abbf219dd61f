"""A folder of OUTPUT that nobody may look into for one night: nothing of it is given up."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from pipeline.archive.prune import prunable, prune
from pipeline.ground.errors import Cause

if TYPE_CHECKING:
    from tests.archive.conftest import Archive


@contextmanager
def closed(archive: Archive) -> Iterator[None]:
    """Let nobody look into the folder `box` of OUTPUT; a test may be root."""
    lstat = os.lstat

    def refuse(path: object, **more: object) -> os.stat_result:
        if str(path).startswith(f"{archive.output}/box/"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return lstat(path, **more)  # type: ignore[arg-type, call-overload]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "lstat", refuse)
        yield


@pytest.fixture
def archive(archive: Archive) -> Archive:
    for name in ("box/1.jpg", "box/2.jpg", "3.jpg"):
        archive.put(name, name.encode())
    archive.run()
    return archive


def test_what_cannot_be_made_anew_there_is_ours_still(archive: Archive) -> None:
    archive.fails, archive.cause = {"box/1.jpg", "box/2.jpg"}, Cause.SYSTEM
    with closed(archive):
        archive.run(fingerprint="f2")
    assert archive.statuses() == {"box/1.jpg": "failed", "box/2.jpg": "failed", "3.jpg": "done"}
    archive.fails = set()
    archive.run(fingerprint="f2")
    assert set(archive.statuses().values()) == {"done"}, "no stranger's file is in the way"


def test_it_is_not_taken_for_deleted(archive: Archive) -> None:
    with closed(archive):
        why = archive.why(deleted_outputs="rejected")
    assert why["box/1.jpg"] == ("todo", "output cannot be looked at")
    (archive.output / "box" / "1.jpg").unlink()
    assert archive.why(deleted_outputs="rejected")["box/1.jpg"][0] == "mark"


def test_it_is_not_pruned(archive: Archive) -> None:
    (archive.source / "box" / "1.jpg").unlink()
    archive.run()
    with closed(archive):
        assert [why for _, _, why in prunable(archive.output)] == ["it cannot be looked at"]
        assert prune(archive.output).forgotten == 0
    assert archive.statuses()["box/1.jpg"] == "gone"
    assert prune(archive.output).removed == 1

"""Which failures an exit code has told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.archive.journal import Journal

if TYPE_CHECKING:
    from tests.archive.conftest import Archive


def untold(archive: Archive) -> int:
    with Journal(archive.output, read_only=True) as journal:
        return journal.untold_problems()


def test_what_a_run_that_was_killed_met_is_told_by_the_next_one(archive: Archive) -> None:
    for name in ("1.jpg", "2.jpg", "3.jpg"):
        archive.put(name)
    archive.fails = {"1.jpg"}
    archive.run(kill_after=1)
    assert untold(archive) == 1
    archive.run()
    assert archive.statuses() == {"1.jpg": "failed", "2.jpg": "done", "3.jpg": "done"}
    assert untold(archive) == 0


def test_a_failure_is_told_once_and_another_reason_is_news(archive: Archive) -> None:
    archive.put("1.jpg")
    archive.fails = {"1.jpg"}
    archive.run()
    assert untold(archive) == 0
    with Journal(archive.output, read_only=True) as journal:
        assert journal.was_told("1.jpg", "failed", "truncated")
        assert not journal.was_told("1.jpg", "failed", "no permission")
        assert not journal.was_told("2.jpg", "failed", "truncated")

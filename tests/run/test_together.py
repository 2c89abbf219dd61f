"""Answers that are at hand together are recorded in one step, and told when they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from pipeline.archive.journal import Journal
from pipeline.ground.errors import OutputError
from pipeline.ground.items import Answer, Status, Unit
from pipeline.media.medium import Job
from pipeline.run import driver
from pipeline.run.executors.executor import Take
from pipeline.run.signals import Stop
from pipeline.run.summary import Summary
from pipeline.run.voice import Ended, Event, Voice
from pipeline.run.worker import Worker
from tests.conftest import TINY_SETTINGS, manifest, write_archive

pytestmark = pytest.mark.usefixtures("tiny_net")


class AllAtHand:
    """An executor that has done all there is before it gives the first answer."""

    def __init__(self, job: Job) -> None:
        self._worker, self.at_hand = Worker(job), 0

    def answers(self, take: Take, stop: Stop) -> Generator[tuple[Unit, Answer]]:
        while done := [(unit, self._worker.do(unit)) for unit in iter(take, None)]:
            for self.at_hand in range(len(done) - 1, -1, -1):
                yield done[-1 - self.at_hand]


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many items each step has recorded."""
    found = list[int]()
    record_all = Journal.record_all

    def counted(self: Journal, ended: Any, **named: Any) -> Any:
        earlier = record_all(self, ended, **named)
        found.append(len(ended))
        return earlier

    monkeypatch.setattr(Journal, "record_all", counted)
    monkeypatch.setattr(driver, "_executor", lambda context, jobs, tmp_dir, progress: AllAtHand(context.job(tmp_dir)))
    return found


def test_each_is_recorded_before_it_is_told(tmp_path: Path, steps: list[int]) -> None:
    write_archive(tmp_path / "scans", 5)
    told = list[str]()

    def hear(event: Event) -> None:
        if isinstance(event, Ended):
            with Journal(tmp_path / "colour", read_only=True) as journal:
                row = journal.row(event.result.key)
            assert row is not None
            assert row.status == Status.DONE
            told.append(row.key)

    assert _run(tmp_path, hear).counts == {"done": 5}
    assert steps == [5]
    assert sorted(told) == sorted(manifest(tmp_path / "colour"))


def test_no_more_than_so_many_wait_for_each_other(
    tmp_path: Path, steps: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.run.collect.TOGETHER", 2)
    write_archive(tmp_path / "scans", 5)
    assert _run(tmp_path).counts == {"done": 5}
    assert steps == [2, 2, 1]


def test_what_does_not_go_together_is_recorded_one_by_one_as_far_as_it_goes(
    tmp_path: Path, steps: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a disk that is nearly full."""
    sources = write_archive(tmp_path / "scans", 5)
    last = str(sources[3].relative_to(tmp_path / "scans"))
    put = Journal.put

    def full(self: Journal, result: Any, **named: Any) -> Any:
        if result.key == last:
            raise OutputError("No space is left")
        return put(self, result, **named)

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "put", full)
        with pytest.raises(OutputError, match="No space is left"):
            _run(tmp_path)
    assert steps == [1, 1, 1]
    assert Counter(row["status"] for row in manifest(tmp_path / "colour").values()) == {"done": 3}
    summary = _run(tmp_path)
    assert (summary.counts, summary.worked) == ({"done": 5}, 2)


def _run(folder: Path, *listeners: Any) -> Summary:
    return driver.run_archive(
        [folder / "scans"], folder / "colour", TINY_SETTINGS, quiet=True, voice=Voice(listeners=listeners)
    )

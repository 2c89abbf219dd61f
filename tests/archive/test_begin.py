"""The plan's decisions in the journal, before any work begins."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from pipeline.archive.begin import begin
from pipeline.archive.decision import Action, Decision
from pipeline.archive.discover import Found
from pipeline.archive.journal import Journal
from pipeline.archive.names import Names
from pipeline.archive.row import RECOVERED
from pipeline.archive.schema import Claim
from pipeline.ground.errors import Cause
from pipeline.ground.items import Kind, Result, Status

NAMES = Names("made.jpg", "copied.png")


def found(key: str, kind: Kind | None = Kind.PHOTO) -> Found:
    return Found(f"/in/{key}", key, key, kind, 5, 7)


def todo(key: str, kind: Kind | None = Kind.PHOTO) -> Decision:
    return Decision(found(key, kind), Names(f"{key}.jpg", key), Action.TODO, "new")


def recorded(key: str, status: Status, kind: Kind | None = Kind.OTHER) -> Decision:
    result = Result(key, status, Cause.NO_PICTURE, "for a reason")
    return Decision(found(key, kind), None, Action.RECORD, "why", result)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path)


def written(journal: Journal, *decisions: Decision) -> tuple[Counter[Kind], list[Result]]:
    failures: list[Result] = []
    with journal.transaction(durable=True):
        counts = begin(
            iter(decisions),
            journal,
            run_id="r",
            fingerprint=lambda kind, key: f"of {kind} {key}",
            on_failure=failures.append,
        )
    return counts, failures


def test_what_is_to_be_done_is_claimed_and_counted_by_kind(journal: Journal) -> None:
    counts, failures = written(journal, todo("1"), todo("2"), todo("3", Kind.PAGES))
    assert counts == {Kind.PHOTO: 2, Kind.PAGES: 1}
    assert failures == []
    assert list(journal.claims("r")) == [
        Claim("1", Kind.PHOTO, "1.jpg", "1", 5, 7, True),
        Claim("2", Kind.PHOTO, "2.jpg", "2", 5, 7, True),
        Claim("3", Kind.PAGES, "3.jpg", "3", 5, 7, True),
    ]
    assert list(journal.rows()) == []
    assert list(journal.claims("another run")) == []


def test_what_is_known_without_work_is_recorded_under_its_kind(journal: Journal) -> None:
    counts, _ = written(journal, recorded("1", Status.UNSUPPORTED), recorded("2", Status.SKIPPED, None))
    assert counts == {}
    assert [
        (row.key, row.status, row.kind, row.fingerprint, row.run_id, row.cause, row.reason) for row in journal.rows()
    ] == [
        ("1", "unsupported", "other", "of other 1", "r", "no picture", "for a reason"),
        ("2", "skipped", "other", "of other 2", "r", "no picture", "for a reason"),
    ]


def test_only_failures_are_told(journal: Journal) -> None:
    _, failures = written(journal, recorded("1", Status.SKIPPED), recorded("2", Status.FAILED, Kind.PHOTO))
    assert [each.key for each in failures] == ["2"]


def test_what_is_finished_or_kept_changes_nothing_and_what_says_nothing_is_forgotten(journal: Journal) -> None:
    for key in ("done", "kept", "forgotten"):
        journal.record(Result(key, Status.FAILED), kind=Kind.PHOTO, fingerprint="f", run_id="before")
    written(
        journal,
        Decision(found("done"), NAMES, Action.DONE, "done before"),
        Decision(found("kept"), NAMES, Action.KEEP, "failed before"),
        Decision(found("forgotten"), None, Action.FORGET, "gone"),
    )
    assert [(row.key, row.run_id) for row in journal.rows()] == [("done", "before"), ("kept", "before")]
    assert list(journal.claims("r")) == []


def test_what_came_back_from_a_manifest_gets_the_fingerprint_of_its_own_item(journal: Journal) -> None:
    journal.record(Result("1", Status.DONE), kind=Kind.PHOTO, fingerprint=RECOVERED, run_id="before")
    written(journal, Decision(found("1"), NAMES, Action.DONE, "done before", adopt=9))
    row = journal.row("1")
    assert row is not None
    assert (row.fingerprint, row.run_id, row.output_mtime_ns) == ("of photo 1", "r", 9)


def test_decisions_are_taken_one_by_one(journal: Journal) -> None:
    """A decision may look at what the ones before it have claimed."""
    seen: list[set[str]] = []

    def decisions():
        yield todo("1")
        seen.append(journal.owners("1.jpg"))
        yield todo("2")

    with journal.transaction(durable=True):
        begin(decisions(), journal, run_id="r", fingerprint=str, on_failure=lambda result: None)
    assert seen == [{"1"}]

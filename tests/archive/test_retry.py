"""What failed is left alone, until something has changed that may let it succeed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pipeline.archive.wishes import REMEDIES
from pipeline.ground.errors import Cause
from pipeline.ground.items import Kind
from tests.archive.conftest import SETTINGS

if TYPE_CHECKING:
    from tests.archive.conftest import Archive


PASSING = (Cause.SYSTEM, Cause.FOLDER_GONE, Cause.IN_THE_WAY, Cause.LIBRARY, Cause.MODEL)


def failed(archive: Archive, cause: Cause, **options: object) -> None:
    archive.put("1.jpg")
    archive.fails, archive.cause = {"1.jpg"}, cause
    archive.run(**options)


def action(archive: Archive, **options: object) -> str:
    (found,) = archive.why(**options).values()
    return found[0]


def changed(name: str) -> dict[str, object]:
    return SETTINGS | {name: "another"}


@pytest.mark.parametrize("cause", [each for each in Cause if each not in PASSING])
def test_what_failed_is_not_tried_again_under_the_same_circumstances(archive: Archive, cause: Cause) -> None:
    failed(archive, cause)
    assert action(archive) == "keep"
    assert action(archive, retry_failed=True) == "todo"


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("cause", list(Cause))
def test_a_setting_brings_back_only_what_it_may_have_undone(archive: Archive, cause: Cause, name: str) -> None:
    failed(archive, cause)
    undone = cause in PASSING or name in REMEDIES.get(cause, ())
    assert action(archive, settings=changed(name)) == ("todo" if undone else "keep")


def test_the_advice_of_the_sentences_is_followed() -> None:
    assert "max_megapixels" in REMEDIES[Cause.TOO_LARGE]
    assert "format" in REMEDIES[Cause.FORMAT_LIMIT]
    assert "jobs" in REMEDIES[Cause.MEMORY]


@pytest.mark.parametrize(("cause", "again"), [(Cause.NOT_SUPPORTED, True), (Cause.FAULT, True), (Cause.DAMAGED, False)])
def test_another_version_brings_back_what_it_may_be_able_to_do(archive: Archive, cause: Cause, again: bool) -> None:
    failed(archive, cause, version="1.0")
    assert action(archive, version="1.0") == "keep"
    assert action(archive, version="1.1") == ("todo" if again else "keep")


@pytest.mark.parametrize("cause", [Cause.SYSTEM, Cause.IN_THE_WAY])
def test_what_may_have_passed_is_tried_by_every_run(archive: Archive, cause: Cause) -> None:
    failed(archive, cause)
    assert action(archive) == "todo"
    archive.run()
    archive.fails = set()
    archive.run()
    assert archive.statuses() == {"1.jpg": "done"}


def test_what_fails_again_is_held_against_the_circumstances_it_was_tried_under(archive: Archive) -> None:
    failed(archive, Cause.TOO_LARGE)
    higher = SETTINGS | {"max_megapixels": 900.0}
    archive.run(settings=higher)
    assert action(archive, settings=higher) == "keep"
    assert action(archive) == "todo", "the limit differs from that of the run that tried it last"


def test_a_setting_that_an_older_run_did_not_have_counts_as_changed(archive: Archive) -> None:
    older = {name: value for name, value in SETTINGS.items() if name != "format"}
    failed(archive, Cause.FORMAT_LIMIT, settings=older)
    assert action(archive) == "todo"


def test_a_source_that_changed_is_tried_again_whatever_the_cause(archive: Archive) -> None:
    failed(archive, Cause.DAMAGED)
    os.utime(archive.source / "1.jpg", ns=(1, 1))
    assert action(archive) == "todo"


def test_what_is_not_workable_is_unsupported_until_it_is(archive: Archive) -> None:
    archive.put("reel.mkv", b"\x1aE\xdf\xa3")
    archive.run()
    assert archive.statuses() == {"reel.mkv": "unsupported"}
    assert action(archive) == "keep"
    assert action(archive, workable=frozenset({Kind.PHOTO, Kind.FILM})) == "todo"

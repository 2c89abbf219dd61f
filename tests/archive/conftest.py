"""A small stand-in for the driver: finds, plans, and makes outputs without any net."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pipeline.archive.begin import begin
from pipeline.archive.decision import Decision
from pipeline.archive.discover import discover
from pipeline.archive.hints import HintBook
from pipeline.archive.journal import Journal, remove_superseded
from pipeline.archive.moves import finish_moves
from pipeline.archive.names import Naming
from pipeline.archive.places import check_places, source_path
from pipeline.archive.plan import Plan
from pipeline.archive.row import marked
from pipeline.archive.runs import input_spelling
from pipeline.archive.schema import Claim
from pipeline.archive.spelling import unescape
from pipeline.archive.wishes import Wishes
from pipeline.ground.errors import Cause
from pipeline.ground.items import PICTURED, Filed, Kind, Result, Seen, Status

JPEG = b"\xff\xd8\xff\xe0"
CRASHED = "its worker died twice"
SETTINGS = {"jobs": 2, "format": "jpg", "max_megapixels": 500.0}


@dataclass
class Archive:
    """INPUT and OUTPUT of a test."""

    source: Path
    output: Path
    fails: set[str] = field(default_factory=set)
    copies: set[str] = field(default_factory=set)
    skips: set[str] = field(default_factory=set)
    crashes: set[str] = field(default_factory=set)
    made: list[str] = field(default_factory=list)
    cause: Cause = Cause.DAMAGED

    def put(self, name: str, data: bytes = JPEG) -> Path:
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def _decisions(
        self,
        journal: Journal,
        *,
        inputs: Sequence[Path] = (),
        fingerprint: str = "f1",
        suffix: str = ".jpg",
        exclude: Sequence[str] = (),
        verify: bool = False,
        retry_failed: bool = False,
        settings: Mapping[str, object] = SETTINGS,
        version: str = "0",
        workable: frozenset[Kind] = frozenset({Kind.PHOTO, Kind.PAGES}),
        also: tuple[str, ...] = (),
        **more: object,
    ) -> Iterator[Decision]:
        inputs = inputs or [self.source]
        wishes = Wishes(
            inputs=input_spelling(inputs),
            settings=settings,
            fingerprints=dict.fromkeys(PICTURED, (fingerprint, *also)),
            version=version,
            workable=workable,
            unworkable="films are not colorized here",
            verify=verify,
            retry_failed=retry_failed,
            source_of=lambda key: source_path(check_places(inputs, self.output), unescape(key)),
            **more,  # type: ignore[arg-type]
        )
        folders = discover(check_places(inputs, self.output), self.output, exclude=exclude)
        naming = Naming(lambda kind, own: ".mp4" if kind is Kind.FILM else suffix)
        return iter(Plan(folders, naming, journal, wishes))

    def plan(self, **options: object) -> list[Decision]:
        """What would be done; without what is gone."""
        with Journal(self.output) as journal:
            decisions = list(self._decisions(journal, **options))  # type: ignore[arg-type]
        return [decision for decision in decisions if decision.found.path]

    def counts(self, **options: object) -> Counter[str]:
        """How many items have each action."""
        return Counter(str(decision.action) for decision in self.plan(**options))

    def why(self, **options: object) -> dict[str, tuple[str, str]]:
        """From key to action and why."""
        return {decision.found.key: (decision.action, decision.why) for decision in self.plan(**options)}

    def run(
        self,
        *,
        inputs: Sequence[Path] = (),
        fingerprint: str = "f1",
        settings: Mapping[str, object] = SETTINGS,
        version: str = "0",
        kill_after: int | None = None,
        publish_before_kill: bool = False,
        marks: HintBook | None = None,
        **options: object,
    ) -> Counter[Kind]:
        """Do all that is planned; `kill_after` items the run is gone without a word. Outputs are made with `marks`."""

        def made_under(kind: Kind, key: str) -> str:
            return marked(fingerprint, marks.mark(key, kind) if marks else "")

        inputs = inputs or [self.source]
        same = {"inputs": inputs, "fingerprint": fingerprint, "settings": settings, "version": version}
        with Journal(self.output) as journal:
            with journal.transaction(durable=True):
                run_id = journal.start_run(inputs=inputs, settings=settings, fingerprint=fingerprint, version=version)
                todo = begin(
                    self._decisions(journal, **same, **options),  # type: ignore[arg-type]
                    journal,
                    run_id=run_id,
                    fingerprint=made_under,
                    on_failure=lambda result: None,
                )
                journal.planned(run_id, todo.total())
            finish_moves(journal)
            roots = check_places(inputs, self.output)
            for number, claim in enumerate(journal.claims(run_id)):
                killed = number == kill_after
                if killed and not publish_before_kill:
                    return todo
                result = self.work(claim, source_path(roots, unescape(claim.key)))
                if killed:
                    return todo
                earlier = journal.record(
                    result, kind=claim.kind, fingerprint=made_under(claim.kind, claim.key), run_id=run_id
                )
                remove_superseded(earlier, self.output)
            journal.finish_run(run_id, 0)
        return todo

    def work(self, claim: Claim, source: Path) -> Result:
        if claim.key in self.crashes:
            return Result(claim.key, Status.CRASHED, Cause.CRASH, CRASHED)
        seen = Seen(source_size=claim.size, source_mtime_ns=claim.mtime_ns)
        if claim.key in self.fails:
            return Result(claim.key, Status.FAILED, self.cause, "truncated", seen=seen)
        if claim.key in self.skips:
            return Result(claim.key, Status.SKIPPED, Cause.IN_COLOUR, "already in colour", seen=seen)
        status = Status.COPIED if claim.key in self.copies else Status.DONE
        place = claim.copy_output if status is Status.COPIED else claim.output
        output = self.output / place
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_bytes(b"colour of " + source.read_bytes())
        self.made.append(claim.key)
        return Result(
            claim.key,
            status,
            filed=Filed(place, output.stat().st_size, ""),
            seen=Seen(
                source_size=claim.size,
                source_mtime_ns=claim.mtime_ns,
                source_sha256=hashlib.sha256(source.read_bytes()).hexdigest(),
                verdict="neutral",
                chroma=1.234,
                width=4,
                height=3,
                bits=8,
            ),
            seconds=0.5,
        )

    def statuses(self) -> dict[str, str]:
        with Journal(self.output, read_only=True) as journal:
            return {row.key: row.status for row in journal.rows()}


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    (tmp_path / "in").mkdir()
    return Archive(tmp_path / "in", tmp_path / "out")

"""A small stand-in for the driver: finds, plans, and makes outputs without any net."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pipeline.archive.discover import discover
from pipeline.archive.journal import Journal
from pipeline.archive.names import output_names
from pipeline.archive.plan import Item, Plan, begin, plan, remove_superseded
from pipeline.work import Outcome

JPEG = b"\xff\xd8\xff\xe0"


@dataclass
class Archive:
    """INPUT and OUTPUT of a test."""

    source: Path
    output: Path
    fails: set[str] = field(default_factory=set)
    crashes: set[str] = field(default_factory=set)
    made: list[str] = field(default_factory=list)

    def put(self, name: str, data: bytes = JPEG) -> Path:
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def plan(
        self,
        *,
        inputs: Sequence[Path] = (),
        fingerprint: str = "f1",
        suffix: str = ".jpg",
        exclude: Sequence[str] = (),
        verify: bool = False,
        retry_failed: bool = False,
    ) -> Plan:
        inputs = inputs or [self.source]
        found = list(discover(inputs, self.output, exclude=exclude))
        with Journal(self.output) as journal:
            return plan(
                found,
                output_names(found, suffix),
                journal,
                fingerprint=fingerprint,
                output=self.output,
                inputs=inputs,
                verify=verify,
                retry_failed=retry_failed,
            )

    def why(self, **options: object) -> dict[str, tuple[str, str]]:
        """From key to action and why."""
        return {item.found.key: (item.action, item.why) for item in self.plan(**options).items}  # type: ignore[arg-type]

    def run(
        self,
        *,
        inputs: Sequence[Path] = (),
        fingerprint: str = "f1",
        kill_after: int | None = None,
        publish_before_kill: bool = False,
        **options: object,
    ) -> Plan:
        """Do all that is planned; `kill_after` items the run is gone without a word."""
        inputs = inputs or [self.source]
        planned = self.plan(inputs=inputs, fingerprint=fingerprint, **options)  # type: ignore[arg-type]
        with Journal(self.output) as journal:
            run_id = journal.start_run(
                inputs=inputs, settings={"jobs": 2}, fingerprint=fingerprint, version="0", planned=len(planned.todo())
            )
            begin(planned, journal, run_id=run_id, fingerprint=fingerprint)
            for number, item in enumerate(planned.todo()):
                killed = number == kill_after
                if killed and not publish_before_kill:
                    return planned
                outcome = self.work(item)
                if killed:
                    return planned
                journal.record(outcome, kind=item.found.kind, fingerprint=fingerprint, run_id=run_id)
                remove_superseded(item, outcome, self.output)
            journal.finish_run(run_id, 0)
        return planned

    def work(self, item: Item) -> Outcome:
        found = item.found
        if found.key in self.crashes:
            return Outcome(found.key, "crashed", reason="its worker died twice")
        if found.key in self.fails:
            return Outcome(
                found.key, "failed", reason="truncated", source_size=found.size, source_mtime_ns=found.mtime_ns
            )
        assert item.names is not None
        output = self.output / item.names.output
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_bytes(b"colour of " + found.source.read_bytes())
        self.made.append(found.key)
        return Outcome(
            found.key,
            "done",
            output=output,
            verdict="neutral",
            chroma=1.234,
            width=4,
            height=3,
            bits=8,
            seconds=0.5,
            source_size=found.size,
            source_mtime_ns=found.mtime_ns,
            source_sha256=hashlib.sha256(found.source.read_bytes()).hexdigest(),
            output_size=output.stat().st_size,
        )

    def statuses(self) -> dict[str, str]:
        with Journal(self.output, read_only=True) as journal:
            return {row.key: row.status for row in journal.rows()}


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    (tmp_path / "in").mkdir()
    return Archive(tmp_path / "in", tmp_path / "out")

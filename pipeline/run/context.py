"""What all steps of a run need to know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.archive.places import Root
from pipeline.items import Kind
from pipeline.media.medium import Job
from pipeline.nets.engines import Engine
from pipeline.nets.spec import NetSpec
from pipeline.settings import Settings, fingerprint, fingerprint_v1, treated_as


@dataclass(frozen=True, slots=True)
class Context:
    """What was asked for, and what it was settled to be.

    Attributes:
        inputs, output: INPUTs and OUTPUT as they were given.
        roots: the INPUTs, checked and labelled.
        settings: what was asked for.
        net, engine: what colorizes.
    """

    inputs: Sequence[Path]
    output: Path
    roots: Sequence[Root]
    settings: Settings
    net: NetSpec
    engine: Engine

    def fingerprint(self, kind: Kind) -> str:
        """Return what outputs of this kind are made under."""
        treated = treated_as(kind, self.settings)
        return fingerprint(self.settings, treated, model_sha256=self.net.sha256, engine=str(self.engine))

    def fingerprints(self, kind: Kind) -> tuple[str, ...]:
        """Return all fingerprints under which an output of this kind is as it would be made now."""
        if treated_as(kind, self.settings) is not Kind.PHOTO:
            return (self.fingerprint(kind),)
        before = fingerprint_v1(self.settings, model_sha256=self.net.sha256, engine=str(self.engine))
        return self.fingerprint(kind), before

    def job(self, tmp_dir: Path) -> Job:
        """Return what workers are told."""
        return Job(self.settings, self.net, self.engine, self.output, tmp_dir)

"""What all steps of a run need to know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from pipeline.archive.hints import HintBook
from pipeline.archive.places import Root
from pipeline.archive.row import marked
from pipeline.ground.items import PICTURED, Kind
from pipeline.ground.settings import Settings, fingerprint, fingerprint_v1, treated_as
from pipeline.media.medium import Job
from pipeline.nets.engine import Engine
from pipeline.nets.spec import NetSpec


@dataclass(frozen=True)
class Context:
    """What was asked for, and what it was settled to be.

    Attributes:
        inputs, output: INPUTs and OUTPUT as they were given.
        roots: the INPUTs, checked and labelled.
        settings: what was asked for.
        net, engine: what colorizes.
        choices: what a person says of single items, a choice of `on_color` by key.
        hints: what a person says of single pictures; filled by the plan.
    """

    inputs: Sequence[Path]
    output: Path
    roots: Sequence[Root]
    settings: Settings
    net: NetSpec
    engine: Engine
    choices: Mapping[str, str] = field(default_factory=dict)
    hints: HintBook = field(default_factory=HintBook)

    @cached_property
    def fingerprints(self) -> Mapping[Kind, tuple[str, ...]]:
        """By kind of what can be worked on, what its outputs are made under, and after it what that was called before.

        Outputs of any of them are as they would be made now.
        """
        by = {"model_sha256": self.net.sha256, "engine": str(self.engine)}
        treated = {kind: treated_as(kind, self.settings) for kind in PICTURED}
        found = {kind: (fingerprint(self.settings, treated[kind], **by),) for kind in PICTURED}
        before = fingerprint_v1(self.settings, **by)
        return {kind: (*each, before) if treated[kind] is Kind.PHOTO else each for kind, each in found.items()}

    @cached_property
    def fingerprints_of_listed(self) -> Mapping[str, Mapping[Kind, tuple[str, ...]]]:
        """By key, the fingerprints of those of which a person has said something."""
        by = {"model_sha256": self.net.sha256, "engine": str(self.engine)}

        def under(word: str) -> Mapping[Kind, tuple[str, ...]]:
            kinds = {kind: treated_as(kind, self.settings) for kind in PICTURED}
            return {kind: (fingerprint(self.settings, as_, listed=word, **by),) for kind, as_ in kinds.items()}

        words = {word: under(word) for word in set(self.choices.values())}
        return {key: words[word] for key, word in self.choices.items()}

    def fingerprint(self, kind: Kind, key: str = "") -> str:
        """Return what the output of an item is made under, or those of this kind; empty for what is no picture."""
        plain = self.fingerprints_of_listed.get(key, self.fingerprints).get(kind, ("",))[0]
        return marked(plain, self.hints.mark(key, kind))

    def job(self, tmp_dir: Path) -> Job:
        """Return what workers are told."""
        return Job(self.settings, self.net, self.engine, self.output, tmp_dir)

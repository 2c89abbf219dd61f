"""What all steps of a run need to know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from pipeline.archive.hints import HintBook
from pipeline.archive.journal import Journal
from pipeline.archive.pieces import parts_place
from pipeline.archive.places import Root, source_path
from pipeline.archive.refused import NOTHING, Refused
from pipeline.archive.row import marked
from pipeline.archive.schema import Claim
from pipeline.archive.spelling import unescape
from pipeline.ground import shelf
from pipeline.ground.items import PICTURED, Kind, Result, Unit, Verb
from pipeline.ground.settings import Settings, fingerprint, fingerprint_v1, treated_as
from pipeline.media.medium import Job, chart_of
from pipeline.media.table import first_verb
from pipeline.nets.engine import Engine
from pipeline.nets.spec import NetSpec
from pipeline.run.capacity import memory_of
from pipeline.run.own_nets import OwnNets
from pipeline.run.voice import Voice


@dataclass(frozen=True)
class Context:
    """What was asked for, and what it was settled to be.

    Attributes:
        inputs, output: INPUTs and OUTPUT as they were given.
        roots: the INPUTs, checked and labelled.
        settings: what was asked for.
        net, engine: what colorizes.
        listed: what a person says of single items, a choice of `on_color` by key.
        refused: names that OUTPUT takes not.
        told_again: filled as the run works: keys of what failed as it had failed, and was told, before.
        junk: filled as INPUT is walked: what was passed over, as the list of junk calls it.
        voice: where what the run has to say goes.
        hints: what a person says of single pictures; filled by the plan.
    """

    inputs: Sequence[Path]
    output: Path
    roots: Sequence[Root]
    settings: Settings
    net: NetSpec
    engine: Engine
    listed: Mapping[str, str] = field(default_factory=dict)
    refused: Refused = NOTHING
    told_again: set[str] = field(default_factory=set)
    junk: Counter[str] = field(default_factory=Counter)
    voice: Voice = field(default_factory=Voice)
    hints: HintBook = field(default_factory=HintBook)

    @cached_property
    def own(self) -> OwnNets:
        """The nets that single pictures are to have, and the charts of their palettes."""
        return OwnNets(self.settings, self.engine, lambda: self.net)

    @cached_property
    def fingerprints(self) -> Mapping[Kind, tuple[str, ...]]:
        """By kind of what can be worked on, what its outputs are made under, and after it what that was called before.

        Outputs of any of them are as they would be made now.
        """
        by = {"model_sha256": self.net.sha256, "engine": str(self.engine)}
        made = by | {"chart": self._chart}
        treated = {kind: treated_as(kind, self.settings) for kind in PICTURED}
        found = {kind: (fingerprint(self.settings, treated[kind], **made),) for kind in PICTURED}
        before = fingerprint_v1(self.settings, **by)
        return {kind: (*each, before) if treated[kind] is Kind.PHOTO else each for kind, each in found.items()}

    @cached_property
    def fingerprints_of_listed(self) -> Mapping[str, Mapping[Kind, tuple[str, ...]]]:
        """By key, the fingerprints of those of which a person has said something."""
        by = {"model_sha256": self.net.sha256, "engine": str(self.engine), "chart": self._chart}

        def under(word: str) -> Mapping[Kind, tuple[str, ...]]:
            kinds = {kind: treated_as(kind, self.settings) for kind in PICTURED}
            return {kind: (fingerprint(self.settings, as_, listed=word, **by),) for kind, as_ in kinds.items()}

        words = {word: under(word) for word in set(self.listed.values())}
        return {key: words[word] for key, word in self.listed.items()}

    @cached_property
    def _chart(self) -> str:
        return chart_of(self.net, self.settings.palette)

    def fingerprint(self, kind: Kind, key: str = "") -> str:
        """Return what the output of an item is made under, or those of this kind; empty for what is no picture."""
        plain = self.fingerprints_of_listed.get(key, self.fingerprints).get(kind, ("",))[0]
        return marked(plain, self.hints.mark(key, kind))

    def source_of(self, key: str) -> Path:
        """Return where the source of an item lies."""
        return source_path(self.roots, unescape(key))

    def first_unit(self, claim: Claim) -> Unit:
        """Return what is done first with an item."""
        verb = first_verb(claim.kind, self.settings)
        return Unit(
            verb=verb,
            key=claim.key,
            kind=claim.kind,
            source=self.source_of(claim.key),
            output=claim.output,
            copy_output=claim.copy_output,
            size=claim.size,
            mtime_ns=claim.mtime_ns,
            parts_place="" if verb is Verb.MAKE else parts_place(claim.key),
            on_color=self.listed.get(claim.key, ""),
            hints=self.hints.of(claim.key),
            stood=claim.stood,
        )

    @property
    def bom(self) -> bool:
        """Whether the manifest begins with a byte order mark."""
        return self.settings.manifest_bom

    def note_failure(self, journal: Journal, result: Result) -> None:
        """Look whether a failure is news, before it is recorded; with `retry_failed` each is."""
        known = journal.was_told(result.key, result.status, result.reason)
        if known and not self.settings.retry_failed:
            self.told_again.add(result.key)

    def job(self, tmp_dir: Path, jobs: int = 1) -> Job:
        """Return what workers are told, of whom there are so many."""
        memory = memory_of(self.settings, self.net, jobs)
        own, there = self.own.found, shelf.of(self.output)
        return Job(self.settings, self.net, self.engine, self.output, tmp_dir, memory, own, there)

"""A dry run: the plan is written into a copy of the journal, so that it says what a run would find out on the way."""

from __future__ import annotations

import pickle
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any, Final

from pipeline.archive.decision import Action, Because, Decision
from pipeline.archive.journal import Journal
from pipeline.archive.schema import Claim
from pipeline.ground import files
from pipeline.ground.errors import Cause
from pipeline.run.context import Context
from pipeline.run.twins import Twins

_HEAD: Final = 1 << 16  # bytes that are compared before files are hashed: scans of one size are seldom alike


class Rehearsal:
    """Decisions, kept in a file of its own until all are known; memory does not grow with them."""

    def __init__(self) -> None:
        self._file: Any = tempfile.TemporaryFile(prefix="colorize-")  # noqa: SIM115 - `close`
        self._moved: dict[str, Decision] = {}
        self._held: set[str] = set()
        self._settled: dict[str, Decision] = {}  # when all that is there was known

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def keeping(self, decisions: Iterable[Decision]) -> Iterator[Decision]:
        """Yield the decisions, and keep each."""
        for decision in decisions:
            key = decision.found.key
            if decision.action in (Action.MOVE, Action.RENEW) and decision.result is not None:
                self._moved[decision.result.key] = decision
            elif not decision.found.path and (key in self._held or _is_in_the_way(decision)):
                self._settled[key] = decision
            else:
                if decision.action is Action.HOLD:
                    self._held.add(key)
                pickle.dump(decision, self._file, pickle.HIGHEST_PROTOCOL)
            yield decision

    def told(self, doubles: Mapping[str, str]) -> Iterator[Decision]:
        """Yield them once more, with what became known: a source was renamed, or is a double of another."""
        self._file.seek(0)
        while True:
            try:
                decision: Decision = pickle.load(self._file)  # of this process, in a file without a name
            except EOFError:
                return
            yield self._known_better(decision, doubles.get(decision.found.key, ""))

    def _known_better(self, decision: Decision, first: str) -> Decision:
        settled = self._settled.get(decision.found.key)
        if settled is not None:
            return settled._replace(found=decision.found)
        if decision.action is Action.HOLD:
            decision = decision._replace(action=Action.TODO)
        moved = self._moved.get(decision.found.key)
        if moved is None:
            if not first:
                return decision
            why = f"{decision.why}; same as {first}"
            return decision._replace(why=why, because=Because.SAME, forecast=None)
        if moved.action is Action.MOVE:
            return decision._replace(action=Action.MOVE, why=f"renamed, was {moved.found.key}", forecast=None)
        return decision._replace(why=f"renamed, was {moved.found.key}, and made anew", because=Because.OTHER)


def _is_in_the_way(decision: Decision) -> bool:
    return decision.result is not None and decision.result.cause is Cause.IN_THE_WAY


def doubles_of(context: Context, journal: Journal, run_id: str) -> dict[str, str]:
    """Return which items are to get a copy of another's output, by key; only what may be a double is read."""
    alike: dict[tuple[int, int], list[Claim]] = {}
    for claim in journal.claims(run_id):
        if claim.company:
            alike.setdefault((claim.size, _head(context.source_of(claim.key))), []).append(claim)
    twins = Twins(journal, context.fingerprint)
    doubles: dict[str, str] = {}
    for (size, _), group in alike.items():
        if len(group) > 1 or journal.has_of_size(size):
            doubles.update(_among(group, context, twins))
    return doubles


def _among(group: list[Claim], context: Context, twins: Twins) -> Iterator[tuple[str, str]]:
    first: dict[tuple[str, ...], str] = {}
    for claim in group:
        try:
            sha256 = files.sha256(context.source_of(claim.key))
        except OSError:
            continue
        made = twins.made(context.first_unit(claim), sha256)
        fits = (sha256, context.fingerprint(claim.kind, claim.key), PurePath(claim.output).suffix.lower())
        key = made.key if made is not None else first.setdefault(fits, claim.key)
        if key != claim.key:
            yield claim.key, key


def _head(source: Path) -> int:
    try:
        with source.open("rb") as file:
            return zlib.crc32(file.read(_HEAD))
    except OSError:
        return 0

"""The middle of a run: units to the executor, answers into the journal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final

from pipeline.archive.journal import Journal, remove_superseded
from pipeline.archive.manifest import ManifestDrawer, write_manifest
from pipeline.archive.own import MANIFEST
from pipeline.archive.pieces import Begun, Pieces
from pipeline.archive.schema import Claim
from pipeline.ground.errors import OF_THE_SYSTEM, Cause, ColorizeError, InputError
from pipeline.ground.items import MADE, PROBLEMS, Alone, Answer, Filed, Halt, Result, Status, Unit, Verb
from pipeline.ground.storage import Origin
from pipeline.media.table import IN_PIECES
from pipeline.run.assembly import Assembly
from pipeline.run.context import Context
from pipeline.run.executors.executor import TOGETHER, Executor
from pipeline.run.progress import Progress
from pipeline.run.schedule import Schedule
from pipeline.run.signals import Stop
from pipeline.run.twins import Twins

_Ended = tuple[Unit, Result, str]  # and the fingerprint

FAULTS_IN_A_ROW: Final = 10  # then the run ends: the next ten thousand would fail as well


class Collector:
    """Feeds an executor with what a run is to do, and records what comes back."""

    def __init__(self, context: Context, journal: Journal, run_id: str, progress: Progress) -> None:
        """Take a run whose claims are in the journal."""
        self._context, self._journal, self._run_id, self._progress = context, journal, run_id, progress
        self._schedule = Schedule(map(self._first, journal.claims(run_id)))
        self._pieces = Pieces(journal)
        self._twins = Twins(journal, context.fingerprint)
        self._assemblies: dict[str, Assembly] = {}
        self._faults = 0  # of the system, in a row
        self._kept: set[str] = set()  # keys of items that failed, whose parts stay
        self._ended: list[_Ended] = []  # to be recorded with what is at hand
        self._drawer = ManifestDrawer(context.output, bom=context.bom) if journal.shared else None

    def collect(self, executor: Executor, stop: Stop) -> ColorizeError | None:
        """Record each answer as it comes; return what ended the run early, if anything did."""
        self._pieces.sweep()
        halted: ColorizeError | None = None
        if not (self._context.output / MANIFEST).exists():
            self._draw_first()
        try:
            with closing(executor.answers(self._take, stop)) as answers:
                for unit, answer in answers:
                    if isinstance(answer, Alone):
                        self._schedule.put_off(replace(unit, alone=True))
                    elif (error := self._halted_by(unit, answer)) is not None:
                        halted = halted or error
                        stop.code = stop.code or halted.exit_code  # nothing more is begun
                    elif isinstance(answer, Result):
                        self._receive(unit, answer)
                    if not executor.at_hand or len(self._ended) >= TOGETHER:
                        self._record()
        finally:
            try:
                self._record()
            finally:
                if self._drawer is not None:
                    self._drawer.wait()
        return halted

    def _draw_first(self) -> None:
        if self._drawer is not None:
            self._drawer.draw()
        else:  # the journal cannot be read by another while it is written
            write_manifest(self._journal, self._context.output, bom=self._context.bom)

    def _first(self, claim: Claim) -> Unit:
        unit = self._context.first_unit(claim)
        return self._twins.look(unit) if claim.company else unit

    def _take(self) -> Unit | None:
        while (unit := self._schedule.take()) is not None:
            if unit.verb is not Verb.SCAN:
                return unit
            begun = self._pieces.begun(unit, self._context.fingerprint(unit.kind, unit.key))
            if begun is None:
                return unit
            self._assemble(unit, begun)  # an earlier run has scanned it
        return None

    def _assemble(self, first: Unit, begun: Begun) -> None:
        assembly = Assembly(first, begun.spans, seconds=begun.seconds)
        for part in begun.parts:
            assembly.add(part)
        self._assemblies[first.key] = assembly
        self._schedule.put(assembly.units())

    def _halted_by(self, unit: Unit, answer: Answer) -> ColorizeError | None:
        if isinstance(answer, Halt):
            return answer.error
        if isinstance(answer, Alone):
            return None
        fault = answer.status is Status.FAILED and answer.cause in OF_THE_SYSTEM
        if not fault:
            self._faults *= unit.verb is Verb.LOOK  # what was only hashed is no proof of anything
        elif not self._failed_before(answer.key):
            self._faults += 1
        if fault or answer.status is Status.VANISHED:
            return input_gone(self._context.inputs) or self._too_many(answer)
        return None

    def _failed_before(self, key: str) -> bool:
        """Tell whether an earlier run met a fault here too: that one is no news of a disk."""
        row = self._journal.row(key)
        return row is not None and row.status == Status.FAILED and row.cause in OF_THE_SYSTEM

    def _too_many(self, answer: Result) -> InputError | None:
        if self._faults < FAULTS_IN_A_ROW:
            return None
        return InputError(
            f"{self._faults} files in a row failed by a fault of the system ({answer.reason}): is a disk lost? "
            "The next run tries them again."
        )

    def _receive(self, unit: Unit, result: Result) -> None:
        fingerprint = self._context.fingerprint(unit.kind, unit.key)
        assembly = self._assemblies.get(unit.key)
        ends = unit.verb in (Verb.MAKE, Verb.JOIN, Verb.REPEAT) or (unit.verb is Verb.SCAN and not result.spans)
        if unit.verb is Verb.LOOK and result.status in MADE:
            self._schedule.put(self._twins.looked(unit.key, result.seen.source_sha256))
        elif unit.verb is Verb.PIECE and assembly is None:
            self._late(unit, result, fingerprint)
        elif result.status not in MADE or ends:
            self._ended.append((unit, assembly.finished(result) if assembly else result, fingerprint))
            if unit.kind in IN_PIECES:  # the next answer may be another piece of it
                self._record()
        elif assembly is None:
            self._assemble(unit, self._pieces.scanned(unit, result, fingerprint))
        else:
            self._schedule.put(assembly.add(self._pieces.finished(unit, result, fingerprint)))
        if self._drawer is not None:
            self._drawer.draw_when_due()

    def _late(self, unit: Unit, result: Result, fingerprint: str) -> None:
        """Take a piece of an item that another piece has failed: its part is kept where the others are."""
        if unit.key not in self._kept:
            self._pieces.remove(unit.key)
        elif result.status in MADE:
            self._pieces.finished(unit, result, fingerprint)

    def _record(self) -> None:
        """Record what has ended, then let what hangs on it go on: nothing is told or removed before."""
        ended, self._ended = self._ended, []
        for (unit, result, _), earlier in self._recorded(ended):
            remove_superseded(earlier, self._context.output)
            self._schedule.close(unit.key)
            self._schedule.put(self._twins.ended(unit.key))
            self._assemblies.pop(unit.key, None)
            if unit.kind in IN_PIECES:
                if result.cause in OF_THE_SYSTEM | {Cause.TIME}:  # a later run goes on from what is there
                    self._kept.add(unit.key)
                else:
                    self._pieces.remove(unit.key)
            self._progress.ended(result)

    def _recorded(self, ended: Sequence[_Ended]) -> Iterator[tuple[_Ended, Filed | None]]:
        for _, result, _ in ended:
            if result.status in PROBLEMS:
                self._context.note_failure(self._journal, result)
        given = [(result, unit.kind, fingerprint) for unit, result, fingerprint in ended]
        try:
            earlier = self._journal.record_all(given, run_id=self._run_id) if given else []
        except ColorizeError:
            if len(given) == 1:
                raise
            earlier = []
        yield from zip(ended, earlier, strict=False)
        for each in ended[len(earlier) :]:  # not all at once: then as many as there is room for
            yield from self._recorded([each])


def input_gone(inputs: Sequence[Path]) -> InputError | None:
    """Tell a file that went from a disk that did: then the other ten thousand have not vanished."""
    for path in inputs:
        try:
            gone = not isinstance(path, Origin) and path.is_dir() and not any(path.iterdir())
            gone = gone or not path.exists()
        except OSError:
            gone = True
        if gone:
            return InputError(f"{path} is gone, or empty all of a sudden: bring it back and run again.")
    return None

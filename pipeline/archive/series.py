"""Which pictures steer the others of their folder: those that were approved, as they lie in OUTPUT."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from pipeline.archive.discover import Found
from pipeline.archive.hints import HintBook
from pipeline.archive.journal import Known
from pipeline.archive.outputs import Outputs, State
from pipeline.archive.row import hints_in
from pipeline.archive.spelling import unescape
from pipeline.ground.hints import Exemplar, own_mark
from pipeline.ground.items import Kind, Status

MOST: Final = 8  # more of one folder say little more, and each worker has to look at them


def steer(pictures: Sequence[tuple[Found, Known | None]], hints: HintBook, outputs: Outputs) -> None:
    """Let the approved pictures of a folder steer its others: what they have goes into the others' hints.

    Only what was finished before the run began counts, so neither order nor workers do.

    Args:
        pictures: of one folder, and what earlier runs made of them.
        hints: knows who was approved, and takes the exemplars of the others.
        outputs: of the archive.
    """
    known = [(found, row) for found, row in pictures if row is not None and row.kind != Kind.FILM]
    approved = [
        Exemplar(str(found.source), row.source_sha256, unescape(row.output), row.output_sha256)
        for found, row in known
        if hints.of(found.key).decision == "approved" and _stays(found, row, hints, outputs)
    ]
    if not approved:
        return
    exemplars = chosen(approved)
    for found, _ in pictures:
        if not hints.of(found.key).decision:
            hints.steer(found.key, exemplars)


def chosen(approved: Collection[Exemplar]) -> tuple[Exemplar, ...]:
    """Return the pictures that steer: all, or some, by what is in them; where they lie does not count."""
    every = sorted(approved, key=lambda each: (each.source_sha256, each.output_sha256))
    if len(every) <= MOST:
        return tuple(every)
    return tuple(every[number * len(every) // MOST] for number in range(MOST))


def _stays(found: Found, row: Known, hints: HintBook, outputs: Outputs) -> bool:
    """Tell whether a picture, its output and what is said of it are what the journal knows: it is not redone."""
    if own_mark(hints_in(row.fingerprint)) != own_mark(hints.of(found.key).mark):
        return False
    same = (found.size, found.mtime_ns) == (row.source_size, row.source_mtime_ns)
    colorized = row.status == Status.DONE and bool(row.source_sha256 and row.output_sha256)
    return same and colorized and outputs.look(row, begun=False, sure=True).state is State.OURS

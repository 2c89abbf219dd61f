"""What a person decides of finished items: outputs that go because their sources went, or because nobody wants them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from pipeline.archive.journal import Journal
from pipeline.archive.lock import hold
from pipeline.archive.manifest import write_manifest
from pipeline.archive.outputs import Outputs, State
from pipeline.archive.own import resolved
from pipeline.archive.places import Root, known_roots, source_path
from pipeline.archive.spelling import escape, unescape
from pipeline.ground import inside
from pipeline.ground.errors import Cause, InputError
from pipeline.ground.items import Status

FOUND_AGAIN: Final = "its source is there again"
_STAYS: Final = {State.EDITED: "edited", State.UNSEEN: "it cannot be looked at"}
_NOT_WANTED: Final = "not wanted, by `colorize reject`"


def prunable(output: Path) -> Iterator[tuple[str, str, str]]:
    """Yield key and output of the items whose sources are gone, and why the output stays all the same, or nothing."""
    outputs = Outputs(output)
    with Journal(output, read_only=True) as journal:
        roots = {run_id: known_roots(run.inputs, output) for run_id, run in journal.runs().items()}
        for row in journal.of_status(Status.GONE):
            state = outputs.look(row, sure=True).state
            if state in _STAYS:
                yield row.key, row.output, _STAYS[state]
            else:
                yield row.key, row.output, FOUND_AGAIN if _is_there(row.key, roots.get(row.run_id, [])) else ""


def _is_there(key: str, roots: Sequence[Root]) -> bool:
    """Tell whether a source is there after all: a disk that was not mounted when a run looked."""
    place = unescape(key)
    return bool(roots) and inside.is_inside(place) and os.path.lexists(source_path(roots, place))


def prune(output: Path) -> int:
    """Remove outputs and rows of gone sources; what somebody has changed, or is no longer gone, stays.

    Returns:
        How many went.
    """
    output = resolved(output)
    with hold(output), Journal(output) as journal:
        going = [(key, place) for key, place, kept in prunable(output) if not kept]
        for key, place in going:
            _remove(journal, place)
            with journal.transaction():
                journal.forget([key])
        write_manifest(journal, output)
    return len(going)


def _remove(journal: Journal, place: str) -> None:
    name = unescape(place)
    with suppress(OSError):
        inside.remove(journal.output, name)
        inside.remove_empty(journal.output, name.rpartition("/")[0])


def reject(output: Path, paths: Sequence[Path], *, undo: bool = False) -> list[str]:
    """Say of items that nobody wants them, or that somebody does; return their keys.

    An output goes unless somebody has changed it. An item that is wanted again is done by the next run.

    Args:
        output: OUTPUT.
        paths: outputs (inside OUTPUT, or relative to it) or sources as the manifest names them.
        undo: they are wanted again.

    Raises:
        InputError: one is nothing that is known.
    """
    output = resolved(output)
    with hold(output), Journal(output) as journal:
        keys = [_key(journal, path) for path in paths]
        outputs = Outputs(output)
        for key, row in journal.known(keys).items():
            if row.output and not undo and outputs.look(row, sure=True).state is State.OURS:
                _remove(journal, row.output)
            with journal.transaction():
                if undo and row.status == Status.REJECTED:
                    journal.forget([key])
                elif not undo:
                    journal.mark(key, Status.REJECTED, _NOT_WANTED)
        write_manifest(journal, output)
    return keys


def drop_rejected(journal: Journal) -> None:
    """Remove the outputs of what hints reject, as `reject` does; after the plan that says so was written."""
    outputs = Outputs(journal.output)
    for row in journal.of_status(Status.REJECTED):
        if row.cause == Cause.BY_HINT and row.output and outputs.look(row, sure=True).state is State.OURS:
            _remove(journal, row.output)


def _key(journal: Journal, path: Path) -> str:
    root = journal.output.absolute()
    whole = path.absolute()
    place = str(whole.relative_to(root)) if whole.is_relative_to(root) else str(path)
    for key in (*sorted(journal.owners(place)), escape(str(path)), escape(place)):
        if journal.row(key) is not None:
            return key
    raise InputError(f"{path}: no item of {journal.output} is called so, and none has such an output.")

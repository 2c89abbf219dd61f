"""What a person decides of finished items: outputs that go because their sources went, or because nobody wants them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple

from pipeline.archive.discover import Found, examine
from pipeline.archive.journal import Journal, Known
from pipeline.archive.lock import hold
from pipeline.archive.manifest import write_manifest
from pipeline.archive.moves import finish_moves
from pipeline.archive.outputs import Outputs, State
from pipeline.archive.own import resolved
from pipeline.archive.places import Root, keys_of, known_places, places_of, source_path
from pipeline.archive.recover import keep_copy
from pipeline.archive.renames import is_unwanted
from pipeline.archive.spelling import escape, unescape
from pipeline.ground import files, inside, shelf
from pipeline.ground.errors import Cause, InputError
from pipeline.ground.files import may_be_there, words
from pipeline.ground.items import Kind, Result, Seen, Status
from pipeline.ground.storage import Origin

FOUND_AGAIN: Final = "its source is there again"
_STAYS: Final = {State.EDITED: "edited", State.UNSEEN: "it cannot be looked at"}
_NOT_WANTED: Final = "not wanted, by `colorize reject`"


def prunable(output: Path) -> Iterator[tuple[str, str, str]]:
    """Yield key and output of the items whose sources are gone, and why the output stays all the same, or nothing."""
    outputs = Outputs(output)
    with Journal(output, read_only=True) as journal:
        runs = journal.runs()
        places = places_of(runs.values(), output)
        for row in journal.of_status(Status.GONE):
            state = outputs.look(row, sure=True).state
            roots = places[runs[row.run_id].inputs] if row.run_id in runs else []
            if state in _STAYS:
                yield row.key, row.output, _STAYS[state]
            else:
                yield row.key, row.output, FOUND_AGAIN if _may_be_there(row.key, roots) else ""


def _may_be_there(key: str, roots: Sequence[Root]) -> bool:
    """Tell whether a source is there after all, or may be: a disk that was not mounted when a run looked."""
    place = unescape(key)
    if not roots or not inside.is_inside(place):
        return False
    source = source_path(roots, place)
    return may_be_there(source.stat if isinstance(source, Origin) else source.lstat)


class Pruned(NamedTuple):
    """What came of it: files that went, rows that did, and what could not be removed, with the reason."""

    removed: int
    forgotten: int
    stuck: list[tuple[str, str]]


def prune(output: Path) -> Pruned:
    """Remove outputs and rows of gone sources; what somebody has changed, or is no longer gone,
    stays, and so does the row of what cannot go.

    Raises:
        OutputError: OUTPUT holds no journal, or it cannot be written.
    """
    removed, forgotten, stuck = 0, 0, []
    with _changing(output) as journal:
        output = journal.output
        finish_moves(journal)
        going = [(key, place) for key, place, kept in prunable(output) if not kept]
        for key, place in going:
            there, why = _remove(journal, place)
            if why:
                stuck.append((place, why))
                continue
            removed, forgotten = removed + there, forgotten + 1
            with journal.transaction():
                journal.forget([key])
        if forgotten:  # what is only in a copy would come back with it
            keep_copy(journal, least=1)
        write_manifest(journal, output)
    return Pruned(removed, forgotten, stuck)


@contextmanager
def _changing(output: Path) -> Iterator[Journal]:
    """Hold an OUTPUT that a run has filled; a folder whose name was mistyped does not become one."""
    output = resolved(output)
    with Journal(output, read_only=True):
        pass
    with hold(output), Journal(output) as journal:
        yield journal


def _remove(journal: Journal, place: str) -> tuple[bool, str]:
    """Remove an output; return whether it was there, and why it still is."""
    name = unescape(place)
    try:
        shelf.remove(journal.output, name)
    except FileNotFoundError:
        return False, ""
    except OSError as error:
        return True, words(error)
    shelf.remove_empty(journal.output, name.rpartition("/")[0])
    return True, ""


class Judged(NamedTuple):
    """What came of a person's word on items, by key; with the reason where nothing did."""

    taken: list[str]
    left: list[tuple[str, str]]
    stuck: list[tuple[str, str]]


def reject(output: Path, paths: Sequence[Path], *, undo: bool = False) -> Judged:
    """Say of items that nobody wants them, or that somebody does.

    An output goes unless somebody has changed it. An item that is wanted again is done by the next run, or is as it was
    where its output still lies there.

    Args:
        output: OUTPUT.
        paths: outputs (inside OUTPUT, or relative to it) or sources as the manifest names them.
        undo: they are wanted again.

    Raises:
        InputError: one is nothing that is known.
        OutputError: no run has written to `output`.
    """
    judged = Judged([], [], [])
    with _changing(output) as journal:
        output = journal.output
        finish_moves(journal)
        outputs = Outputs(output)
        keys = dict.fromkeys(_key(journal, path, undo=undo) for path in paths)
        known = journal.known(list(keys))
        for key in keys:
            if key not in known:
                _reject_undone(journal, key)
                judged.taken.append(key)
                continue
            row = known[key]
            state = outputs.look(row, sure=True).state
            if undo:
                _take_back(journal, row, state, judged)
            elif is_unwanted(row):
                judged.left.append((key, "it was rejected before"))
            else:
                _reject(journal, row, state, judged)
        write_manifest(journal, output)
    return judged


def _reject(journal: Journal, row: Known, state: State, judged: Judged) -> None:
    if row.output and state is State.OURS:
        _, why = _remove(journal, row.output)
        if why:
            judged.stuck.append((row.key, why))
            return
    with journal.transaction():
        journal.mark(row.key, Status.REJECTED, _NOT_WANTED)
    judged.taken.append(row.key)


def _take_back(journal: Journal, row: Known, state: State, judged: Judged) -> None:
    if not is_unwanted(row):
        judged.left.append((row.key, f"it is {row.status}, and was not rejected"))
    elif row.cause == Cause.BY_HINT:
        judged.left.append((row.key, "a hint rejects it: take that out of hints.toml"))
    else:
        with journal.transaction():
            if row.output and state is not State.MISSING and row.was:
                journal.unmark(row.key)
            else:
                journal.forget([row.key])
        judged.taken.append(row.key)


def drop_rejected(journal: Journal) -> list[tuple[str, str]]:
    """Remove the outputs of what hints reject, as `reject` does; after the plan that says so was written.

    Returns:
        What cannot be removed, and why.
    """
    outputs, stuck = Outputs(journal.output), []
    for row in journal.of_status(Status.REJECTED):
        if row.cause == Cause.BY_HINT and row.output and outputs.look(row, sure=True).state is State.OURS:
            _, why = _remove(journal, row.output)
            stuck += [(row.output, why)] if why else []
    return stuck


def _reject_undone(journal: Journal, key: str) -> None:
    """Give a source that no run has done, or that was taken back since, the row that keeps runs from it."""
    run, source = journal.last_run(), _source(journal, key)
    if run is None or source is None:
        raise InputError(f"{key}: its source is gone.")
    try:
        status, sha256 = source.stat(), files.sha256(source)
        found = examine(Found(str(source), unescape(key), key, None, status.st_size, status.st_mtime_ns))
    except OSError as error:
        raise InputError(f"{source} cannot be read: {words(error)}.") from None
    seen = Seen(source_size=found.size, source_mtime_ns=found.mtime_ns, source_sha256=sha256)
    result = Result(key, Status.REJECTED, reason=_NOT_WANTED, seen=seen)
    journal.record(result, kind=found.kind or Kind.OTHER, fingerprint="", run_id=run.run_id)


def _source(journal: Journal, key: str) -> Path | None:
    """Return where the source of this key lies in the last run's INPUTs; None where there is no such file."""
    run, place = journal.last_run(), unescape(key)
    roots = known_places(run.inputs, journal.output) if run else []
    if not roots or not inside.is_inside(place):
        return None
    source = source_path(roots, place)
    return source if source.is_file() else None


def _key(journal: Journal, path: Path, *, undo: bool) -> str:
    """Return the key of what goes by a path: of an item, or of a source that none has been made of yet."""
    there = shelf.of(journal.output)
    root = there.address if there else journal.output.absolute()
    whole = path.absolute()
    place = "/".join(whole.parts[len(root.parts) :]) if whole.is_relative_to(root) else str(path)
    named = (*sorted(journal.owners(place)), escape(str(path)), escape(place))
    keys = list(dict.fromkeys(chain(named, keys_of(path, reversed(journal.runs().values()), journal.output))))
    for key in keys:
        if journal.row(key) is not None:
            return key
    for key in () if undo else keys:
        if _source(journal, key) is not None:
            return key
    raise InputError(f"{path}: no item of {shelf.name(journal.output)} is called so, and none has such an output.")

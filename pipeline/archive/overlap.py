"""An OUTPUT and its INPUTs over the years: a part of one, or more around it, would be mirrored to other places."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath

from pipeline.archive.journal import Journal
from pipeline.archive.places import labels
from pipeline.archive.spelling import unescape
from pipeline.ground.errors import OutputError
from pipeline.ground.storage import located


def refuse_overlap(journal: Journal, inputs: Sequence[str]) -> None:
    """Make sure that what earlier runs made would be called now as it was called then.

    INPUTs that have nothing to do with each other may share an OUTPUT, and one may be added to several.

    Args:
        journal: of OUTPUT.
        inputs: as `input_spelling` gives them.

    Raises:
        OutputError: a source would be known under two names, and have two outputs.
    """
    here_now = _paths(inputs)
    now = _places(here_now)
    clashes: dict[tuple[str, ...], tuple[PurePath, PurePath] | None] = {tuple(inputs): None}  # each looked at once
    for run in journal.runs().values():
        if run.inputs not in clashes:
            before = _paths(run.inputs)
            clashes[run.inputs] = _clash(now, _places(before)) if _meet(here_now, before) else None
        pair = clashes[run.inputs]
        if pair and journal.has_made(run.run_id):
            here, there = pair
            raise OutputError(
                f"{journal.output} was filled from {', '.join(run.inputs)}; {here} is {_relation(here, there)}: its "
                "pictures would lie there twice. Name the same INPUTs again, or give another OUTPUT."
            )


def _paths(inputs: Sequence[str]) -> list[Path]:
    return [located(unescape(each)) for each in inputs]


def _meet(some: Sequence[Path], others: Sequence[Path]) -> bool:
    """Tell whether one lies in another: only then need a storage be asked, which may be gone by now."""
    return any(one.is_relative_to(other) or other.is_relative_to(one) for one in some for other in others)


def _places(paths: Sequence[Path]) -> dict[PurePath, str]:
    """Return what the things in each INPUT are called before their path in it; "" for the only folder."""
    if len(paths) == 1 and not paths[0].is_file():
        return {paths[0]: ""}
    return dict(zip(paths, labels(paths), strict=True))


def _clash(now: dict[PurePath, str], then: dict[PurePath, str]) -> tuple[PurePath, PurePath] | None:
    """Return an INPUT of now and one of then that share something, and call it otherwise."""
    for here in now:
        for there in (here, *here.parents):
            if there in then and _name(here, here, now) != _name(here, there, then):
                return here, there
    for there in then:
        for here in there.parents:
            if here in now and _name(there, here, now) != _name(there, there, then):
                return here, there
    return None


def _name(path: PurePath, root: PurePath, places: dict[PurePath, str]) -> PurePath:
    return PurePath(places[root]) / path.relative_to(root)


def _relation(here: PurePath, there: PurePath) -> str:
    if here == there:
        return "named differently now, alone or beside others"
    return f"a part of {there}" if here.is_relative_to(there) else f"around {there}"

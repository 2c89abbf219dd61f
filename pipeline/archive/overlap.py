"""An OUTPUT and its INPUTs over the years: a part of one, or more around it, would be mirrored to other places."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath

from pipeline.archive.journal import Journal
from pipeline.archive.places import labels
from pipeline.archive.spelling import unescape
from pipeline.ground.errors import OutputError


def refuse_overlap(journal: Journal, inputs: Sequence[str]) -> None:
    """Make sure that what earlier runs made would be called now as it was called then.

    INPUTs that have nothing to do with each other may share an OUTPUT, and one may be added to several.

    Args:
        journal: of OUTPUT.
        inputs: as `input_spelling` gives them.

    Raises:
        OutputError: a source would be known under two names, and have two outputs.
    """
    now = _places(inputs)
    for run in journal.runs().values():
        if run.inputs == tuple(inputs) or not (pair := _clash(now, _places(run.inputs))):
            continue
        if journal.has_made(run.run_id):
            here, there = pair
            raise OutputError(
                f"{journal.output} was filled from {', '.join(run.inputs)}; {here} is {_relation(here, there)}: its "
                "pictures would lie there twice. Name the same INPUTs again, or give another OUTPUT."
            )


def _places(inputs: Sequence[str]) -> dict[PurePath, str]:
    """Return what the things in each INPUT are called before their path in it; "" for the only folder."""
    paths = [Path(unescape(each)) for each in inputs]
    if len(paths) == 1 and not paths[0].is_file():
        return {paths[0]: ""}
    return dict(zip(paths, labels(paths), strict=True))


def _clash(now: dict[PurePath, str], then: dict[PurePath, str]) -> tuple[PurePath, PurePath] | None:
    for here, label in now.items():
        for there, other in then.items():
            deepest = max(here, there, key=lambda path: len(path.parts))
            both = deepest.is_relative_to(here) and deepest.is_relative_to(there)
            if both and _name(deepest, here, label) != _name(deepest, there, other):
                return here, there
    return None


def _name(path: PurePath, root: PurePath, label: str) -> PurePath:
    return PurePath(label) / path.relative_to(root)


def _relation(here: PurePath, there: PurePath) -> str:
    if here == there:
        return "named differently now, alone or beside others"
    return f"a part of {there}" if here.is_relative_to(there) else f"around {there}"

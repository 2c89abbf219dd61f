"""Sources of the same bytes: coloured once, and the output copied for each of the others."""

from __future__ import annotations

from pipeline.ground import files, shelf
from pipeline.ground.errors import Cause, ItemError
from pipeline.ground.items import Filed, Result, Seen, Status, Unit
from pipeline.media.medium import Tools


def look(unit: Unit, tools: Tools) -> Result:
    """Hash a source; the driver goes by `seen.source_sha256` of the result."""
    return Result(unit.key, Status.DONE, seen=Seen(source_sha256=files.sha256(unit.source)))


def repeat(unit: Unit, tools: Tools) -> Result:
    """Copy the output of the unit's twin.

    Raises:
        ItemError: that one is not as it was written any more.
    """
    twin = unit.twin
    assert twin is not None, "a repeat has a twin"
    root, place = tools.job.output, twin.filed.place
    if shelf.sha256(root, place) != twin.filed.sha256:
        raise ItemError(f"the output of {twin.key}, its double, was changed; the next run makes it anew", Cause.SYSTEM)
    times = unit.source.stat() if tools.settings.keep_times else None
    if tools.job.shelf is None:
        filed = tools.seen(Filed(unit.output, *files.repeat(place, unit.output, tools.room, times)))
    else:
        with shelf.as_file(root, place) as made:
            filed = tools.stand(unit, unit.output, lambda to: files.copy_bytes(made, to, tools.room))
    reason = f"same as {twin.key}; {twin.reason}".removesuffix("; ")
    return Result(
        unit.key,
        Status.DONE,
        Cause.SAME,
        reason,
        filed=filed,
        seen=twin.seen,
        model=twin.model,
        engine=twin.engine,
        metadata=twin.metadata,
    )

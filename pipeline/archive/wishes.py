"""What a plan goes by besides the files and the journal, and what a changed setting can mend."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pipeline.archive.hints import HintBook
from pipeline.archive.journal import Known
from pipeline.archive.row import hints_in, marked
from pipeline.archive.schema import Run
from pipeline.ground.errors import OF_THE_SYSTEM, Cause
from pipeline.ground.hints import own_mark
from pipeline.ground.items import Kind

# The settings that may undo a failure: where one has changed since, the item is tried again.
REMEDIES: Final[Mapping[str, tuple[str, ...]]] = {
    Cause.TOO_LARGE: ("max_megapixels",),
    Cause.FORMAT_LIMIT: ("format", "container", "encoder", "film_quality", "width", "deinterlace"),
    Cause.TIME: ("item_timeout",),
    Cause.DAMAGED: ("on_damage",),
    Cause.MEMORY: ("jobs", "max_megapixels", "max_memory"),
}
# What another version of the program may be able to do.
_OF_A_VERSION: Final = frozenset({Cause.NOT_SUPPORTED, Cause.FAULT})
# What may have passed since, or what the plan sees for itself.
_PASSING: Final = OF_THE_SYSTEM | {Cause.IN_THE_WAY, Cause.LIBRARY, Cause.MODEL}


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a plan goes by besides the files and the journal.

    Attributes:
        inputs: INPUTs of this run as `input_spelling` gives them: rows of others are left alone.
        settings: by name; compared with those of the runs that recorded failures.
        fingerprints: by kind, those under which an output is as it would be made now.
        listed: by key, the fingerprints of single items of which a person has said something.
        version: of the program.
        workable: kinds that can be worked on here.
        unworkable: what is said of the others.
        verify: compare finished sources by sha256 (reads them all) instead of time.
        retry_failed: failed and crashed items are to be done again.
        replace_edited: so are outputs that somebody has changed.
        accept_gone: most sources may be gone.
        hints: what a person says of single pictures; filled by the plan.
        source_of: from a key to where the source lies.
        series: approved pictures steer the others of their folder.
        deleted_outputs: "redo" or "rejected": what is done with an output that is not there any more.
    """

    inputs: tuple[str, ...]
    settings: Mapping[str, Any]
    fingerprints: Mapping[Kind, tuple[str, ...]]
    version: str
    workable: frozenset[Kind]
    unworkable: str
    verify: bool = False
    retry_failed: bool = False
    replace_edited: bool = False
    accept_gone: bool = False
    deleted_outputs: str = "redo"
    series: bool = False
    source_of: Callable[[str], Path] = Path
    listed: Mapping[str, Mapping[Kind, tuple[str, ...]]] = field(default_factory=dict)
    hints: HintBook = field(default_factory=HintBook)

    def are_met_by(self, row: Known, kind: Kind) -> bool:
        """Tell whether an output is as it would be made now."""
        wanted = (self.listed.get(row.key, self.fingerprints) if self.listed else self.fingerprints).get(kind, ())
        mark = self.hints.mark(row.key, kind)
        return row.fingerprint in ([marked(each, mark) for each in wanted] if mark else wanted)

    def approve(self, row: Known, kind: Kind) -> bool:
        """Tell whether a person has approved of an output that was made under the hints of now."""
        approved = self.hints.of(row.key).decision == "approved"
        # One that was steered by others, and approved since, steers now, and is as it was wanted.
        return approved and own_mark(hints_in(row.fingerprint)) == own_mark(self.hints.mark(row.key, kind))

    def may_mend(self, row: Known, run: Run | None) -> bool:
        """Tell whether what failed may succeed now; `run` recorded it."""
        if self.retry_failed or row.cause in _PASSING:
            return True
        if run is None:
            return False
        if row.cause in _OF_A_VERSION:
            return run.version != self.version
        names = REMEDIES.get(row.cause, ())
        return any(run.settings.get(name) != self.settings.get(name) for name in names)

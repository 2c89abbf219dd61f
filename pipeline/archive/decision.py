"""What is decided of one thing that was found, or that is gone."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from pipeline.archive.discover import Found
from pipeline.archive.journal import Known
from pipeline.archive.names import Names
from pipeline.ground.errors import Cause
from pipeline.ground.items import Forecast, Result, Seen, Status, StoodAt


class Action(StrEnum):
    """What is to be done with one thing that was found."""

    TODO = "todo"  # by a worker
    RECORD = "record"  # known without one: `Decision.result`
    DONE = "done"  # finished before
    KEEP = "keep"  # settled before, and not tried again
    MARK = "mark"  # its row stays and gets a status: `Decision.result`
    MOVE = "move"  # its source was renamed: `Decision.result` has the new key
    RENEW = "renew"  # renamed, and to be made anew under the new key
    FORGET = "forget"  # its row says nothing any more
    HOLD = "hold"  # another source has its key, a person the word: decided when all that is there is known


class Because(StrEnum):
    """What a decision hangs on, where the program goes by it; as `Decision.why` begins."""

    OTHER = ""
    SETTINGS = "settings changed"
    SOURCE = "source changed"
    HINTS = "hints changed"
    NAME = "its output has another name now"
    EDITED = "edited"  # somebody has changed its output
    SAME = "same"  # as another source: its output is copied


class Decision(NamedTuple):
    """What is to be done with one thing that was found, or that the journal knows and is gone.

    Attributes:
        found: it; for what is gone, only its key and kind.
        names: where its output goes, of what is to be done; may be None for anything else.
        action: see `Action`.
        why: a phrase for a person, such as "new", "source changed", "failed before: ...".
        result: what is recorded.
        adopt: the time of its output, where times are to be taken over: the contents are the same.
        forecast: of a film that is to be done, what it will take; put in by the run.
        because: what it hangs on, for the program.
        stood: of what is to be done, see `Unit`.
    """

    found: Found
    names: Names | None
    action: Action
    why: str
    result: Result | None = None
    adopt: int | None = None
    forecast: Forecast | None = None
    because: Because = Because.OTHER
    stood: StoodAt = (None, None)


def settled(found: Found, status: Status, cause: Cause, reason: str) -> Decision:
    """Return the decision on what needs no worker."""
    seen = Seen(source_size=found.size, source_mtime_ns=found.mtime_ns)
    result = Result(found.key, status, cause, reason, seen=seen)
    why = reason if cause is Cause.IN_THE_WAY else f"{status}: {reason}"
    return Decision(found, None, Action.RECORD, why, result)


def anew(found: Found, names: Names | None, because: Because) -> Decision:
    """Return the decision that a worker does again what was settled."""
    return Decision(found, names, Action.TODO, str(because), because=because)


def marked(found: Found, row: Known, status: Status, reason: str, cause: Cause = Cause.NONE) -> Decision:
    """Return the decision that a row stays and gets a status."""
    because = Because.EDITED if status is Status.EDITED else Because.OTHER
    if (row.status, row.reason) == (status, reason):
        return Decision(found, None, Action.KEEP, f"{status}: {reason}", because=because)
    result = Result(found.key, status, cause, reason)
    return Decision(found, None, Action.MARK, f"{status}: {reason}", result, because=because)

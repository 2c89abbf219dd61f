"""What does units: a net, and the media that use it. The same object works in this process or in any other."""

from __future__ import annotations

import stat
import time
from dataclasses import replace

from pipeline.ground.errors import (
    Cause,
    ColorizeError,
    Crowded,
    EngineError,
    ItemError,
    ModelError,
    OutputError,
    out_of_memory,
)
from pipeline.ground.files import lost_folder, words
from pipeline.ground.items import Alone, Answer, Halt, Result, Seen, Status, Unit, Verb
from pipeline.media.medium import Job, Tools
from pipeline.media.table import work
from pipeline.nets.net import Net
from pipeline.run.fetching import AtHand, at_hand

CHANGED = "it was changed while it was colorized; the next run takes it up anew"
FOLDER_GONE = "its folder is gone, or empty all of a sudden"
UNDATED = "its source's time could not be set"


class Worker:
    """A job and its net, which is loaded once."""

    def __init__(self, job: Job, net: Net | None = None) -> None:
        """Load the net, unless it is here already; one thread for OpenCV, since there is a worker for each core.

        Raises:
            ModelError: the net cannot be loaded.
        """
        import cv2

        cv2.setNumThreads(1)
        self._job = job
        self._tools = Tools(job, net) if net is not None else Tools.loaded(job)

    def do(self, unit: Unit) -> Answer:
        """Do one unit; whatever goes wrong with it becomes the answer, never an exception."""
        began = time.perf_counter()
        seen = Seen()
        try:
            with at_hand(unit, self._job) as held:
                seen = _look(held)
                result = self._work(held.unit)
                held.judge(result)
            answer = replace(
                result,
                seen=replace(result.seen, source_size=seen.source_size, source_mtime_ns=seen.source_mtime_ns),
            )
        except OutputError as error:
            return Halt(error)
        except ModelError as error:
            if not unit.hints.model:
                return Halt(error)
            answer = failure(unit.key, _of_its_own(unit, error), seen)
        except Crowded:
            return Alone()
        except FileNotFoundError as error:
            answer = failure(unit.key, error, seen)
            if lost_folder(unit.source):
                answer = Result(unit.key, Status.FAILED, Cause.FOLDER_GONE, FOLDER_GONE)
        except Exception as error:
            answer = failure(unit.key, error, seen)
        return _noted(replace(answer, seconds=round(time.perf_counter() - began, 4)))

    def _work(self, unit: Unit) -> Result:
        try:
            return work(unit, self._tools.wished(unit))
        except EngineError:
            # An engine may have lost its device or its memory; a new one tells whether it is gone for good.
            self._tools = Tools.loaded(self._job)
            return work(unit, self._tools.wished(unit))


def _noted(answer: Result) -> Result:
    """Say of an output what OUTPUT did not take of it."""
    if answer.filed is None or answer.filed.dated:
        return answer
    return replace(answer, metadata="; ".join(filter(None, (answer.metadata, UNDATED))))


def _of_its_own(unit: Unit, error: ModelError) -> ItemError:
    """Say of a net that was chosen for this item alone that it cannot be used: the others do without it."""
    return ItemError(f"the net {unit.hints.model} of its hints: {str(error).rstrip('.')}", Cause.MODEL)


def _look(held: AtHand) -> Seen:
    """Look at the source as it is now; raises `ItemError` where it is no file or, of an item in pieces, another."""
    unit, found = held.unit, held.found
    if not stat.S_ISREG(found.st_mode):  # opening a named pipe would wait for ever
        raise ItemError("no longer a file: something else has taken its name", Cause.SYSTEM)
    if unit.verb not in (Verb.MAKE, Verb.LOOK) and (found.st_size, found.st_mtime_ns) != (unit.size, unit.mtime_ns):
        raise ItemError(CHANGED, Cause.SYSTEM)
    return Seen(source_size=found.st_size, source_mtime_ns=found.st_mtime_ns)


def failure(key: str, error: Exception, seen: Seen) -> Result:
    """Return the result of a unit that ended with an exception."""
    if isinstance(error, FileNotFoundError):
        return Result(key, Status.VANISHED, Cause.SYSTEM, "the file was found, then gone")
    if isinstance(error, ItemError):
        return Result(key, Status.FAILED, error.cause, str(error), seen=seen)
    if isinstance(error, ColorizeError):  # settings that do not fit this very item
        return Result(key, Status.FAILED, Cause.FORMAT_LIMIT, str(error).rstrip("."), seen=seen)
    if isinstance(error, PermissionError):
        return Result(key, Status.FAILED, Cause.SYSTEM, "no permission to read the file", seen=seen)
    if out_of_memory(error):
        reason = "not enough memory for a picture of this size; try fewer --jobs"
        return Result(key, Status.FAILED, Cause.MEMORY, reason, seen=seen)
    if isinstance(error, OSError):
        return Result(key, Status.FAILED, Cause.SYSTEM, f"reading failed: {words(error)}", seen=seen)
    return Result(
        key, Status.FAILED, Cause.FAULT, f"a fault of the program: {type(error).__name__}: {error}", seen=seen
    )

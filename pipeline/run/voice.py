"""How a run speaks while it works: sentences on stderr, and events for whoever listens (a log, a program)."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.archive.spelling import printable
from pipeline.ground.errors import ColorizeError
from pipeline.ground.items import PROBLEMS, Result
from pipeline.run.summary import Summary


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence for a person."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Begun:
    """The plan is drawn and work begins.

    Attributes:
        total: items that are to be done.
        engine: such as "opencv/float32".
        output: OUTPUT.
    """

    total: int
    engine: str
    output: Path


@dataclass(frozen=True, slots=True)
class Ended:
    """An item has its outcome.

    Attributes:
        result: what became of it.
        count, total: items of this run that have an outcome, and all of them; 0 and 0 of those that fail before any
            work begins.
        problems: how many of `count` failed or crashed.
    """

    result: Result
    count: int = 0
    total: int = 0
    problems: int = 0

    @property
    def problem(self) -> bool:
        """Whether it failed or crashed."""
        return self.result.status in PROBLEMS


@dataclass(frozen=True, slots=True)
class Finished:
    """The run ended in good order, all done or stopped."""

    summary: Summary


@dataclass(frozen=True, slots=True)
class Broken:
    """The run ended early."""

    error: ColorizeError


Event = Said | Begun | Ended | Finished | Broken
Listener = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Voice:
    """Where what a run has to say goes.

    Attributes:
        aloud: sentences go to stderr, as text.
        as_json: stderr holds JSON lines, which a listener prints; what a signal's handler says is one, too.
        listeners: told of each event, in this process, one after the other; what one of them raises ends the run.
    """

    aloud: bool = True
    as_json: bool = False
    listeners: tuple[Listener, ...] = ()

    def tell(self, event: Event) -> None:
        """Tell the listeners."""
        for listener in self.listeners:
            listener(event)

    def say(self, sentence: str) -> None:
        """Say a sentence, on a line of its own."""
        if self.aloud:
            say(sentence)
        self.tell(Said(sentence))

    def fail(self, result: Result) -> None:
        """Say of an item that it failed before any work began."""
        if self.aloud:
            say(problem_line(result))
        self.tell(Ended(result))

    def interrupt(self, sentence: str) -> None:
        """Say a sentence out of a signal's handler: what it came in the middle of may hold any lock."""
        line = json.dumps({"event": "said", "sentence": sentence}) if self.as_json else f"\n{sentence}"
        if self.aloud or self.as_json:
            with contextlib.suppress(OSError):
                os.write(2, f"{line}\n".encode())


def say(sentence: str) -> None:
    """Print a line on stderr, where no bar is."""
    print(printable(sentence), file=sys.stderr, flush=True)


def problem_line(result: Result) -> str:
    """Return one line on an item that failed or crashed."""
    return f"{result.status}: {result.key}: {result.reason}"

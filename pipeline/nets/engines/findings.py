"""What trying the engines found, kept as JSON: when it was, and how busy others kept the machine meanwhile."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.ground.files import write_whole
from pipeline.nets.engine import Engine
from pipeline.nets.engines.busy import fair_limit


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of one engine.

    Attributes:
        engine: what was tried.
        passed: whether it may be used.
        verdict: in words, for `colorize doctor`.
        milliseconds: one prediction with one thread; None where it did not run.
        mean, high, most: mean, 99.9th percentile and maximum of the ab difference from the reference; None likewise.
    """

    engine: Engine
    passed: bool
    verdict: str
    milliseconds: float | None = None
    mean: float | None = None
    high: float | None = None
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """All trials of one net here.

    Attributes:
        trials: what became of each engine.
        when: seconds since 1970 at which they ended.
        busy: the share of the machine that others used meanwhile, 0..1, at the trial where it was largest.
    """

    trials: tuple[Trial, ...]
    when: float
    busy: float

    @property
    def fair(self) -> bool:
        """Whether the times may be believed: others left a core, or there was nothing to choose between."""
        return self.busy <= fair_limit() or sum(trial.passed for trial in self.trials) <= 1

    def described(self) -> dict[str, Any]:
        """Return when, busy and fair, for JSON; the time in ISO 8601, UTC."""
        when = datetime.fromtimestamp(self.when, UTC).isoformat(timespec="seconds")
        return {"when": when, "busy": round(self.busy, 2), "fair": self.fair}


def recall(path: Path, circumstances: dict[str, Any]) -> Findings | None:
    """Return what was found under these circumstances; None: nothing, or it cannot be read, or says less than now."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["circumstances"] != json.loads(json.dumps(circumstances)):
            return None
        trials = tuple(Trial(**each | {"engine": Engine(**each["engine"])}) for each in found["trials"])
        return Findings(trials, float(found["when"]), float(found["busy"])) if trials else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None  # not there, or damaged: the check is done anew


def remember(path: Path, circumstances: dict[str, Any], findings: Findings) -> None:
    """Keep what was found; a cache that cannot be written costs time, nothing else."""
    text = json.dumps({"circumstances": circumstances, **asdict(findings)}, indent=1)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text)

"""The runs of the journal: when each began, over what, under which settings, and how it ended."""

from __future__ import annotations

import json
import os
import socket
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.archive.database import Database
from pipeline.archive.schema import Run
from pipeline.archive.spelling import escape

# Runs whose failures the exit code of one that came to its end has told: its own, or that of a later one.
_TOLD = "SELECT run_id FROM runs WHERE started_at <= (SELECT max(started_at) FROM runs WHERE exit_code IN (0, 3))"


def now() -> str:
    """Return the time as ISO 8601 in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def input_spelling(inputs: Sequence[Path]) -> tuple[str, ...]:
    """Return the real paths of INPUTs in valid UTF-8, sorted: what two runs over the same INPUTs have in common."""
    return tuple(sorted({escape(str(path.resolve())) for path in inputs}))


class Runs(Database):
    """The part of the `Journal` that knows runs."""

    def start_run(self, *, inputs: Sequence[Path], settings: Mapping[str, Any], fingerprint: str, version: str) -> str:
        """Write that a run begins and return its id: the time it began and a few random digits."""
        run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:6]}"
        places = json.dumps(input_spelling(inputs))
        values = (run_id, now(), "", places, json.dumps(dict(settings)), fingerprint, socket.gethostname(), os.getpid())
        with self.speaking():
            self.db.execute("INSERT INTO runs VALUES (?,?,?,?,?,?,?,?,?,NULL,0)", (*values, version))
        return run_id

    def fact(self, name: str) -> str:
        """Return what was found of OUTPUT itself; empty where nothing was."""
        with self.speaking():
            found = self.db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return str(found[0]) if found else ""

    def put_fact(self, name: str, value: str) -> None:
        """Write what was found of OUTPUT itself."""
        with self.speaking():
            self.db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def facts(self, beginning: str) -> dict[str, str]:
        """Return the facts whose names begin so, by the rest of their names."""
        query = "SELECT substr(name, ?), value FROM facts WHERE substr(name, 1, ?) = ?"
        with self.speaking():
            return dict(self.db.execute(query, (len(beginning) + 1, len(beginning), beginning)).fetchall())

    def drop_fact(self, name: str) -> None:
        """Forget what was found of OUTPUT itself."""
        with self.speaking():
            self.db.execute("DELETE FROM facts WHERE name = ?", (name,))

    def planned(self, run_id: str, count: int) -> None:
        """Write how many items a run is to do."""
        with self.speaking():
            self.db.execute("UPDATE runs SET planned = ? WHERE run_id = ?", (count, run_id))

    def move_inputs(self, then: Sequence[str], now_at: Sequence[str]) -> None:
        """Let earlier runs have had their INPUTs where these lie now."""
        with self.speaking():
            self.db.execute("UPDATE runs SET inputs = ? WHERE inputs = ?", (json.dumps(now_at), json.dumps(then)))

    def finish_run(self, run_id: str, exit_code: int) -> None:
        """Write that a run ended in good order."""
        with self.speaking():
            self.db.execute(
                "UPDATE runs SET finished_at = ?, exit_code = ? WHERE run_id = ?", (now(), exit_code, run_id)
            )

    def runs(self) -> dict[str, Run]:
        """Return all runs by id, in the order in which they began, whatever the clock said."""
        with self.speaking():
            found = self.db.execute("SELECT * FROM runs ORDER BY rowid").fetchall()
        return {row[0]: _run(row) for row in found}

    def last_run(self) -> Run | None:
        """Return the run that began last, or None."""
        with self.speaking():
            found = self.db.execute("SELECT * FROM runs ORDER BY rowid DESC LIMIT 1").fetchone()
        return _run(found) if found else None

    def has_made(self, run_id: str) -> bool:
        """Tell whether an output of this run is kept."""
        query = "SELECT 1 FROM items WHERE run_id = ? AND status IN ('done', 'copied', 'edited') LIMIT 1"
        with self.speaking():
            return self.db.execute(query, (run_id,)).fetchone() is not None

    def untold_problems(self) -> int:
        """Return how many items failed since a run last came to its end: no exit code has told them."""
        query = (
            "SELECT count(*) FROM items WHERE status NOT IN "
            "('done', 'copied', 'vanished', 'edited', 'gone', 'rejected') "  # to the letter, for the index
            f"AND status IN ('failed', 'crashed') AND run_id NOT IN ({_TOLD})"
        )
        with self.speaking():
            return int(self.db.execute(query).fetchone()[0])

    def was_told(self, key: str, status: str, reason: str) -> bool:
        """Tell whether a run ended with an exit code that told this failure."""
        query = f"SELECT 1 FROM items WHERE key = ? AND status = ? AND reason = ? AND run_id IN ({_TOLD})"
        with self.speaking():
            return self.db.execute(query, (key, status, reason)).fetchone() is not None

    def worked(self, run_id: str) -> int:
        """Return how many items of a run went through a worker; what its plan settled at once is not counted."""
        query = "SELECT count(*) FROM items WHERE run_id = ? AND (seconds > 0 OR status = 'crashed')"
        with self.speaking():
            return int(self.db.execute(query, (run_id,)).fetchone()[0])

    def film_speed(self) -> float | None:
        """Return seconds of work a megapixel of film, from the films that were done here; None where none was."""
        query = (
            "SELECT sum(seconds), sum(1.0 * frames * width * height) / 1e6 FROM items "
            "WHERE kind = 'film' AND status = 'done' AND frames > 0 AND seconds > 0"
        )
        with self.speaking():
            seconds, megapixels = self.db.execute(query).fetchone()
        return float(seconds / megapixels) if megapixels else None

    def last_record(self, run_id: str) -> str:
        """Return when the last item of a run was recorded; empty if none was."""
        query = "SELECT coalesce(max(finished_at), '') FROM items WHERE run_id = ?"
        with self.speaking():
            return str(self.db.execute(query, (run_id,)).fetchone()[0])


def _run(row: tuple[Any, ...]) -> Run:
    run_id, started_at, finished_at, inputs, settings, *rest = row
    return Run(run_id, started_at, finished_at, tuple(json.loads(inputs)), json.loads(settings), *rest)

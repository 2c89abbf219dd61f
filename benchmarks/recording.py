"""What recording one more item costs by how many there are: `python -m benchmarks.recording FOLDER [COUNT...]`.

Journals of all sizes are filled first, then take their turns in one process, so that what else is on the machine meets
them alike. Sources of one size (as uncompressed scans have) and of sizes of their own. Times are the processor's.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from benchmarks.million import places
from pipeline.archive.claims import CLAIM
from pipeline.archive.journal import Journal
from pipeline.archive.row import COLUMNS, RECORD, row_of
from pipeline.ground.items import Filed, Kind, Result, Seen, Status

_COUNTS = (10_000, 100_000, 1_000_000)
_ROUNDS, _ITEMS = 8, 250
_OF_THE_RUN = {"kind": Kind.PHOTO, "fingerprint": "f" * 64, "run_id": "r"}


def _result(key: str, alike: bool) -> Result:
    digest = hashlib.sha256(key.encode()).hexdigest()
    size = 108 if alike else 10_000 + int(digest[-6:], 16)
    seen = Seen(size, 10**18, digest, "neutral", 0.5, 4000, 3000, 8)
    filed = Filed(key, 8, "b" * 64)
    return Result(key, Status.DONE, seen=seen, model="stub", engine="stub", seconds=0.001, filed=filed)


def filled(output: Path, count: int, alike: bool) -> tuple[Journal, Iterator[Result]]:
    """Return a journal that knows so many finished items, and what is to be recorded in it next."""
    output.mkdir(parents=True)
    journal = Journal(output)
    results = (_result(key, alike) for key in places(count + _ROUNDS * _ITEMS))
    waiting = list[Result]()
    journal.db.execute("PRAGMA cache_size = -131072")
    with journal.transaction():
        for number, each in enumerate(results):
            if number < count:
                row = row_of(each, output=each.key, finished_at="2026-01-01T00:00:00.000+00:00", **_OF_THE_RUN)  # type: ignore[arg-type]
                journal.db.execute(RECORD, [row[name] for name in COLUMNS])
            else:
                waiting.append(each)
            sizes = (each.seen.source_size, each.seen.source_mtime_ns) if waiting else (0, 0)
            journal.db.execute(CLAIM, (each.key, each.key, "", "r", bool(waiting), *sizes, "photo", ""))
    journal.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    journal.close()
    return Journal(output), iter(waiting)


def told(folder: Path, counts: list[int], alike: bool) -> Iterator[str]:
    """Yield what an item costs, by count."""
    journals = {count: filled(folder / f"{count}", count, alike) for count in counts}
    cost: dict[int, list[float]] = {count: [] for count in counts}
    for _ in range(_ROUNDS):
        for count, (journal, results) in journals.items():
            began = time.process_time()
            for _, result in zip(range(_ITEMS), results, strict=False):
                journal.record(result, **_OF_THE_RUN)  # type: ignore[arg-type]
            cost[count].append((time.process_time() - began) / _ITEMS * 1e6)
    for count, found in cost.items():
        journals[count][0].close()
        yield f"{count:9,}, {'one size' if alike else 'all sizes'}: {median(found):4.0f} us, least {min(found):4.0f}"
        shutil.rmtree(folder / f"{count}")


def main() -> None:
    """Print a table."""
    for alike in (True, False):
        for line in told(Path(sys.argv[1]), [int(each) for each in sys.argv[2:]] or list(_COUNTS), alike):
            print(line, flush=True)


if __name__ == "__main__":
    main()

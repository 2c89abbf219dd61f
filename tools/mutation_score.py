"""Break the core rooms in a thousand places, and say how many of them the tests notice: the mutation score.

Which rooms and which tests: `[tool.mutmut]` in pyproject.toml. It takes half an hour on two cores that are free; with
names, such as "pipeline.archive.pieces.*", less.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

LEAST = 90  # percent
# Of the settings only what decides whether an archive is done anew; the rest is words.
NAMES = (
    "pipeline.archive.*",
    "pipeline.colour.*",
    "pipeline.run.*",
    "pipeline.ground.settings.x_fingerprint*",
    "pipeline.ground.settings.x_treated_as*",
    "pipeline.ground.settings.x__hash*",
    "pipeline.ground.settings.x__counting*",
)
_LINE = re.compile(r"\s*(pipeline\.\S+)\.(x\S+): (\w[\w ]*)")
_MEMORY = Path("/dev/shm")  # a disk for the tests' archives, whose journals wait for it at every step
_FOUND = {"killed", "timeout", "suspicious", "segfault"}


def main() -> int:
    """Run mutmut, print the score of each room and what survived; fail under `LEAST`."""
    checkout = Path(__file__).resolve().parent.parent
    shutil.rmtree(checkout / "mutants", ignore_errors=True)
    mutmut = [sys.executable, "-m", "mutmut"]
    run = subprocess.run(
        [*mutmut, "run", *(sys.argv[1:] or NAMES)],
        cwd=checkout,
        env=os.environ | ({"TMPDIR": str(_MEMORY)} if _MEMORY.is_dir() else {}),
        capture_output=True,
        text=True,
        check=False,
    )
    listed = subprocess.run(
        [*mutmut, "results", "--all", "true"], cwd=checkout, capture_output=True, text=True, check=False
    )
    rooms: dict[str, Counter[bool]] = defaultdict(Counter)
    survivors = []
    for line in listed.stdout.splitlines():
        told = _LINE.fullmatch(line)
        if told is None or told[3] == "not checked":
            continue
        noticed = told[3] in _FOUND
        rooms[told[1]][noticed] += 1
        if not noticed:
            survivors.append(f"{told[1]}.{told[2]}")
    if not rooms:
        print(run.stdout[-3000:], run.stderr[-3000:], sep="\n", file=sys.stderr)
        return 1
    print(*survivors, sep="\n")
    for room, counts in sorted(rooms.items()):
        print(f"{room:<30} {counts[True]:>4} of {counts.total():>4} noticed")
    all_rooms = sum(rooms.values(), Counter())
    score = 100 * all_rooms[True] / all_rooms.total()
    print(
        f"mutation score {score:.1f} % ({all_rooms[True]} of {all_rooms.total()}); `mutmut show NAME` shows a survivor"
    )
    return int(score < LEAST)


if __name__ == "__main__":
    raise SystemExit(main())

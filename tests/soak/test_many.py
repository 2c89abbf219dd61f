"""What many known items cost a run that finds nothing to do: made rows, and files that are links to a few."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import cv2
import pytest

from benchmarks.million import link_all, places
from pipeline.archive.journal import Journal
from pipeline.archive.manifest import write_manifest
from pipeline.archive.places import check_places
from pipeline.archive.row import COLUMNS, RECORD
from pipeline.ground.items import Kind
from pipeline.run.context import Context
from pipeline.run.engine import settle, settled_for
from tests.conftest import SETTINGS, environment, landscape

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

MANY = 100_000
MILLION = 1_000_000

# The processor's time, not the clock's: other work on this machine says nothing of the program.
PROGRAM = """
import json, sys, time
from pathlib import Path
from pipeline.ground.settings import Settings
from pipeline.run import driver
from pipeline.run.voice import Ended, Voice
began, on_the_clock, ended = time.process_time(), time.monotonic(), []

def hear(event):
    if isinstance(event, Ended):
        ended.append((time.process_time() - began, time.monotonic() - on_the_clock))

settings = Settings(engine="opencv", precision="float32", executor="serial")
summary = driver.run_archive(
    [Path(sys.argv[1])], Path(sys.argv[2]), settings, quiet=True, voice=Voice(listeners=(hear,))
)
lines = Path("/proc/self/status").read_text().splitlines()
peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
first, first_on_the_clock = ended[0] if ended else (0.0, 0.0)
told = {"seconds": time.process_time() - began, "first": first, "first_on_the_clock": first_on_the_clock, "peak": peak}
print(json.dumps(told | {"worked": summary.worked, **summary.counts}))
"""


def fill(scans: Path, colour: Path, count: int) -> None:
    """Make INPUT, OUTPUT and journal of an archive that is finished."""
    source, output = link_all(scans, count), link_all(colour, count, b"c")
    net, choice = settle(SETTINGS)
    with Journal(colour) as journal:
        engine = settled_for(journal, choice, SETTINGS)
        context = Context([scans], colour, check_places([scans], colour), SETTINGS, net, engine)
        made = context.fingerprint(Kind.PHOTO)
        asked = asdict(SETTINGS) | {"engine": engine.name, "precision": engine.precision}
        with journal.transaction():
            run_id = journal.start_run(inputs=[scans], settings=asked, fingerprint=made, version="0")
            same = dict.fromkeys(COLUMNS, "") | {
                "kind": "photo", "status": "done", "verdict": "neutral", "chroma": 0.5, "doubt": None, "unsure": 0,
                "width": 4000, "height": 3000, "bits": 8, "frames": 0, "model": "embedded", "engine": str(engine),
                "seconds": 0.5, "attempts": 1,
                "source_size": source.st_size, "source_mtime_ns": source.st_mtime_ns, "source_sha256": "a" * 64,
                "output_size": output.st_size, "output_mtime_ns": output.st_mtime_ns, "output_sha256": "b" * 64,
                "finished_at": "2026-01-01T00:00:00.000+00:00", "run_id": run_id, "fingerprint": made,
            }  # fmt: skip
            rows = ([(same | {"key": key, "output": key})[name] for name in COLUMNS] for key in places(count))
            journal.db.executemany(RECORD, rows)
            claims = ((key, key, run_id) for key in places(count))
            journal.db.executemany("INSERT INTO claims VALUES (?, ?, '', ?, 0, 0, 0, 'photo', '')", claims)
        journal.finish_run(run_id, 0)
        write_manifest(journal, colour)


def run_over(folder: Path) -> dict[str, float]:
    """Run over an archive in a process of its own; return what it told of itself."""
    words = [sys.executable, "-c", PROGRAM, str(folder / "scans"), str(folder / "colour")]
    run = subprocess.run(words, env=environment(), capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(run.stdout.splitlines()[-1])
    return found


def again(folder: Path, count: int) -> dict[str, float]:
    """Run over what is finished; the second of two runs, since the first notes that the manifest is drawn."""
    fill(folder / "scans", folder / "colour", count)
    run_over(folder)
    found = run_over(folder)
    assert (found["done"], found["worked"]) == (count, 0)
    return found


def test_a_run_that_finds_nothing_to_do_costs_the_same_for_each_item_and_hardly_any_memory(tmp_path: Path) -> None:
    few, many = MANY // 10, MANY
    small, large = again(tmp_path / "few", few), again(tmp_path / "many", many)
    each = (large["seconds"] - small["seconds"]) / (many - few)
    print(f"{each * 1e6:.0f} us an item; peak {small['peak'] / 1024:.0f} and {large['peak'] / 1024:.0f} MiB")
    assert each < 60e-6, "a minute for a million"
    assert (large["peak"] - small["peak"]) * 1024 < 40 * many


def test_the_first_picture_beside_a_million_known_ones_comes_within_half_a_minute(tmp_path: Path) -> None:
    fill(tmp_path / "scans", tmp_path / "colour", MILLION)
    (tmp_path / "scans" / "new.jpg").write_bytes(cv2.imencode(".jpg", landscape(1))[1].tobytes())
    found = run_over(tmp_path)
    print(
        f"first picture after {found['first']:.1f} s ({found['first_on_the_clock']:.1f} s on the clock), "
        f"all after {found['seconds']:.1f} s; peak {found['peak'] / 1024:.0f} MiB"
    )
    assert (found["done"], found["worked"]) == (MILLION + 1, 1)
    assert found["first"] < 30
    assert found["peak"] * 1024 < 300e6

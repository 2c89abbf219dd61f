from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from pipeline.archive.lock import hold
from pipeline.archive.status import read_status, status_json, status_lines
from pipeline.cli.main import commands
from pipeline.ground.errors import OutputError, SettingsError

if TYPE_CHECKING:
    from tests.archive.conftest import Archive


def test_a_run_that_was_killed(archive: Archive) -> None:
    for number in range(5):
        archive.put(f"{number}.jpg")
    archive.put("notes.txt", b"notes")
    archive.run(kill_after=2)
    status = read_status(archive.output)
    assert status.counts == {"done": 2, "unsupported": 1}
    assert (status.finished, status.left, status.running, status.seconds_left) == (2, 3, False, None)
    text = "\n".join(status_lines(status))
    assert "cut short" in text
    assert ["left", "3"] in [line.split() for line in status_lines(status)]
    assert ["in", "all", "6"] in [line.split() for line in status_lines(status)]


def test_a_run_at_work(archive: Archive) -> None:
    for number in range(5):
        archive.put(f"{number}.jpg")
    with hold(archive.output):
        archive.run(kill_after=2)
        status = read_status(archive.output)
    assert status.running
    assert status.rate > 0
    assert status.seconds_left is not None
    fields = json.loads(status_json(status))
    assert (fields["left"], fields["running"], fields["run"]["planned"]) == (3, True, 5)
    assert any("Running since" in line for line in status_lines(status))


def test_a_finished_run(archive: Archive) -> None:
    archive.put("1.jpg")
    archive.run()
    assert any("exit code 0" in line for line in status_lines(read_status(archive.output)))


def test_problems_one_a_line_and_for_xargs(archive: Archive) -> None:
    archive.put("1.jpg")
    archive.put("a\nb.jpg")
    archive.put("caf\udce9.jpg")
    archive.fails = {"a\nb.jpg", r"caf\xe9.jpg"}
    archive.run()

    def said(*words: str) -> bytes:
        return CliRunner().invoke(commands, ["status", str(archive.output), *words]).stdout_bytes

    assert said("--problems") == b"a?b.jpg: truncated\ncaf\\xe9.jpg: truncated\n"
    assert said("--problems", "-0") == b"a\nb.jpg\0caf\xe9.jpg\0"
    assert said("--list", "done") == b"1.jpg\n"


def test_no_run_yet(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no journal"):
        read_status(tmp_path)


def test_the_status_needs_nothing_heavy() -> None:
    code = (
        "import sys, pipeline.archive.status, pipeline.archive.manifest, pipeline.ground.settings\n"
        "print([name for name in ('numpy', 'cv2', 'PIL', 'joblib', 'tqdm') if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert result.stdout.strip() == "[]"


def test_a_zero_without_a_list_is_refused(archive: Archive) -> None:
    archive.put("1.jpg")
    archive.run()
    asked = CliRunner().invoke(commands, ["status", str(archive.output), "-0"])
    assert isinstance(asked.exception, SettingsError)
    assert "--problems" in str(asked.exception)

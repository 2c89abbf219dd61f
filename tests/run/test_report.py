"""What is printed at the end of a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.run import driver
from pipeline.run.report import summary_json, summary_lines
from tests.conftest import TINY_SETTINGS as SETTINGS
from tests.conftest import write_archive

pytestmark = pytest.mark.usefixtures("tiny_net")


def test_what_systems_leave_behind_is_counted(tmp_path: Path) -> None:
    write_archive(tmp_path / "scans", 2)
    for name in ("Thumbs.db", "box 0/thumbs.db", "@eaDir/1.jpg", ".DS_Store", ".hidden"):
        (tmp_path / "scans" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "scans" / name).write_bytes(b"junk")
    for _ in range(2):
        summary = driver.run_archive([tmp_path / "scans"], tmp_path / "colour", SETTINGS)
        said = "4 passed over as what systems leave behind: 2 thumbs.db, 1 .ds_store, 1 @eadir."
        assert said in list(summary_lines(summary))
        assert json.loads(summary_json(summary))["junk"] == {"thumbs.db": 2, ".ds_store": 1, "@eadir": 1}
    assert summary.counts == {"done": 2, "skipped": 1}

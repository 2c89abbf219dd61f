"""The table of what other programs show: what it measures, with programs made up for that."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import landscape
from tools import readers

_SHOWN = """
import sys, numpy as np
from PIL import Image
shown = np.asarray(Image.open(sys.argv[1]).convert("RGB")).copy()
{change}
Image.fromarray(shown).save(sys.argv[2])
"""
CHANGES = {
    "the same": ("", "0 (0.00)"),
    "one sample": ("shown[3, 4, 1] ^= 40", "40 (0.00)"),
    "all": ("shown += 2", "2 (2.00)"),
    "half as wide": ("shown = shown[:, ::2].copy()", "32 x 48"),
    "more around it": ("shown = np.pad(shown, ((0, 9), (0, 9), (0, 0)))", "0 (0.00)"),
    "a blank page": ("shown[:] = 255", "nothing"),
    "none": ("sys.exit(1)", "nothing"),
    "for ever": ("import time; time.sleep(60)", "no answer"),
}


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    grey = np.clip(landscape(5, 48, 64), 0, 200)
    Image.fromarray(np.dstack([grey] * 3)).save(path)
    return path


@pytest.mark.parametrize("name", CHANGES)
def test_how_far_apart_is_what_the_table_says(picture: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    change, said = CHANGES[name]

    def command(source: Path, shown: Path, size: tuple[int, int], room: Path) -> Sequence[str]:
        assert size == (64, 48)
        return (sys.executable, "-c", _SHOWN.format(change=change), str(source), str(shown))

    monkeypatch.setattr(readers, "READERS", {name: command})
    monkeypatch.setattr(readers, "_SECONDS", 0.3 if name == "for ever" else 60)
    assert readers.compared(picture, name) == said


def test_a_program_that_is_not_there_has_a_dash(
    picture: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(readers, "READERS", {"Nobody": lambda *_: ("no-such-program-anywhere",)})
    readers.main([str(picture)])
    assert capsys.readouterr().out.splitlines() == ["| | Nobody |", "|---|---|", "| a.png | - |"]

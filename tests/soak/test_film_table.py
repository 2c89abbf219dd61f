"""The whole table of docs/film.md, drawn anew by a run as a user's; FILMS names a folder of clips that are not made."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.soak
pytest.importorskip("av", reason="extra: film")
from tests.film.made import MADE, make_all  # noqa: E402
from tools.film_table import lines, pairs, same_version  # noqa: E402

PAGE = (Path(__file__).parents[2] / "docs" / "film.md").read_text(encoding="utf-8")
_HOUR = 3600


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not installed")
def test_the_table_is_what_a_run_makes(
    tmp_path: Path, colorize: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    if not same_version(PAGE):
        pytest.skip("the table was drawn by another ffprobe")
    scans, colour = tmp_path / "scans", tmp_path / "colour"
    make_all(scans)
    others = sorted(Path(os.environ["FILMS"]).iterdir()) if "FILMS" in os.environ else []
    for film in others:
        shutil.copyfile(film, scans / film.name)
    run = colorize("run", scans, "-o", colour, "--on-color", "recolor", timeout=_HOUR)
    assert run.returncode == 0, run.stderr
    drawn = list(lines(pairs(scans, colour)))
    assert len(drawn) == 2 + len(MADE) - 1 + len(others)  # a GIF is a picture in a run
    assert [line for line in drawn if line not in PAGE.splitlines()] == []

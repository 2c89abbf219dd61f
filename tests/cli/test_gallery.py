"""`colorize gallery`, as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conftest import Colorize, write_archive


def test_a_night_and_its_gallery(colorize: Colorize, tiny_net: Path, tmp_path: Path) -> None:
    write_archive(tmp_path / "in", 3)
    how = ("--model", tiny_net, "--engine", "opencv", "--precision", "float32", "--executor", "serial")
    run = colorize("run", tmp_path / "in", "-o", tmp_path / "out", *how)
    assert run.returncode == 0, run.stderr
    done = colorize("gallery", tmp_path / "out", "--jobs", "1")
    assert done.returncode == 0, done.stderr
    page = tmp_path / "out" / "gallery" / "index.html"
    assert done.stdout == f"{page}: 3 items, 6 thumbnails made now.\n"
    assert page.is_file()
    again = colorize("gallery", tmp_path / "out", "--jobs", "1", "--json")
    assert json.loads(again.stdout) == {"page": str(page), "items": 3, "thumbnails_made": 0, "without_picture": 0}
    # The archive does not mind: nothing is done anew, and nothing of the gallery is an item.
    run = colorize("run", tmp_path / "in", "-o", tmp_path / "out", *how)
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "out" / "manifest.csv").read_text("utf-8").count("\n") == 4
    assert page.is_file()
    other = colorize("run", page.parent, "-o", tmp_path / "other", *how)
    assert other.returncode == 5
    assert "was filled by this program" in other.stderr


def test_what_cannot_be_done_is_one_sentence(colorize: Colorize, tmp_path: Path) -> None:
    done = colorize("gallery", tmp_path)
    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr.count("\n") == 1
    assert "holds no journal" in done.stderr

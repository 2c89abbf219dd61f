"""The sheet of a run before and after; what cannot be shown does not keep it from being drawn."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import cv2
import pytest

from tests.conftest import landscape
from tools import contact_sheet


def sheet(folder: Path, monkeypatch: pytest.MonkeyPatch, *rows: str) -> Path:
    """Draw the sheet of a manifest with these rows."""
    (folder / "out" / "manifest.csv").write_text("source,output,status\n" + "".join(f"{row}\n" for row in rows))
    words = ["contact_sheet", folder / "out", folder / "sheet.jpg", "--input", folder / "in"]
    monkeypatch.setattr(sys, "argv", [str(word) for word in words])
    contact_sheet.main()
    return folder / "sheet.jpg"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "a.png"), landscape(1))
    return tmp_path


def test_a_broken_picture_a_film_and_one_that_is_gone_have_their_places(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (archive / "in" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    (archive / "in" / "film.mkv").write_bytes(b"\x1a\x45\xdf\xa3")
    os.link(archive / "in" / "a.png", os.fsencode(archive / "in") + b"/caf\xe9.png")
    rows = ("a.png,a.png,done", "broken.jpg,broken.jpg,copied", "film.mkv,film.mkv,done", r"caf\xe9.png,gone.png,done")
    drawn = cv2.imread(str(sheet(archive, monkeypatch, *rows, "b.png,,failed")))
    assert drawn.shape == (2 * 260, 3 * 640, 3)
    assert drawn[100:125, 640:1280].min() < 60  # a sentence stands on the tile


def test_where_nothing_is_finished_there_is_a_sentence(
    archive: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        sheet(archive, monkeypatch, "b.png,,failed")
    assert "nothing is finished there" in capsys.readouterr().err

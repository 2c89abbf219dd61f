"""A single picture goes where its name says, however that is written."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from pipeline.run.single import colorize_picture
from tests.conftest import TINY_SETTINGS as SETTINGS
from tests.conftest import write_archive

pytestmark = pytest.mark.usefixtures("tiny_net")


@pytest.mark.parametrize("absolute", [False, True], ids=["as asked for", "absolute, as Python 3.12 makes them"])
@pytest.mark.parametrize("name", ["colour.jpg", "new/colour.jpg"])
def test_a_relative_name_works_whichever_way_temporary_folders_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, absolute: bool, name: str
) -> None:
    (picture,) = write_archive(tmp_path / "scans", 1)
    monkeypatch.chdir(tmp_path)
    made = tempfile.mkdtemp
    monkeypatch.setattr(
        tempfile,
        "mkdtemp",
        lambda *rest: str(Path(made(*rest)).absolute()) if absolute else made(*rest),
    )
    colorize_picture(picture, Path(name), SETTINGS)
    assert (tmp_path / name).stat().st_size
    assert list((tmp_path / name).parent.glob(".colorize-*")) == []

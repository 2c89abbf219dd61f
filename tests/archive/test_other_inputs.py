"""What becomes of items of other INPUTs, and of the same one under another path."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.ground.errors import OutputError

if TYPE_CHECKING:
    from tests.archive.conftest import Archive

JPEG = b"\xff\xd8\xff\xe0"


def test_another_archive_of_the_same_names_is_refused(archive: Archive, tmp_path: Path) -> None:
    archive.put("1.jpg")
    archive.run()
    other = tmp_path / "other"
    other.mkdir()
    (other / "1.jpg").write_bytes(JPEG + b"quite another picture")
    with pytest.raises(OutputError, match="pictures of another INPUT under the same names") as caught:
        archive.plan(inputs=[other])
    assert str(caught.value) == (
        f"{archive.output} holds pictures of another INPUT under the same names (1.jpg): "
        "give each INPUT an OUTPUT of its own, or name all INPUTs in one command."
    )


@pytest.mark.parametrize(("unlike", "refused"), [(2, False), (3, True)])
def test_most_pictures_decide_whether_it_is_another_archive(
    archive: Archive, tmp_path: Path, unlike: int, refused: bool
) -> None:
    for number in range(5):
        archive.put(f"{number}.jpg")
    archive.run()
    other = tmp_path / "other"
    shutil.copytree(archive.source, other)
    for number in range(unlike):
        (other / f"{number}.jpg").write_bytes(JPEG + b"quite another picture")
    if refused:
        with pytest.raises(OutputError, match=r"\(0\.jpg\)"):
            archive.plan(inputs=[other])
    else:
        assert archive.counts(inputs=[other]) == {"todo": 2, "done": 3}


def test_names_where_nothing_was_made_are_anybody_s(archive: Archive, tmp_path: Path) -> None:
    archive.put("1.jpg")
    archive.fails = {"1.jpg"}
    archive.run()
    other = tmp_path / "other"
    other.mkdir()
    (other / "1.jpg").write_bytes(JPEG + b"quite another picture")
    assert archive.why(inputs=[other]) == {"1.jpg": ("todo", "source changed")}


def test_the_same_archive_under_another_path_may_be_done_anew(archive: Archive, tmp_path: Path) -> None:
    archive.put("1.jpg")
    archive.run()
    moved = archive.source.rename(tmp_path / "moved")
    assert archive.why(inputs=[moved], fingerprint="f2") == {"1.jpg": ("todo", "settings changed")}


def test_the_same_archive_under_another_path_goes_on(archive: Archive, tmp_path: Path) -> None:
    archive.put("1.jpg")
    archive.put("2.jpg")
    archive.fails = {"2.jpg"}
    archive.run()
    moved = archive.source.rename(tmp_path / "moved")
    assert [action for action, _ in archive.why(inputs=[moved]).values()] == ["done", "keep"]


def test_rows_of_another_input_are_left_alone(archive: Archive, tmp_path: Path) -> None:
    archive.put("1.tif", b"II*\0")
    archive.put("broken.jpg")
    archive.fails = {"broken.jpg"}
    archive.run()
    other = tmp_path / "other"
    other.mkdir()
    (other / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (other / "2.jpg").write_bytes(JPEG)
    archive.run(inputs=[other])
    assert archive.statuses() == {"1.tif": "done", "1.png": "failed", "2.jpg": "done", "broken.jpg": "failed"}

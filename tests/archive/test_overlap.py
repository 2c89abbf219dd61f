"""One OUTPUT over the years: which INPUTs it takes after others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.archive import overlap
from pipeline.ground.errors import OutputError

if TYPE_CHECKING:
    from tests.archive.conftest import Archive


@pytest.fixture
def boxes(archive: Archive) -> tuple[Path, Path, Path]:
    """INPUT and two folders in it."""
    archive.put("a/1.jpg", b"\xff\xd8\xff one")
    archive.put("b/2.jpg", b"\xff\xd8\xff two")
    return archive.source, archive.source / "a", archive.source / "b"


def test_a_part_of_what_was_mirrored_and_more_around_it_are_refused(
    archive: Archive, boxes: tuple[Path, Path, Path]
) -> None:
    whole, a, b = boxes
    archive.run()
    with pytest.raises(OutputError, match=r"/a is a part of .*: its pictures would lie there twice"):
        archive.plan(inputs=[a])
    assert archive.counts(inputs=[a, b]) == {"done": 2}, "two of its folders are called as they were"
    archive.output = archive.output.with_name("of a")
    archive.run(inputs=[a])
    with pytest.raises(OutputError, match=r"/in is around .*/a"):
        archive.plan(inputs=[whole])
    with pytest.raises(OutputError, match="named differently now, alone or beside others"):
        archive.plan(inputs=[a, b])


def test_where_nothing_was_made_nothing_lies_twice(archive: Archive, boxes: tuple[Path, Path, Path]) -> None:
    whole, a, _ = boxes
    archive.fails = {"1.jpg"}
    archive.run(inputs=[a])
    assert archive.counts(inputs=[whole]) == {"todo": 2}


def test_one_more_input_beside_several(archive: Archive, boxes: tuple[Path, Path, Path], tmp_path: Path) -> None:
    _, a, b = boxes
    archive.run(inputs=[a, b])
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "3.jpg").write_bytes(b"\xff\xd8\xff three")
    three = [a, b, tmp_path / "c"]
    assert archive.counts(inputs=three) == {"done": 2, "todo": 1}
    archive.run(inputs=three)
    (a / "1.jpg").unlink()
    archive.run(inputs=three, accept_gone=True)
    assert archive.statuses() == {"a/1.jpg": "gone", "b/2.jpg": "done", "c/3.jpg": "done"}


def test_inputs_that_have_nothing_to_do_with_each_other(archive: Archive, tmp_path: Path) -> None:
    archive.put("1.jpg")
    archive.run()
    other = tmp_path / "other"
    other.mkdir()
    (other / "2.jpg").write_bytes(b"\xff\xd8\xff two")
    archive.run(inputs=[other])
    assert archive.statuses() == {"1.jpg": "done", "2.jpg": "done"}
    assert archive.counts() == {"done": 1}


def test_a_file_of_a_folder_that_was_mirrored_has_the_same_name_alone(archive: Archive) -> None:
    path = archive.put("1.jpg")
    archive.put("2.jpg")
    archive.run()
    assert archive.counts(inputs=[path]) == {"done": 1}


def test_thousands_of_files_are_compared_in_no_time(tmp_path: Path) -> None:
    many = {tmp_path / f"{number}.jpg": f"{number}.jpg" for number in range(20_000)}
    assert overlap._clash(many, {tmp_path: ""} | many) is None  # type: ignore[arg-type]
    assert overlap._clash({tmp_path: ""}, {**many, tmp_path / "x.jpg": "y.jpg"}) == (tmp_path, tmp_path / "x.jpg")

"""State folders that are copied, put back or named: what keeps an OUTPUT in a storage is the newest one alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

pytest.importorskip("s3fs", reason="writes s3://; extra: storage")

from pipeline.archive.recover import recover
from pipeline.archive.state import housed
from pipeline.ground import uploads
from pipeline.ground.errors import OutputError
from pipeline.ground.storage import located
from pipeline.run.report import summary_lines
from tests.conftest import write_archive
from tests.storage.far import ADDRESS, outputs, rows, run
from tests.storage.servers import Bucket


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    write_archive(tmp_path / "scans", 2)
    return tmp_path / "scans"


def test_a_copy_of_a_state_folder_keeps_what_stands_there_until_the_other_has_worked(
    archive: Path, bucket: Bucket, reached: None, tmp_path: Path, tiny_net: Path
) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    run(archive, one, tiny_net)
    shutil.copytree(one, other)
    write_archive(archive, 3)
    assert run(archive, other, tiny_net).worked == 1, "it is moved, or both know the same"
    with pytest.raises(OutputError, match=rf"{ADDRESS} is kept by the state folder {other} on"):
        run(archive, one, tiny_net)
    assert {row["status"] for row in rows(bucket).values()} == {"done"}
    with pytest.raises(OutputError, match=rf"`colorize recover {ADDRESS} --state {one}` brings"):
        run(archive, one, tiny_net)
    recover(housed(located(ADDRESS), one))
    assert run(archive, one, tiny_net).worked == 0


def test_a_state_folder_that_was_put_back_is_older_than_what_stands_there(
    archive: Path, bucket: Bucket, reached: None, tmp_path: Path, tiny_net: Path
) -> None:
    state = tmp_path / "state"
    run(archive, state, tiny_net)
    shutil.copytree(state, tmp_path / "backup")
    write_archive(archive, 3)
    run(archive, state, tiny_net)
    before = outputs(bucket)
    shutil.rmtree(state)
    (tmp_path / "backup").rename(state)
    with pytest.raises(OutputError, match=rf"{state} was put back from a copy, and is older than {ADDRESS}: "):
        run(archive, state, tiny_net)
    recover(housed(located(ADDRESS), state))
    shutil.rmtree(state)
    with pytest.raises(OutputError, match=rf"{state} has lost what it knew of {ADDRESS}: `colorize recover"):
        run(archive, state, tiny_net)
    recover(housed(located(ADDRESS), state))
    assert run(archive, state, tiny_net).worked == 0
    assert outputs(bucket) == before


@pytest.mark.parametrize("moment", [0, 1])
def test_a_run_that_dies_when_it_takes_the_storage_keeps_nobody_out(
    moment: int, archive: Path, bucket: Bucket, reached: None, tmp_path: Path, tiny_net: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    class Died(BaseException): ...

    carry, calls = uploads.carry, 0

    def dying(*given: object) -> str:
        nonlocal calls
        if calls == moment:
            raise Died
        calls += 1
        return carry(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(uploads, "carry", dying)
    with pytest.raises(Died):
        run(archive, tmp_path / "state", tiny_net)
    monkeypatch.setattr(uploads, "carry", carry)
    assert run(archive, tmp_path / "state", tiny_net).worked == 2
    assert run(archive, tmp_path / "state", tiny_net).worked == 0


def test_commands_that_are_named_take_the_address(
    archive: Path, bucket: Bucket, reached: None, tmp_path: Path, tiny_net: Path
) -> None:
    (archive / "broken.jpg").write_bytes((archive / "box 0" / "picture 000.jpg").read_bytes()[:300])
    said = "\n".join(summary_lines(run(archive, tmp_path / "my state", tiny_net)))
    assert f"colorize status {ADDRESS} --state '{tmp_path}/my state' --problems" in said

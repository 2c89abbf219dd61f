"""A file of pages whose run was cut short, killed or failed goes on at the page where it was."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from pipeline.archive.pieces import Pieces, parts_place
from pipeline.ground.errors import ExitCode, ItemError
from pipeline.ground.items import Answer, Unit
from pipeline.media import pages
from pipeline.media.medium import Job
from pipeline.run import driver
from pipeline.run.signals import Stop
from pipeline.run.summary import Summary
from pipeline.run.worker import Worker
from tests.conftest import ENTRY, environment, landscape, pages_of, row, write_archive, write_tiff
from tests.run.page_runs import cut_short, letter, parts, run, settings, units

__all__ = ["letter", "run", "settings"]


def test_what_is_finished_is_not_done_again(
    tmp_path: Path, run: Callable[..., Summary], letter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_short(run, monkeypatch, 4)
    assert [path.name for path in parts(tmp_path / "colour")] == [f"{number:06d}.tif" for number in range(4)]
    assert not (tmp_path / "colour" / "letter.tif").exists()
    assert units(run, monkeypatch) == ["piece 4", "piece 5", "join"]
    assert not parts(tmp_path / "colour")
    run("unbroken")
    assert (tmp_path / "colour" / "letter.tif").read_bytes() == (tmp_path / "unbroken" / "letter.tif").read_bytes()
    found = row(tmp_path / "colour", "letter.tif")
    assert (found.status, found.attempts, found.frames) == ("done", 1, 6)


def test_cut_short_before_the_join_only_the_join_is_left(
    run: Callable[..., Summary], letter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_short(run, monkeypatch, 6)
    assert units(run, monkeypatch) == ["join"]


def test_a_source_that_changed_in_between_starts_anew(
    tmp_path: Path, run: Callable[..., Summary], letter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_short(run, monkeypatch, 4)
    write_tiff(letter, *[landscape(seed) for seed in range(10, 13)])
    assert units(run, monkeypatch) == ["scan", "piece 0", "piece 1", "piece 2", "join"]
    assert len(pages_of(tmp_path / "colour" / "letter.tif")) == 3


def test_other_settings_start_anew(run: Callable[..., Summary], letter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cut_short(run, monkeypatch, 4)
    assert units(run, monkeypatch, saturation=0.5) == ["scan", *[f"piece {number}" for number in range(6)], "join"]


def test_a_part_that_is_lost_or_torn_is_done_again(
    tmp_path: Path, run: Callable[..., Summary], letter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_short(run, monkeypatch, 4)
    first, second, *_ = parts(tmp_path / "colour")
    first.unlink()
    second.write_bytes(second.read_bytes()[:-1])
    assert units(run, monkeypatch) == ["piece 0", "piece 1", "piece 4", "piece 5", "join"]


def test_a_part_that_rotted_is_found_by_its_hash_and_done_again(
    tmp_path: Path, run: Callable[..., Summary], letter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_short(run, monkeypatch, 6)
    third = parts(tmp_path / "colour")[2]
    third.write_bytes(bytes(third.stat().st_size))
    summary = run()
    assert summary.counts == {"failed": 1}
    found = row(tmp_path / "colour", "letter.tif")
    assert found.reason == "the part file 000002.tif was lost or changed; the next run makes it anew"
    assert not (tmp_path / "colour" / "letter.tif").exists()
    assert units(run, monkeypatch) == ["piece 2", "join"]
    assert row(tmp_path / "colour", "letter.tif").status == "done"


def test_a_source_that_changes_while_it_is_worked_on_fails_and_is_taken_up_by_the_next_run(
    tmp_path: Path, run: Callable[..., Summary], letter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished, seen = Pieces.finished, []

    def touched(self: Pieces, *arguments: object) -> object:
        seen.append(arguments)
        if len(seen) == 2:
            os.utime(letter, ns=(1, 1))
        return finished(self, *arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Pieces, "finished", touched)
        assert run().counts == {"failed": 1}
    assert "changed while it was colorized" in row(tmp_path / "colour", "letter.tif").reason
    assert run().counts == {"done": 1}


def test_finished_parts_outlive_a_failure_of_the_system(
    tmp_path: Path, run: Callable[..., Summary], letter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = pages.read

    def refused(path: Path, *, max_megapixels: float, page: int, damaged: bool, **more: Any) -> object:
        if page == 3:
            raise OSError(5, "Input/output error")
        return read(path, max_megapixels=max_megapixels, page=page, damaged=damaged, **more)

    with monkeypatch.context() as patch:
        patch.setattr(pages, "read", refused)
        assert run().counts == {"failed": 1}
    assert len(parts(tmp_path / "colour")) == 3
    assert units(run, monkeypatch) == ["piece 3", "piece 4", "piece 5", "join"]


class Ahead:
    """An executor that has taken five units before it answers the first, as a pool of workers has."""

    at_hand = 0

    def __init__(self, job: Job) -> None:
        self._worker = Worker(job)

    def answers(self, take: Callable[[], Unit | None], stop: Stop) -> Generator[tuple[Unit, Answer]]:
        in_flight: list[Unit] = []
        while True:
            while len(in_flight) < 5 and not stop.requested and (unit := take()) is not None:
                in_flight.append(unit)
            if not in_flight:
                return
            unit = in_flight.pop(0)
            yield unit, self._worker.do(unit)


@pytest.mark.parametrize(
    ("error", "left", "again"),
    [
        (OSError(5, "Input/output error"), {0, 2, 3, 4, 5}, ["piece 1", "piece 6", "piece 7", "join"]),
        (ItemError("damaged"), set(), []),
    ],
)
def test_pieces_in_flight_when_another_one_failed_stay_or_go_with_the_rest(
    tmp_path: Path, run: Callable[..., Summary], monkeypatch: pytest.MonkeyPatch,
    error: Exception, left: set[int], again: list[str],
) -> None:  # fmt: skip
    write_tiff(tmp_path / "scans" / "a.tif", *[landscape(seed) for seed in range(8)])
    read = pages.read

    def refused(path: Path, *, max_megapixels: float, page: int, damaged: bool, **more: Any) -> object:
        if page == 1:
            raise error
        return read(path, max_megapixels=max_megapixels, page=page, damaged=damaged, **more)

    with monkeypatch.context() as patch:
        patch.setattr(pages, "read", refused)
        patch.setattr(driver, "_executor", lambda context, jobs, tmp_dir, progress: Ahead(context.job(tmp_dir)))
        assert run().counts == {"failed": 1}
    assert {int(path.stem) for path in parts(tmp_path / "colour")} == left
    assert units(run, monkeypatch) == again


def test_parts_of_what_is_done_otherwise_now_are_removed(
    tmp_path: Path, run: Callable[..., Summary], letter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_short(run, monkeypatch, 4)
    assert run(pages="first").counts == {"done": 1}
    assert not parts(tmp_path / "colour")


def test_parts_of_what_is_gone_are_removed(
    tmp_path: Path, run: Callable[..., Summary], letter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_archive(tmp_path / "scans", 1)
    cut_short(run, monkeypatch, 4)
    letter.unlink()
    assert run().counts == {"done": 1, "vanished": 1}
    assert not parts(tmp_path / "colour")


def journalled(output: Path) -> dict[int, tuple[str, int, str]]:
    """Status, attempts and part of each piece."""
    path = output / ".colorize" / "journal.sqlite"
    if not path.exists():
        return {}
    with sqlite3.connect(path) as database:
        try:
            found = database.execute("SELECT number, status, attempts, part FROM pieces WHERE number >= 0").fetchall()
        except sqlite3.OperationalError:  # the tables are being made
            return {}
    return {number: (status, attempts, part) for number, status, attempts, part in found}


def finished_in(output: Path) -> dict[int, tuple[str, int, str]]:
    return {number: piece for number, piece in journalled(output).items() if piece[0] == "done"}


def written(path: Path) -> tuple[int, int]:
    """What tells one writing of a file from another."""
    return path.stat().st_ino, path.stat().st_mtime_ns


def test_killed_in_the_middle_it_goes_on_at_the_page_where_it_was(tmp_path: Path, tiny_net: Path) -> None:
    write_tiff(tmp_path / "scans" / "a.tif", *[landscape(seed, 300, 500) for seed in range(60)])
    output = tmp_path / "colour"

    def start(folder: Path, *more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*ENTRY, "run", tmp_path / "scans", "-o", folder, "-j", "2", "--engine", "opencv", "--precision",
             "float32", "--model", tiny_net, *more],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )  # fmt: skip

    before: dict[str, tuple[int, int]] = {}
    for wanted in (8, 25):
        process = start(output)
        deadline = time.monotonic() + 60
        while len(finished_in(output)) < wanted and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        finished = finished_in(output)
        assert wanted <= len(finished) < 60, "the kill came too early or too late to test anything"
        assert {attempts for _, attempts, _ in finished.values()} == {1}
        kept = {part: written(output / part) for *_, part in finished.values()}
        assert {part: kept[part] for part in before} == before, "a finished page was done again"
        before = kept
    assert set(before) <= {str(path.relative_to(output)) for path in parts(output)}
    assert all(part.startswith(parts_place("a.tif")) for part in before)
    last = start(output, "--json")
    printed, errors = last.communicate(timeout=120)
    assert last.returncode == 0, errors
    assert json.loads(printed)["counts"] == {"done": 1}
    assert not parts(output)
    assert not journalled(output)
    unbroken = start(tmp_path / "unbroken")
    unbroken.communicate(timeout=120)
    assert (output / "a.tif").read_bytes() == (tmp_path / "unbroken" / "a.tif").read_bytes()
    assert len(pages_of(output / "a.tif")) == 60


def test_a_signal_leaves_the_pages_for_the_next_run(
    tmp_path: Path, run: Callable[..., Summary], letter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished, seen = Pieces.finished, []

    def interrupted(self: Pieces, *arguments: object) -> object:
        seen.append(arguments)
        if len(seen) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return finished(self, *arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Pieces, "finished", interrupted)
        summary = run()
    assert (summary.exit_code, summary.stopped, summary.left) == (ExitCode.SIGTERM, True, 1)
    assert units(run, monkeypatch) == ["piece 2", "piece 3", "piece 4", "piece 5", "join"]

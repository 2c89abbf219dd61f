"""Files of several pages through whole runs: every page in colour, and what a kill leaves is not done again."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from pipeline.archive.journal import Journal
from pipeline.archive.pieces import Pieces, parts_place
from pipeline.archive.row import Row
from pipeline.ground.errors import ExitCode, ItemError
from pipeline.ground.items import Answer, Unit
from pipeline.ground.settings import Settings
from pipeline.media import pages
from pipeline.media.medium import Job
from pipeline.run import driver
from pipeline.run.progress import Progress
from pipeline.run.signals import Stop
from pipeline.run.summary import Summary
from pipeline.run.worker import Worker
from tests.conftest import ENTRY, environment, in_colour, landscape, pages_of, write_archive, write_tiff

RGB = in_colour()[:, :, ::-1]


@pytest.fixture
def settings(tiny_net: Path) -> Settings:
    return Settings(model=str(tiny_net), engine="opencv", precision="float32", executor="serial")


@pytest.fixture
def run(tmp_path: Path, settings: Settings) -> Callable[..., Summary]:
    """Colorize the folder "scans" into "colour", with the settings that are named."""

    def call(output: str = "colour", **changes: object) -> Summary:
        return driver.run_archive([tmp_path / "scans"], tmp_path / output, replace(settings, **changes))

    return call


def row(output: Path, key: str) -> Row:
    with Journal(output, read_only=True) as journal:
        found = journal.row(key)
    assert found is not None
    return found


def parts(output: Path) -> list[Path]:
    folder = output / ".colorize" / "parts"
    return sorted(folder.rglob("*.tif")) if folder.exists() else []


def test_pages_keep_what_they_say_of_themselves(tmp_path: Path, run: Callable[..., Summary]) -> None:
    scans = tmp_path / "scans"
    scans.mkdir()
    with TiffImagePlugin.AppendingTiffWriter(scans / "album.tif", new=True) as file:
        for number in range(3):
            tags = TiffImagePlugin.ImageFileDirectory_v2()
            tags[270], tags[315] = f"page {number}", "somebody"
            pixels = RGB if number == 1 else landscape(number)
            compression = "tiff_adobe_deflate" if number else "raw"
            Image.fromarray(pixels).save(file, "TIFF", tiffinfo=tags, dpi=(300 + number, 300), compression=compression)
            file.newFrame()
    assert run().counts == {"done": 1}
    with Image.open(tmp_path / "colour" / "album.tif") as image:
        for number in range(3):
            image.seek(number)
            assert (image.tag_v2[270], image.tag_v2[315]) == (f"page {number}", "somebody")
            assert [round(float(each)) for each in image.info["dpi"]] == [300 + number, 300]
            assert image.tag_v2[259] == (8 if number else 1)
            assert (b"compositeWithTrained" in bytes(image.tag_v2.get(700, b""))) == (number != 1)
    assert row(tmp_path / "colour", "album.tif").metadata == ""


def test_every_page_is_what_it_would_be_alone(tmp_path: Path, run: Callable[..., Summary]) -> None:
    made = [landscape(seed, 40 + seed, 50 + 2 * seed) for seed in range(12)]
    write_tiff(tmp_path / "scans" / "all" / "letter.tif", *made)
    for number, pixels in enumerate(made):
        write_tiff(tmp_path / "scans" / "alone" / f"{number:02d}.tif", pixels)
    assert run(format="tif").counts == {"done": 13}
    together = pages_of(tmp_path / "colour" / "all" / "letter.tif")
    assert len(together) == 12
    for number, page in enumerate(together):
        alone = pages_of(tmp_path / "colour" / "alone" / f"{number:02d}.tif")
        assert page.shape == (*made[number].shape, 3)
        np.testing.assert_array_equal(page, alone[0])
    found = row(tmp_path / "colour", "all/letter.tif")
    assert (found.output, found.kind, found.frames) == ("all/letter.tif", "pages", 12)
    assert (found.width, found.height) == (50, 40)  # of the first page
    assert (found.model, found.engine, found.verdict, found.bits) == ("tiny", "opencv/float32", "neutral", 8)
    assert found.seconds > 0
    assert not parts(tmp_path / "colour")


def test_pages_become_a_tiff_whatever_the_format_of_photographs(tmp_path: Path, run: Callable[..., Summary]) -> None:
    write_tiff(tmp_path / "scans" / "letter.TIFF", landscape(1), landscape(2))
    write_archive(tmp_path / "scans", 1)
    run(format="webp")
    assert sorted(path.name for path in (tmp_path / "colour").glob("[!.]*.*")) == ["letter.tif", "manifest.csv"]
    assert (tmp_path / "colour" / "box 0" / "picture 000.webp").exists()
    assert run(format="png").worked == 1  # the format is the photograph's alone


def test_the_first_page_alone_is_a_photograph(tmp_path: Path, run: Callable[..., Summary]) -> None:
    write_tiff(tmp_path / "scans" / "letter.tif", landscape(1), landscape(2), landscape(3))
    run(pages="first", format="png")
    found = row(tmp_path / "colour", "letter.tif")
    assert (found.output, found.reason) == ("letter.png", "first of 3 pages")
    assert run(pages="first", format="png").worked == 0
    assert run(format="png").worked == 1
    assert not (tmp_path / "colour" / "letter.png").exists()
    assert len(pages_of(tmp_path / "colour" / "letter.tif")) == 3


def test_reduced_copies_and_masks_are_left_out(tmp_path: Path, run: Callable[..., Summary]) -> None:
    sizes = [(60, 80), (15, 20), (60, 81), (60, 80), (60, 82)]
    tags = [{}, {254: 1}, {254: 2}, {254: 4}, {}]
    write_tiff(tmp_path / "scans" / "a.tif", *[landscape(1, *size) for size in sizes], tags=tags)
    write_tiff(tmp_path / "scans" / "b.tif", landscape(1), landscape(1, 15, 20), tags=[{}, {254: 1}])
    run()
    assert [page.shape[1] for page in pages_of(tmp_path / "colour" / "a.tif")] == [80, 81, 82]
    assert row(tmp_path / "colour", "a.tif").frames == 3
    photograph = row(tmp_path / "colour", "b.tif")
    assert (photograph.kind, photograph.output) == ("photo", "b.tif")


def test_a_damaged_page_fails_the_file_and_is_named(tmp_path: Path, run: Callable[..., Summary]) -> None:
    path = write_tiff(
        tmp_path / "scans" / "a.tif", *[landscape(seed) for seed in range(4)], compression="tiff_adobe_deflate"
    )
    whole = path.read_bytes()
    with_strips = _strips_of_page(path, 2)
    for at, length in with_strips:
        whole = whole[:at] + b"\xff" * length + whole[at + length :]
    path.write_bytes(whole)
    summary = run()
    assert summary.counts == {"failed": 1}
    assert summary.exit_code == ExitCode.SOME_FAILED
    found = row(tmp_path / "colour", "a.tif")
    assert found.reason.startswith("page 3: ")
    assert found.cause == "damaged"
    assert not (tmp_path / "colour" / "a.tif").exists()
    assert not parts(tmp_path / "colour")
    assert run().worked == 0


def _strips_of_page(path: Path, number: int) -> list[tuple[int, int]]:
    with Image.open(path) as image:
        image.seek(number)
        return list(zip(image.tag_v2[273], image.tag_v2[279], strict=True))


def test_a_file_cut_off_fails(tmp_path: Path, run: Callable[..., Summary]) -> None:
    path = write_tiff(tmp_path / "scans" / "a.tif", *[landscape(seed) for seed in range(4)])
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    run()
    found = row(tmp_path / "colour", "a.tif")
    assert (found.status, found.cause) == ("failed", "damaged")
    assert "damaged" in found.reason or "truncated" in found.reason


def test_one_page_in_colour_keeps_its_own(tmp_path: Path, run: Callable[..., Summary]) -> None:
    write_tiff(tmp_path / "scans" / "a.tif", landscape(1), RGB, landscape(2))
    run()
    first, second, third = pages_of(tmp_path / "colour" / "a.tif")
    np.testing.assert_array_equal(second, RGB)
    assert np.ptp(first.astype(int), axis=2).max() > 3
    assert np.ptp(third.astype(int), axis=2).max() > 3
    found = row(tmp_path / "colour", "a.tif")
    assert (found.status, found.verdict) == ("done", "color")
    assert found.reason == "1 of 3 pages were in colour and kept theirs"
    assert run(on_color="recolor").worked == 1
    assert not np.array_equal(pages_of(tmp_path / "colour" / "a.tif")[1], RGB)
    assert row(tmp_path / "colour", "a.tif").reason == ""


def test_all_pages_in_colour_are_copied_byte_for_byte(tmp_path: Path, run: Callable[..., Summary]) -> None:
    path = write_tiff(tmp_path / "scans" / "a.tiff", RGB, np.roll(RGB, 9, axis=1), compression="tiff_adobe_deflate")
    run()
    found = row(tmp_path / "colour", "a.tiff")
    assert (found.status, found.reason, found.cause, found.model) == ("copied", "already in colour", "in colour", "")
    assert (tmp_path / "colour" / "a.tiff").read_bytes() == path.read_bytes()
    assert not parts(tmp_path / "colour")
    assert run(on_color="skip", output="other").counts == {"skipped": 1}
    assert not list((tmp_path / "other").glob("*.tif*"))
    assert not parts(tmp_path / "other")


def stop_after(monkeypatch: pytest.MonkeyPatch, pieces: int) -> list[str]:
    """Let the run die, as by a power cut, once so many pieces were recorded; the list holds all units that began."""
    finished, do, begun = Pieces.finished, Worker.do, []

    def counted(self: Pieces, *arguments: object) -> object:
        part = finished(self, *arguments)  # type: ignore[arg-type]
        if sum(unit.startswith("piece") for unit in begun) == pieces:
            raise KeyboardInterrupt
        return part

    def watched(self: Worker, unit: object) -> object:
        begun.append(f"{unit.verb} {unit.span.number if unit.span else ''}".strip())  # type: ignore[attr-defined]
        return do(self, unit)  # type: ignore[arg-type]

    monkeypatch.setattr(Worker, "do", watched)
    monkeypatch.setattr(Pieces, "finished", counted)
    return begun


def cut_short(run: Callable[..., Summary], monkeypatch: pytest.MonkeyPatch, pieces: int) -> None:
    with monkeypatch.context() as patch:
        stop_after(patch, pieces)
        with pytest.raises(KeyboardInterrupt):
            run()


def units(run: Callable[..., Summary], monkeypatch: pytest.MonkeyPatch, **changes: object) -> list[str]:
    """Run, and return the units that were done."""
    with monkeypatch.context() as patch:
        begun = stop_after(patch, -1)
        run(**changes)
    return begun


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    return write_tiff(tmp_path / "scans" / "letter.tif", *[landscape(seed) for seed in range(6)])


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


def test_page_files_and_photographs_take_turns_and_all_are_done(
    tmp_path: Path, run: Callable[..., Summary], monkeypatch: pytest.MonkeyPatch
) -> None:
    for wider, name in enumerate("abc"):  # else they are doubles of one another
        write_tiff(tmp_path / "scans" / f"{name}.tif", *[landscape(seed, width=80 + wider) for seed in range(8)])
    write_archive(tmp_path / "scans", 12)
    begun = units(run, monkeypatch)
    assert sorted(begun) == sorted(["scan", "join", *[f"piece {number}" for number in range(8)]] * 3 + ["make"] * 12)
    first_photographs = [at for at, unit in enumerate(begun) if unit == "make"][:4]
    assert first_photographs[-1] < 20, "pages keep the photographs waiting"
    assert begun.index("piece 3") < 20, "photographs keep the pages waiting"
    assert {len(pages_of(tmp_path / "colour" / f"{name}.tif")) for name in "abc"} == {8}
    assert not parts(tmp_path / "colour")


def test_one_file_alone_sets_all_workers_to_work(tmp_path: Path, run: Callable[..., Summary]) -> None:
    made = [landscape(seed, 200, 300) for seed in range(24)]
    write_tiff(tmp_path / "scans" / "a.tif", *made)
    summary = run(executor="loky", jobs=2)
    assert (summary.jobs, summary.counts, summary.worked) == (2, {"done": 1}, 1)
    run("serial")
    assert (tmp_path / "colour" / "a.tif").read_bytes() == (tmp_path / "serial" / "a.tif").read_bytes()


MEASURED = """
import sys
from pathlib import Path
from pipeline.run.driver import run_archive
from pipeline.ground.settings import Settings
settings = Settings(model=sys.argv[3], engine="opencv", precision="float32", executor="serial")
summary = run_archive([Path(sys.argv[1])], Path(sys.argv[2]), settings, quiet=True)
assert summary.counts == {"done": 1}, summary
lines = Path("/proc/self/status").read_text().splitlines()
print(next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_three_hundred_pages_take_no_more_memory_than_three(tmp_path: Path, tiny_net: Path) -> None:
    page = landscape(1, 240, 320)
    peaks = {}
    for count in (3, 300):
        write_tiff(tmp_path / f"in {count}" / "a.tif", *[np.roll(page, seed, axis=1) for seed in range(count)])
        measured = subprocess.run(
            [sys.executable, "-c", MEASURED, tmp_path / f"in {count}", tmp_path / f"out {count}", tiny_net],
            env=environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        peaks[count] = int(measured.stdout)
    made = pages_of(tmp_path / "out 300" / "a.tif")
    assert len(made) == 300
    first = pages_of(tmp_path / "out 3" / "a.tif")
    for number in range(3):
        np.testing.assert_array_equal(made[number], first[number])
    assert all(page.shape == (240, 320, 3) for page in made)
    # In colour the pages have 69 MB together.
    assert peaks[300] - peaks[3] < 20 * 1024, peaks


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


def test_progress_counts_files_and_not_pages(
    run: Callable[..., Summary], letter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[int] = []
    step = Progress.step
    monkeypatch.setattr(Progress, "step", lambda self, *, problem=False: (steps.append(1), step(self, problem=problem)))
    assert run().worked == 1
    assert len(steps) == 1

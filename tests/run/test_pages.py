"""Files of several pages through whole runs: every page in colour, and what a kill leaves is not done again."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from pipeline.ground.errors import ExitCode
from pipeline.run.progress import Progress
from pipeline.run.summary import Summary
from tests.conftest import environment, landscape, pages_of, row, write_archive, write_tiff
from tests.run.page_runs import RGB, letter, parts, run, settings, units

__all__ = ["letter", "run", "settings"]


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


def test_progress_counts_files_and_not_pages(
    run: Callable[..., Summary], letter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[int] = []
    step = Progress.step
    monkeypatch.setattr(Progress, "step", lambda self, *, problem=False: (steps.append(1), step(self, problem=problem)))
    assert run().worked == 1
    assert len(steps) == 1

"""The Python API: what docs/api.md shows is run, and what it promises holds."""

from __future__ import annotations

import doctest
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from colorize_archive import Colorizer, InputError, Outcome, OutputError, SettingsError, Status
from pipeline.ground.settings import Settings
from pipeline.run.driver import run_archive
from pipeline.run.single import colorize_picture
from tests.conftest import CHECKOUT, environment, in_colour, landscape

API = CHECKOUT / "docs" / "api.md"


@pytest.fixture
def folder(tmp_path: Path, user_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The pictures that docs/api.md speaks of, in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(user_cache))
    (tmp_path / "album").mkdir()
    (tmp_path / "scans").mkdir()
    for seed, name in enumerate(("grandfather.jpg", "scans/1.jpg", "scans/2.jpg", "scans/torn.jpg")):
        (tmp_path / name).write_bytes(cv2.imencode(".jpg", landscape(seed + 10))[1].tobytes())
    torn = tmp_path / "scans" / "torn.jpg"
    torn.write_bytes(torn.read_bytes()[:-600])
    cv2.imwrite("plate.tif", landscape(3).astype(np.uint16) * 257)
    cv2.imwrite("parrot.png", in_colour())
    return tmp_path


@pytest.fixture
def colorizer(folder: Path, tiny_net: Path) -> Colorizer:
    return Colorizer(model=tiny_net, engine="opencv", precision="float32", executor="serial")


@pytest.mark.usefixtures("folder")
def test_what_the_page_shows_is_what_happens() -> None:
    page = doctest.DocTestParser().get_doctest(API.read_text(encoding="utf-8"), {}, "api.md", str(API), 0)
    assert len(page.examples) >= 20
    said: list[str] = []
    failed, _ = doctest.DocTestRunner().run(page, out=said.append)
    assert failed == 0, "".join(said)


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("colour", [False, True])
def test_an_array_keeps_its_luma_its_depth_and_itself(colorizer: Colorizer, depth: type, colour: bool) -> None:
    grey = landscape(4).astype(depth) * (257 if depth is np.uint16 else 1)
    pixels = np.dstack([grey] * 3) if colour else grey
    before = pixels.copy()
    made = colorizer.array(pixels)
    assert (made.shape, made.dtype) == ((60, 80, 3), depth)
    np.testing.assert_array_equal(cv2.cvtColor(made, cv2.COLOR_BGR2GRAY), grey)
    np.testing.assert_array_equal(pixels, before)
    assert np.ptp(made.astype(int), axis=2).max() > 0, "no colour came"


def test_views_are_taken_as_arrays_are(colorizer: Colorizer) -> None:
    pixels = np.dstack([landscape(5)] * 3)
    turned = pixels[::-1, ::2, ::-1]
    np.testing.assert_array_equal(colorizer.array(turned), colorizer.array(turned.copy()))


@pytest.mark.parametrize(
    ("pixels", "error"),
    [
        (np.zeros((4, 4), np.float32), TypeError),
        (np.zeros((4, 4), bool), TypeError),
        (np.zeros((4, 4, 4), np.uint8), ValueError),
        (np.zeros(4, np.uint8), ValueError),
        (np.zeros((0, 4), np.uint8), ValueError),
        (None, TypeError),
        ([[1, 2], [3, 4]], TypeError),
    ],
)
def test_what_is_no_picture_is_refused(colorizer: Colorizer, pixels: np.ndarray, error: type[Exception]) -> None:
    with pytest.raises(error):
        colorizer.array(pixels)


def test_any_order_of_bytes_and_any_layout_is_taken(colorizer: Colorizer) -> None:
    grey = landscape(4).astype(np.uint16) * 257
    expected = colorizer.array(grey)
    fixed = grey.copy()
    fixed.setflags(write=False)
    for pixels in (grey.astype(">u2"), np.asfortranarray(grey), fixed):
        np.testing.assert_array_equal(colorizer.array(pixels), expected)


def test_numbers_of_numpy_are_numbers(tiny_net: Path) -> None:
    Colorizer(model=tiny_net, engine="opencv", quality=np.int64(90), saturation=np.float32(0.5), verify=np.bool_(True))


def test_threads_that_share_a_net_get_what_one_gets(folder: Path, colorizer: Colorizer) -> None:
    """OpenCV's nets know no threads: without turns they stop, or give the colour of another picture."""
    pictures = [landscape(seed) for seed in range(4)]
    alone = [colorizer.array(each) for each in pictures]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(colorizer.array, pictures * 8))
        outcomes = list(threads.map(lambda number: colorizer.file("grandfather.jpg", f"{number}.png"), range(4)))
    for made, expected in zip(together, alone * 8, strict=True):
        np.testing.assert_array_equal(made, expected)
    assert [each.status for each in outcomes] == [Status.DONE] * 4


def test_a_process_that_is_given_one_loads_its_own_net(colorizer: Colorizer) -> None:
    there = pickle.loads(pickle.dumps(colorizer))
    np.testing.assert_array_equal(there.array(landscape(2)), colorizer.array(landscape(2)))


@pytest.mark.usefixtures("folder")
def test_an_empty_name_is_not_this_folder(colorizer: Colorizer) -> None:
    before = sorted(Path().rglob("*"))
    for call in (
        lambda: colorizer.archive("", "colour"),
        lambda: colorizer.archive(["scans", ""], "colour"),
        lambda: colorizer.archive("scans", ""),
        lambda: colorizer.file(""),
        lambda: colorizer.file("grandfather.jpg", ""),
    ):
        with pytest.raises((InputError, OutputError), match="is empty"):
            call()
    assert sorted(Path().rglob("*")) == before


def test_file_array_and_command_line_give_the_same_pixels(folder: Path, colorizer: Colorizer, tiny_net: Path) -> None:
    outcome = colorizer.file(folder / "grandfather.jpg", "by-file.png")
    settings = Settings(model=str(tiny_net), engine="opencv", precision="float32")
    colorize_picture(folder / "grandfather.jpg", folder / "by-command.png", settings)
    by_file = cv2.imread("by-file.png")
    np.testing.assert_array_equal(by_file, cv2.imread("by-command.png"))
    np.testing.assert_array_equal(by_file, colorizer.array(cv2.imread("grandfather.jpg", cv2.IMREAD_GRAYSCALE)))
    assert outcome == Outcome(
        source=str(folder / "grandfather.jpg"),
        output=Path("by-file.png"),
        status=Status.DONE,
        reason="",
        width=80,
        height=60,
        seconds=outcome.seconds,
        lost="",
    )


def test_the_net_is_loaded_once(folder: Path, colorizer: Colorizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.media.medium.open_net", lambda *_: pytest.fail("the net was loaded again"))
    colorizer.array(landscape(1))
    assert colorizer.file("grandfather.jpg").status is Status.DONE
    assert colorizer.file("plate.tif").output == Path("plate-colour.tif")


def test_nothing_is_replaced_and_originals_are_never_written(folder: Path, colorizer: Colorizer) -> None:
    first = colorizer.file("grandfather.jpg", "out.jpg").output
    assert first is not None
    with pytest.raises(OutputError, match="there already"):
        colorizer.file("grandfather.jpg", "out.jpg")
    colorizer.file("grandfather.jpg", "out.jpg", force=True)
    original = (folder / "grandfather.jpg").read_bytes()
    with pytest.raises(OutputError, match="original itself"):
        colorizer.file("grandfather.jpg", "grandfather.jpg", force=True)
    assert colorizer.file("grandfather.jpg", folder).output == folder / "grandfather-colour.jpg"
    assert colorizer.file("grandfather.jpg", "album").output == Path("album/grandfather.jpg")
    assert colorizer.file("grandfather.jpg", "album").output == Path("album/grandfather-2.jpg")
    assert (folder / "grandfather.jpg").read_bytes() == original


def test_a_dead_link_is_a_name_that_is_taken(folder: Path, colorizer: Colorizer) -> None:
    (folder / "grandfather-colour.jpg").symlink_to(folder / "nowhere.jpg")
    assert colorizer.file("grandfather.jpg").output == Path("grandfather-colour-2.jpg")
    assert not (folder / "nowhere.jpg").exists()


def test_the_callers_threads_stay(colorizer: Colorizer) -> None:
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(2)
        colorizer.file("grandfather.jpg")
        assert cv2.getNumThreads() == 2
    finally:
        cv2.setNumThreads(before)


def test_what_a_callback_raises_comes_out_and_the_next_call_goes_on(folder: Path, colorizer: Colorizer) -> None:
    def refuse(outcome: Outcome, count: int, total: int) -> None:
        raise LookupError(outcome.source)

    with pytest.raises(LookupError, match=r"1\.jpg"):
        colorizer.archive(["scans"], "colour", on_item=refuse)
    assert "1.jpg,1.jpg" in (folder / "colour" / "manifest.csv").read_text()
    seen: list[tuple[str, int, int]] = []
    summary = colorizer.archive("scans", "colour", on_item=lambda made, *numbers: seen.append((made.source, *numbers)))
    assert seen == [("2.jpg", 1, 2), ("torn.jpg", 2, 2)]
    assert (summary.counts, summary.worked) == ({"done": 2, "failed": 1}, 2)


def test_an_archive_says_nothing_on_its_own(
    folder: Path, colorizer: Colorizer, capfd: pytest.CaptureFixture[str]
) -> None:
    colorizer.archive("scans", "colour")
    assert capfd.readouterr() == ("", "")


def test_an_archive_is_what_a_run_makes(folder: Path, colorizer: Colorizer, tiny_net: Path) -> None:
    colorizer.archive("scans", "by-api")
    settings = Settings(model=str(tiny_net), engine="opencv", precision="float32", executor="serial")
    run_archive([folder / "scans"], folder / "by-run", settings, quiet=True)
    for name in ("1.jpg", "2.jpg"):
        assert (folder / "by-api" / name).read_bytes() == (folder / "by-run" / name).read_bytes()
    assert run_archive([folder / "scans"], folder / "by-api", settings, quiet=True).worked == 0


def test_settings_are_checked_and_the_environment_is_not_read(
    folder: Path, tiny_net: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLORIZE_MODEL", "nothing")
    Colorizer(config="archive", model=tiny_net, engine="opencv", exclude=["*.png"])
    with pytest.raises(SettingsError, match="Did you mean"):
        Colorizer(model=tiny_net, saturatoin=1.0)
    with pytest.raises(InputError, match="is a folder"):
        Colorizer(model=tiny_net, engine="opencv").file("scans")


def test_a_script_without_a_main_guard_uses_worker_processes(folder: Path, tiny_net: Path) -> None:
    script = folder / "script.py"
    script.write_text(
        "from colorize_archive import Colorizer\n"
        f"colorizer = Colorizer(model={str(tiny_net)!r}, engine='opencv', precision='float32', jobs=2)\n"
        "print(colorizer.archive('scans', 'colour').counts)\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)],
        env=environment(XDG_CACHE_HOME=os.environ["XDG_CACHE_HOME"]),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout == "{'done': 2, 'failed': 1}\n", done.stderr

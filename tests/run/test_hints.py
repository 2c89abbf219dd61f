"""Hints through whole runs: colours are where they were said to be, and that picture alone is done again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from pipeline.cli.main import commands
from pipeline.cli.presentation import Presentation
from pipeline.ground.errors import SettingsError
from pipeline.ground.settings import Settings
from pipeline.media.photo.read import read
from pipeline.run import driver
from pipeline.run.summary import Summary
from tests.conftest import landscape, pages_of, rows, write_tiff

Run = Callable[..., Summary]
# Upper left of the upright picture.
POINT = 'points = [{ x = 0.2, y = 0.25, color = "#2040c0" }]\n'


@pytest.fixture
def run(tmp_path: Path, tiny_net: Path) -> Run:
    """Colorize the folder "scans" into "colour"."""
    settings = Settings(model=str(tiny_net), engine="opencv", precision="float32", executor="serial")
    (tmp_path / "scans").mkdir()
    return lambda **changes: driver.run_archive(
        [tmp_path / "scans"], tmp_path / "colour", replace(settings, **changes), quiet=True
    )


def is_blue(bgr: np.ndarray, x: float, y: float) -> bool:
    around = bgr[int(y * bgr.shape[0]) - 1 :, int(x * bgr.shape[1]) - 1 :][:3, :3].reshape(-1, 3)
    blue, green, red = around.astype(float).mean(axis=0) * 255 / np.iinfo(bgr.dtype).max
    return blue > green + 40 and blue > red + 40


def halves(height: int = 120, width: int = 160) -> np.ndarray:
    """A picture whose left half is darker than its right one, with grain."""
    picture = np.where(np.arange(width) < width // 2, 80, 170)[np.newaxis] + np.zeros((height, 1))
    return (picture + np.random.default_rng(1).normal(0, 2, picture.shape)).clip(0, 255).astype(np.uint8)


def write_all(folder: Path) -> None:
    grey = halves()
    cv2.imwrite(str(folder / "plain.jpg"), grey)
    turned = Image.Exif()
    turned[274] = 6  # stored on its side
    Image.fromarray(np.rot90(grey)).save(folder / "turned.jpg", exif=turned)
    toned = np.dstack([grey, grey * 0.9, grey * 0.8]).astype(np.uint8)
    Image.fromarray(toned).save(folder / "sepia.jpg")
    cv2.imwrite(str(folder / "deep.png"), grey.astype(np.uint16) * 257)
    write_tiff(folder / "pages.tif", grey, grey)


def test_each_kind_of_picture_has_its_colour_where_it_was_said_to_be(tmp_path: Path, run: Run) -> None:
    scans, output = tmp_path / "scans", tmp_path / "colour"
    write_all(scans)
    cv2.imwrite(str(scans / "other.jpg"), landscape(3))
    run()
    before = {key: row.finished_at for key, row in rows(output).items()}
    names = ("plain.jpg", "turned.jpg", "sepia.jpg", "deep.png", "pages.tif")
    (output / "hints.toml").write_text("".join(f'["{name}"]\n{POINT}' for name in names))
    summary = run()
    assert summary.worked == len(names)
    assert {key for key, row in rows(output).items() if row.finished_at != before[key]} == set(names)
    made = {name: read(output / name, max_megapixels=1).pixels for name in names}
    made["second page"] = pages_of(output / "pages.tif")[1][:, :, ::-1]
    for name, pixels in made.items():
        assert pixels.shape == (120, 160, 3), name
        assert is_blue(pixels, 0.2, 0.25), name
        assert is_blue(pixels, 0.25, 0.4), name
        assert not is_blue(pixels, 0.75, 0.25), name
    assert made["deep.png"].dtype == np.uint16
    assert run().worked == 0


def test_the_luma_is_kept_under_hints(tmp_path: Path, run: Run) -> None:
    cv2.imwrite(str(tmp_path / "scans" / "deep.png"), halves())
    (tmp_path / "colour").mkdir()
    (tmp_path / "colour" / "hints.toml").write_text(f'["deep.png"]\n{POINT}warmth = 1\n')
    run()
    made = cv2.imread(str(tmp_path / "colour" / "deep.png"))
    np.testing.assert_array_equal(cv2.cvtColor(made, cv2.COLOR_BGR2GRAY), halves())


def test_quality_is_one_pictures_own(tmp_path: Path, run: Run) -> None:
    output = tmp_path / "colour"
    for name in ("1.png", "2.png"):
        cv2.imwrite(str(tmp_path / "scans" / name), landscape(4))
    run(format="jpg")
    sizes = [(output / name).stat().st_size for name in ("1.jpg", "2.jpg")]
    (output / "hints.toml").write_text('["1.png"]\nquality = 10\n')
    run(format="jpg")
    assert (output / "1.jpg").stat().st_size < 0.7 * sizes[0]
    assert (output / "2.jpg").stat().st_size == sizes[1]


def test_left_grey_is_a_copy_and_saturation_is_one_pictures_own(tmp_path: Path, run: Run) -> None:
    scans, output = tmp_path / "scans", tmp_path / "colour"
    for name in ("left.jpg", "pale.png"):
        cv2.imwrite(str(scans / name), landscape(4))
    write_tiff(scans / "left.tif", landscape(1), landscape(2))
    run()
    (output / "hints.toml").write_text(
        '["left.jpg"]\ndecision = "left-grey"\n["left.tif"]\ndecision = "left-grey"\n["pale.png"]\nsaturation = 0\n'
    )
    run()
    found = rows(output)
    for name in ("left.jpg", "left.tif"):
        assert (found[name].status, found[name].reason) == ("copied", "left grey, by a hint")
        assert (output / name).read_bytes() == (scans / name).read_bytes()
    pale = cv2.imread(str(output / "pale.png"))
    assert np.ptp(pale.astype(int), axis=2).max() <= 1
    (output / "hints.toml").unlink()
    run()
    assert {row.status for row in rows(output).values()} == {"done"}


def test_a_broken_hint_ends_the_run_before_anything_is_done(tmp_path: Path, run: Run) -> None:
    cv2.imwrite(str(tmp_path / "scans" / "1.jpg"), landscape(4))
    hints = tmp_path / "scans" / "hints.toml"
    hints.write_text('["1.jpg"]\npoints = [{ x = 1.5, y = 0.25, color = "#2040c0" }]\n')
    with pytest.raises(SettingsError, match="outside of the picture"):
        run()
    assert not (tmp_path / "colour").exists()
    hints.write_text(f'["1.jpg"]\n{POINT}["gone.jpg"]\n{POINT}')
    assert run().exit_code == 0


def test_what_names_nothing_is_said(tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    cv2.imwrite(str(tmp_path / "scans" / "1.jpg"), landscape(4))
    (tmp_path / "scans" / "hints.toml").write_text(f'["2.jpg"]\n{POINT}')
    run()
    assert "hints.toml: no such picture: 2.jpg" in capsys.readouterr().err


def test_the_manifest_says_how_doubtful_an_answer_is(tmp_path: Path, run: Run) -> None:
    write_all(tmp_path / "scans")
    run(on_color="copy")
    found = rows(tmp_path / "colour")
    assert all(row.doubt is not None and 0 <= row.doubt <= 100 for row in found.values())
    (tmp_path / "colour" / "hints.toml").write_text('["plain.jpg"]\ndecision = "left-grey"\n')
    run()
    assert rows(tmp_path / "colour")["plain.jpg"].doubt is None
    head, *lines = (tmp_path / "colour" / "manifest.csv").read_text().splitlines()
    at = head.split(",").index("doubt")
    assert {line.split(",")[0]: line.split(",")[at] for line in lines if "," in line}["turned.jpg"].isdigit()


def test_the_command_takes_decisions_and_says_what_it_could_not_take(tmp_path: Path, run: Run) -> None:
    cv2.imwrite(str(tmp_path / "scans" / "1.jpg"), landscape(4))
    run()
    file = tmp_path / "decisions.json"
    point = {"x": 0.2, "y": 0.25, "color": "#2040c0"}
    pictures = [{"key": "1.jpg", "points": [point]}, {"key": "no\x1bbody.jpg", "rating": 1}]

    def call() -> tuple[int, str]:
        file.write_text(json.dumps({"format": "colorize-decisions", "version": 1, "pictures": pictures}))
        arguments = ["hints", "import", str(file), str(tmp_path / "colour")]
        result = CliRunner().invoke(commands, arguments, obj=Presentation(), standalone_mode=False)
        return result.return_value, result.output

    code, said = call()
    assert (code, "no?body.jpg: no such picture" in said, "1 taken" in said) == (3, True, True)
    del pictures[1]
    assert call()[0] == 0
    assert run().worked == 1
    assert run().worked == 0

"""Variants of one picture, and choosing one of them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import cv2
import numpy as np
from click.testing import CliRunner, Result

from pipeline.cli.main import commands
from pipeline.cli.presentation import Presentation
from pipeline.ground.settings import Settings
from pipeline.run.driver import run_archive
from pipeline.web.review.compare import sheet, shown, variants
from tests.conftest import landscape
from tests.review.conftest import Archive

ENGINE = ("--engine", "opencv", "--precision", "float32")


def call(*arguments: object) -> Result:
    return CliRunner().invoke(
        commands, ["compare", *map(str, arguments), *ENGINE], obj=Presentation(quiet=True), standalone_mode=False
    )


def test_a_sheet_and_a_page_show_every_variant(archive: Archive, tmp_path: Path) -> None:
    picture, look, page = archive.source / "box/coat.jpg", tmp_path / "look.png", tmp_path / "look.html"
    came = call(picture, "-s", look, "-s", page, "--palettes", "natural,vivid", "--saturations", "0,1", "--side", 100)
    assert came.exception is None, came.exception
    assert cv2.imread(str(look)).shape[1] > 2 * 100
    text = page.read_text("utf-8")
    assert re.findall(r"<p>(.*?)</p>", text) == [
        "as it is", "1: embedded, natural, saturation 0", "2: embedded, natural, saturation 1",
        "3: embedded, vivid, saturation 0", "4: embedded, vivid, saturation 1",
    ]  # fmt: skip
    assert "http" not in text.replace("http-equiv", "")


def test_variants_differ_as_they_say(archive: Archive) -> None:
    wanted = variants(["embedded"], ["natural", "vivid"], [0, 1])
    settings = Settings(engine="opencv", precision="float32")
    tiles = list(shown(archive.source / "box/hills.jpg", wanted, settings, 100))
    chroma = [float(np.ptp(tile.pixels.astype(int), axis=2).mean()) for tile in tiles]
    assert max(chroma[0], chroma[1], chroma[3]) < 1 < chroma[2] < chroma[4]
    whole = sheet(tiles)
    assert (whole[12 : 12 + 67, 12 : 12 + 100] == tiles[0].pixels).all()


def test_choosing_writes_what_is_not_the_archives_own_and_the_next_run_makes_it(archive: Archive) -> None:
    picture = archive.source / "box/hills.jpg"
    before = (archive.output / "box/hills.jpg").read_bytes()
    wanted = ("--palettes", "natural,vivid", "--saturations", "1,1.5")
    assert call(picture, *wanted, "--choose", 4, "-o", archive.output).exception is None
    said = tomllib.loads((archive.output / "hints.toml").read_text("utf-8"))["box/hills.jpg"]
    assert (said["palette"], said["saturation"]) == ("vivid", 1.5)
    assert archive.run().worked == 1
    assert (archive.output / "box/hills.jpg").read_bytes() != before
    assert call(picture, *wanted, "--choose", 1, "-o", archive.output).exception is None
    assert archive.run().worked == 1
    assert (archive.output / "box/hills.jpg").read_bytes() == before, "the archive's own again"


def test_a_picture_of_one_of_two_inputs_of_the_same_name(tmp_path: Path) -> None:
    """Their labels name the folders above them, too."""
    inputs = [tmp_path / year / "scans" for year in ("1931", "1932")]
    for number, folder in enumerate(inputs):
        folder.mkdir(parents=True)
        cv2.imwrite(str(folder / "a.png"), landscape(number))
    settings = Settings(engine="opencv", precision="float32", executor="serial")
    run_archive(inputs, tmp_path / "out", settings, bar=False, quiet=True)
    assert call(inputs[1] / "a.png", "--choose", 1, "-o", tmp_path / "out").exception is None
    assert list(tomllib.loads((tmp_path / "out/hints.toml").read_text("utf-8"))) == ["scans (1932)/a.png"]


def test_what_makes_no_sense_is_one_sentence(archive: Archive) -> None:
    cases: list[tuple[list[object], str]] = [
        (["--choose", 9, "-o", "OUT"], "there are variants 1 to 3"),
        (["--choose", 1], "belong together"),
        ([], "Name a file with -s"),
        (["-s", "look.gif"], "end the name in one of"),
        (["-s", "x.png", "--saturations", "0.5,much"], "much is not a number"),
        (["-s", "x.png", "--saturations", "nan"], "nan is not a number"),
        (["-s", "x.png", "--palettes", "blue"], "blue is not natural, restrained"),
        (["-s", "x.png", "--models", "nobody"], 'no model "nobody"'),
        (["-s", "x.png", "--saturations", ",".join(["1"] * 65)], "up to 64"),
    ]
    for arguments, sentence in cases:
        came = call(archive.source / "box/coat.jpg", *(archive.output if each == "OUT" else each for each in arguments))
        assert sentence in str(came.exception), arguments
    assert not (archive.output / "hints.toml").exists()


def test_a_picture_of_nobody(archive: Archive, tmp_path: Path) -> None:
    other = tmp_path / "other.png"
    other.write_bytes((archive.source / "box/more.png").read_bytes())
    assert "no item" in str(call(other, "--choose", 1, "-o", archive.output).exception)
    assert "is not there" in str(call(tmp_path / "none.png", "-s", tmp_path / "x.png").exception)
    assert "original itself" in str(call(other, "-s", other, "--force").exception)

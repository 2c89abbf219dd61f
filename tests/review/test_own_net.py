"""A net for one picture, chosen from a sheet and previewed."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.nets import taking_points
from tests.review.conftest import Archive, serve
from tests.review.test_compare import call

COAT = "box/coat.jpg"


@pytest.fixture
def net(tmp_path: Path) -> Path:
    return taking_points.write(tmp_path / "nets" / "points.onnx") if (tmp_path / "nets").mkdir() is None else Path()


def hints(archive: Archive) -> dict[str, object]:
    found: dict[str, object] = tomllib.loads((archive.output / "hints.toml").read_text("utf-8"))[COAT]
    return found


def test_a_variant_of_another_net_is_chosen_and_made(
    archive: Archive, net: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(net.parent)
    times = {path: path.stat().st_mtime_ns for path in archive.output.rglob("box/*")}
    wanted = ("--models", f"embedded,{net.name}", "--saturations", "1")
    assert call(archive.source / COAT, *wanted, "--choose", 2, "-o", archive.output).exception is None
    assert hints(archive)["model"] == str(net), "whole: the next run may be called in another folder"
    monkeypatch.chdir(os.sep)
    with serve(archive.output) as page:
        status, preview = page.preview(COAT)
        assert archive.run().worked == 1
        assert page.preview(COAT) == (204, b""), "the output is that already"
    assert {path for path, time in times.items() if path.stat().st_mtime_ns != time} == {archive.output / COAT}
    made = cv2.imread(str(archive.output / COAT)).astype(int)
    shown = cv2.imdecode(np.frombuffer(preview, np.uint8), cv2.IMREAD_COLOR).astype(int)
    assert (status, np.abs(made - shown).mean() < 3) == (200, True)
    assert call(archive.source / COAT, *wanted, "--choose", 1, "-o", archive.output).exception is None
    assert archive.run().worked == 1


def test_points_go_into_a_net_that_takes_them(archive: Archive, net: Path) -> None:
    point = {"x": 0.25, "y": 0.5, "color": "#3a5f8a"}
    with serve(archive.output) as page:
        assert page.decide(COAT, model=str(net))[0] == 200
        assert archive.run().worked == 1
        before = cv2.imread(str(archive.output / COAT)).astype(int)
        assert page.decide(COAT, points=[point])[0] == 200
        shown = cv2.imdecode(np.frombuffer(page.preview(COAT, points=[point])[1], np.uint8), cv2.IMREAD_COLOR)
        assert archive.run().worked == 1
    after = cv2.imread(str(archive.output / COAT)).astype(int)
    assert np.abs(after - shown).mean() < 3
    # The made net spreads a point over a square of 21 of 64 pixels, whatever the luma in it is: no other way does.
    bluer = (after - before)[:, :, 0] - (after - before)[:, :, 2]
    height, width = bluer.shape
    rows, columns = slice(int(0.36 * height), int(0.64 * height)), slice(int(0.11 * width), int(0.39 * width))
    assert bluer[rows, columns].min() > 15
    assert np.abs(bluer[: int(0.3 * height)]).max() < 8
    assert np.abs(bluer[:, int(0.5 * width) :]).max() < 8


def test_a_net_that_is_not_there_is_one_sentence(archive: Archive) -> None:
    with serve(archive.output) as page:
        status, said = page.preview(COAT, model="zhang2061")
        assert (status, said.decode()) == (409, said.decode().splitlines()[0])
        assert "There is no model" in said.decode()
        assert page.decide(COAT, model="nets/x.onnx")[0] == 409


def test_a_palette_of_its_own_is_previewed_until_it_is_made(archive: Archive) -> None:
    with serve(archive.output) as page:
        assert page.decide(COAT, palette="vivid")[0] == 200
        assert page.preview(COAT)[0] == 200
        assert archive.run().worked == 1
        assert page.preview(COAT) == (204, b""), "its chart is in what it was made under"

"""Effects of the options by which pictures are made; the table of all options is in test_run.py."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.ground.errors import ColorizeError, EngineError, SettingsError
from pipeline.media.photo.jpeg import turbo
from pipeline.media.photo.jpeg.segments import parse
from pipeline.nets.engines import catalogue
from tests.cli.bench import Bench
from tests.conftest import in_colour, landscape, pages_of, write_tiff


def model(bench: Bench) -> None:
    bench.photograph()
    bench.run()
    assert bench.manifest()["1.png"]["model"] == "tiny"
    before = bench.made("1.png")
    assert bench.worked("--model", "embedded") == 1
    assert bench.manifest()["1.png"]["model"].startswith("embedded")
    assert not np.array_equal(bench.made("1.png"), before)


def models_dir(bench: Bench) -> None:
    bench.photograph()
    (bench.folder / "nets").mkdir()
    (bench.folder / "nets" / "mine.onnx").write_bytes(bench.net.read_bytes())
    bench.run("--model", "mine", "--models-dir", bench.folder / "nets")
    assert bench.manifest()["1.png"]["model"] == "mine"
    with pytest.raises(ColorizeError, match="no model"):
        bench.run("--model", "mine")


def three_files(bench: Bench) -> list[object]:
    from pipeline.nets.convert.release_topology import write_release_caffe

    paths = write_release_caffe(bench.folder, width=0.0625, size=32)
    flags = zip(("--prototxt", "--model", "--points"), paths, strict=True)
    return [each for pair in flags for each in pair] + ["--models-dir", bench.folder / "nets"]


def prototxt(bench: Bench) -> None:
    bench.photograph()
    files = three_files(bench)
    bench.run(*files)
    assert bench.manifest()["1.png"]["model"] == "release"
    with pytest.raises(SettingsError, match="three files"):
        bench.run("--prototxt", files[1])


def points(bench: Bench) -> None:
    bench.photograph()
    files = three_files(bench)
    bench.run(*files, "--format", "png")
    before = bench.made("1.png")
    path = Path(str(files[5]))
    np.save(path, np.zeros_like(np.load(path)))
    assert bench.worked(*files, "--format", "png") == 1
    assert np.ptp(before.astype(int), axis=2).max() > 5
    assert np.ptp(bench.made("1.png").astype(int), axis=2).max() <= 1


def engine(bench: Bench) -> None:
    if not catalogue.installed("onnxruntime"):
        pytest.skip("a second engine is not installed")
    bench.photograph()
    bench.run()
    assert bench.manifest()["1.png"]["engine"] == "opencv/float32"
    assert bench.worked("--engine", "onnxruntime") == 1
    assert bench.manifest()["1.png"]["engine"] == "onnxruntime/float32"


def precision(bench: Bench) -> None:
    bench.photograph()
    with pytest.raises(EngineError, match="computes in float32, not in bfloat16"):
        bench.run("--precision", "bfloat16")


def format(bench: Bench) -> None:
    bench.photograph()
    for name, kind in (("jpg", "JPEG"), ("png", "PNG"), ("tif", "TIFF"), ("webp", "WEBP")):
        bench.run("--format", name)
        with Image.open(bench.colour / f"1.{name}") as image:
            assert image.format == kind
    assert sorted(path.name for path in bench.colour.glob("1.*")) == ["1.webp"], "earlier ones are superseded"


def quality(bench: Bench) -> None:
    bench.photograph(pixels=landscape(1, 200, 300))
    sizes = []
    for value in (95, 20):
        assert bench.worked("--format", "jpg", "--quality", value) == 1
        sizes.append((bench.colour / "1.jpg").stat().st_size)
    assert sizes[1] < sizes[0]


def lightness(bench: Bench) -> None:
    path = bench.photograph(pixels=landscape(1, 200, 300))
    grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    apart = []
    for value in ("luma", "lab"):
        assert bench.worked("--lightness", value) == 1
        luma = cv2.cvtColor(bench.made("1.png"), cv2.COLOR_BGR2GRAY)
        apart.append(int(np.abs(luma.astype(int) - grey).max()))
    assert apart[0] == 0 < apart[1]


def chroma_sampling(bench: Bench) -> None:
    bench.photograph(pixels=landscape(1, 200, 300))
    for value, sampling in (("420", (2, 2)), ("444", (1, 1))):
        bench.run("--format", "jpg", "--chroma-sampling", value)
        with Image.open(bench.colour / "1.jpg") as image:
            assert image.layer[0][1:3] == sampling


def jpeg_scans(bench: Bench) -> None:
    source = bench.photograph("1.jpg", pixels=landscape(1, 200, 300))
    grey = cv2.imread(str(source), cv2.IMREAD_GRAYSCALE)
    for value, scans in (("separate", 3), ("interleaved", 1)):
        if value == "interleaved" and not turbo.available():
            pytest.skip("libturbojpeg is not installed")
        bench.run("--format", "jpg", "--jpeg-scans", value)
        data = (bench.colour / "1.jpg").read_bytes()
        assert len(parse(data).scans) == scans
        np.testing.assert_array_equal(cv2.imread(str(bench.colour / "1.jpg"), cv2.IMREAD_GRAYSCALE), grey)


def layout(bench: Bench) -> None:
    grey = landscape(1)
    bench.photograph(pixels=grey)
    bench.run()
    alone = bench.made("1.png")
    assert bench.worked("--layout", "side-by-side") == 1
    pair = bench.made("1.png")
    np.testing.assert_array_equal(pair, np.hstack([np.dstack([grey] * 3), alone]))
    assert "side by side" in bench.manifest()["1.png"]["metadata"]


def keep_times(bench: Bench) -> None:
    source = bench.photograph("1.png")
    os.utime(source, (1_000_000_000, 1_000_000_000))
    for flag, kept in ((), False), (("--keep-times",), True):
        bench.run(*flag)
        assert ((bench.colour / "1.png").stat().st_mtime == 1_000_000_000) == kept
        (bench.colour / "1.png").unlink()


def provenance(bench: Bench) -> None:
    bench.photograph()
    mark = b"compositeWithTrainedAlgorithmicMedia"
    bench.run()
    assert mark in (bench.colour / "1.png").read_bytes()
    assert bench.worked("--no-provenance") == 1
    assert mark not in (bench.colour / "1.png").read_bytes()


def pages(bench: Bench) -> None:
    write_tiff(bench.scans / "letter.tif", landscape(1), landscape(2))
    bench.run("--format", "tif")
    assert len(pages_of(bench.colour / "letter.tif")) == 2
    assert bench.worked("--format", "tif", "--pages", "first") == 1
    assert len(pages_of(bench.colour / "letter.tif")) == 1


def saturation(bench: Bench) -> None:
    bench.photograph()
    spread = []
    for value in (1, 0.4, 0):
        assert bench.worked("--format", "png", "--saturation", value) == 1
        spread.append(np.ptp(bench.made("1.png").astype(int), axis=2).mean())
    assert spread[0] > 1.5 * spread[1] > spread[2]
    assert spread[2] <= 1


def palette(bench: Bench) -> None:
    bench.photograph()
    spread = {}
    for value in ("natural", "restrained", "vivid", "plain"):
        assert bench.worked("--format", "png", "--palette", value) == 1
        spread[value] = np.ptp(bench.made("1.png").astype(int), axis=2).mean()
    assert spread["restrained"] <= spread["natural"] < spread["vivid"]
    assert len(set(spread.values())) == 4


def on_color(bench: Bench) -> None:
    bench.photograph(pixels=in_colour())
    for value, status in (("copy", "copied"), ("skip", "skipped"), ("recolor", "done")):
        bench.run("--on-color", value)
        assert bench.statuses() == {"1.png": status}


def on_color_list(bench: Bench) -> None:
    for name in ("1.png", "2.png", "3.png"):
        bench.photograph(name, in_colour())
    bench.photograph("box 4/,5.png")
    said = bench.scans.parent / "said.txt"
    said.write_text("# looked at\n\nrecolor 1.png\nskip 2.png\ncopy box 4/,5.png\ncopy 9.png\n")
    bench.run("--on-color-list", said)
    assert "no such item: 9.png" in bench.said
    wanted = {"1.png": "done", "2.png": "skipped", "3.png": "copied", "box 4/,5.png": "copied"}
    assert bench.statuses() == wanted
    assert bench.manifest()["box 4/,5.png"]["reason"] == "listed as in colour"
    assert bench.worked("--on-color-list", said) == 0
    said.write_text("recolor 1.png\n")  # what is no longer listed is decided as before
    assert bench.worked("--on-color-list", said) == 2
    assert bench.statuses() == wanted | {"2.png": "copied", "box 4/,5.png": "done"}

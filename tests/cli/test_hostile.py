"""Configurations and nets made to hurt, through the command line: a sentence and an exit code, never a hang."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.ground.files import write_whole
from tests.conftest import environment, landscape, write_archive

Colorize = Callable[..., subprocess.CompletedProcess[str]]
ENGINE = ("--engine", "opencv", "--precision", "float32")


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    folder = tmp_path / "scans"
    folder.mkdir()
    for number in range(3):
        cv2.imwrite(str(folder / f"{number}.png"), landscape(number))
    return folder


def refused(colorize: Colorize, code: int, *arguments: object) -> str:
    """Call, and return the one sentence that was said."""
    done = colorize(*arguments)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert done.stderr.startswith("colorize: "), done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr


DEEP = {
    "brackets": "a = " + "[" * 60_000,
    "tables": "a = " + "{a=" * 20_000,
    "dots": ".".join("a" * 30_000) + " = 1",
    "headers": "[" + ".".join("a" * 30_000) + "]",
    "digits": "quality = " + "9" * 60_000,
    "long": "# " + "x" * 200_000,
    "bytes": "quality = \udcff",
}


@pytest.mark.parametrize("name", DEEP)
def test_a_configuration_made_to_hurt(colorize: Colorize, scans: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / "hostile.toml"
    path.write_text(DEEP[name], encoding="utf-8", errors="surrogateescape")
    assert str(path) in refused(colorize, 2, "run", scans, "-o", tmp_path / "out", "--config", path)


@pytest.mark.parametrize("place", ["/dev/zero", "pipe"])
@pytest.mark.parametrize(("option", "code"), [("--config", 2), ("--on-color-list", 2), ("--model", 4)])
def test_what_has_no_end_is_not_waited_for(
    colorize: Colorize, scans: Path, tmp_path: Path, place: str, option: str, code: int
) -> None:
    path = Path(place)
    if place == "pipe":
        path = tmp_path / "pipe.onnx"
        os.mkfifo(path)
    refused(colorize, code, "run", scans, "-o", tmp_path / "out", option, path)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("place", ["/dev/zero", "pipe.caffemodel"])
def test_files_to_import_that_have_no_end(colorize: Colorize, tmp_path: Path, place: str) -> None:
    path = tmp_path / place
    if not path.exists():
        os.mkfifo(path)
    refused(colorize, 4, "models", "import", path, path, path, "-o", tmp_path / "x.onnx")


@pytest.mark.parametrize("option", ["--metrics", "--certificate"])
def test_a_pipe_is_neither_waited_for_nor_replaced(
    colorize: Colorize, scans: Path, tmp_path: Path, option: str
) -> None:
    """A device in such a place would be gone: `--metrics /dev/null` by root put a file in its place."""
    path, more = tmp_path / "pipe", ["--certificate-key", tmp_path / "pipe"] if option == "--certificate" else []
    os.mkfifo(path)
    refused(colorize, 2 if more else 5, "run", scans, "-o", tmp_path / "out", option, path, *more)
    assert path.is_fifo()
    assert not (tmp_path / "out").exists()


def test_no_file_takes_the_place_of_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="a pipe or a device"):
        write_whole(tmp_path / "pipe", "text")
    assert [path.is_fifo() for path in tmp_path.iterdir()] == [True]


def test_a_prototxt_of_20_000_levels(colorize: Colorize, tmp_path: Path) -> None:
    path = tmp_path / "deep.prototxt"
    path.write_text("layer {" * 20_000)
    (tmp_path / "x.caffemodel").write_bytes(b"\x0a\x01x")
    said = refused(colorize, 4, "models", "import", path, tmp_path / "x.caffemodel", path, "-o", tmp_path / "x.onnx")
    assert "more than 32 deep" in said


def net_that_fails_on_white(path: Path, factor: float) -> Path:
    """A net whose answer is nothing up to a lightness of 95, and `factor` for each step beyond."""
    onnx = pytest.importorskip("onnx", reason="makes a net; extra: import")
    from onnx import TensorProto, helper, numpy_helper

    weights = {
        "one": np.ones((1, 1, 1, 1), np.float32), "less": np.float32([-95]),
        "much": np.full((2, 1, 1, 1), factor, np.float32),
    }  # fmt: skip
    nodes = [
        helper.make_node("Conv", ["light", "one", "less"], ["beyond"], kernel_shape=[1, 1]),
        helper.make_node("Relu", ["beyond"], ["over"]),
        helper.make_node("Conv", ["over", "much"], ["ab"], kernel_shape=[1, 1]),
    ]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, 32, 32])
             for name, channels in (("light", 1), ("ab", 2))]  # fmt: skip
    held = [numpy_helper.from_array(values, name) for name, values in weights.items()]
    graph = helper.make_graph(nodes, "net", ports[:1], ports[1:], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("factor", [3e38, 60.0])
@pytest.mark.parametrize("jobs", [("--executor", "serial"), ("--jobs", "2")])
def test_a_wrong_answer_of_the_net_halts_the_run(
    colorize: Colorize, scans: Path, tmp_path: Path, factor: float, jobs: tuple[str, str]
) -> None:
    for number in range(40, 60):
        cv2.imwrite(str(scans / f"{number} white.png"), np.maximum(landscape(number), 255))
    net = net_that_fails_on_white(tmp_path / "net.onnx", factor)
    done = colorize("run", scans, "-o", tmp_path / "out", "--model", net, *ENGINE, *jobs)
    assert done.returncode == 4
    assert ("gave a colour of 3" if factor < 1e30 else "gave ") in done.stderr
    assert "fault" not in done.stderr
    assert not list((tmp_path / "out").glob("*white*"))
    with (tmp_path / "out" / "manifest.csv").open(encoding="utf-8", newline="") as file:
        assert {row["status"] for row in csv.DictReader(file)} <= {"done"}


def test_a_net_with_weights_that_are_no_numbers_writes_nothing(
    colorize: Colorize, scans: Path, tiny_net: Path, tmp_path: Path
) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load(tiny_net)
    weights = model.graph.initializer[0]
    weights.raw_data = np.float32(np.nan).tobytes() + weights.raw_data[4:]
    (tmp_path / "nan.onnx").write_bytes(model.SerializeToString())
    said = refused(colorize, 4, "run", scans, "-o", tmp_path / "out", "--model", tmp_path / "nan.onnx")
    assert "infinite or none (NaN)" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="limits as Linux has them")
def test_what_the_machine_does_not_give_is_no_fault_of_the_program(tmp_path: Path, user_cache: Path) -> None:
    write_archive(tmp_path / "scans", 1)
    script = "import resource as r; r.setrlimit(r.RLIMIT_NOFILE, (10, 10)); from pipeline.cli.main import main; main()"
    words = ["run", tmp_path / "scans", "-o", tmp_path / "colour", "--engine", "opencv", "--precision", "float32"]
    done = subprocess.run(
        [sys.executable, "-c", script, *words], env=environment(XDG_CACHE_HOME=str(user_cache)), capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 5, done.stderr
    assert "Worker processes cannot be started: too many open files." in done.stderr

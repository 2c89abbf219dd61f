"""A finished archive stays with its engine."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from pipeline.archive.journal import Journal
from pipeline.ground.errors import ModelError, SettingsError
from pipeline.ground.settings import Settings
from pipeline.nets.engine import Engine
from pipeline.nets.engines.choice import Choice
from pipeline.nets.engines.findings import Trial
from pipeline.nets.resolve import find_net
from pipeline.run import engine
from tests.conftest import write_archive

Colorize = Callable[..., subprocess.CompletedProcess[str]]


def begun(output: Path, settings: Settings) -> None:
    with Journal(output) as journal:
        journal.start_run(inputs=[], settings=asdict(settings), fingerprint="f", version="0")


TRIALS = (
    Trial(Engine("opencv", "float32"), True, "the reference", 20.0),
    Trial(Engine("openvino", "float32"), True, "agrees", 10.0),
    Trial(Engine("openvino", "bfloat16"), False, "differs too much", 5.0),
)


@pytest.mark.parametrize(
    ("last", "asked", "settled"),
    [
        (None, Settings(), ("openvino", "float32")),
        (Settings(engine="opencv", precision="float32"), Settings(), ("opencv", "float32")),
        (Settings(engine="openvino", precision="bfloat16"), Settings(), ("openvino", "float32")),
        (Settings(engine="onnxruntime", precision="float32"), Settings(), ("openvino", "float32")),
        (Settings(engine="opencv", precision="float32"), Settings(engine="openvino"), ("openvino", "float32")),
    ],
)
def test_auto_stays_with_the_engine_of_the_last_run_while_it_passes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    last: Settings | None,
    asked: Settings,
    settled: tuple[str, str],
) -> None:
    monkeypatch.setattr(engine, "choose_engine", lambda *_: Choice(Engine("openvino", "float32"), TRIALS))
    if last is not None:
        begun(tmp_path, last)
    _, choice = engine.settle(asked)
    with Journal(tmp_path) as journal:
        assert engine.settled_for(journal, choice, asked) == Engine(*settled)


def test_the_tutorial_s_three_files_come_together(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="three files"):
        find_net(Settings(prototxt="a.prototxt", model="b.caffemodel"))
    with pytest.raises(ModelError, match=r"a\.prototxt"):
        find_net(Settings(prototxt=str(tmp_path / "a.prototxt"), model="b.caffemodel", points="c.npy"))


def test_the_tutorial_s_three_files_colorize(tmp_path: Path, colorize: Colorize) -> None:
    pytest.importorskip("onnx", reason="makes and, on OpenCV 5, converts the Caffe files; extra: import")
    from pipeline.nets.convert.release_topology import write_release_caffe

    prototxt, caffemodel, points = write_release_caffe(tmp_path, width=0.125)
    write_archive(tmp_path / "scans", 2)
    run = colorize(
        "run", tmp_path / "scans", "-o", tmp_path / "colour", "--prototxt", prototxt, "--model", caffemodel,
        "--points", points, "--engine", "opencv", "--models-dir", tmp_path / "models",
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert len(list((tmp_path / "colour").glob("box*/*.jpg"))) == 2

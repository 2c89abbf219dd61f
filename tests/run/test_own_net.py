"""A net that a person chose for one picture: it alone is made by it, and it alone fails where that is not there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import pytest

from pipeline.ground.errors import Crowded, ItemError
from pipeline.ground.hints import Hints
from pipeline.ground.items import Kind, Unit, Verb
from pipeline.ground.settings import Settings
from pipeline.media.medium import Job, Memory, Tools
from pipeline.media.own_net import OwnNet
from pipeline.nets.engine import Engine
from pipeline.nets.resolve import resolve
from pipeline.run import driver
from pipeline.run.summary import Summary
from tests.conftest import landscape, rows, write_tiff

Run = Callable[..., Summary]
OPENCV = Engine("opencv", "float32")


@pytest.fixture(scope="session")
def other_net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `tiny_net`, with other weights."""
    pytest.importorskip("onnx", reason="makes a tiny net; extra: import")
    from pipeline.nets.convert.release_topology import write_release_onnx

    path = tmp_path_factory.mktemp("net") / "other.onnx"
    write_release_onnx(path, width=0.0625, size=32, seed=1)
    return path


@pytest.fixture
def run(tmp_path: Path, tiny_net: Path) -> Run:
    settings = Settings(model=str(tiny_net), engine="opencv", precision="float32", executor="serial")
    (tmp_path / "scans").mkdir()
    for name in ("1.png", "2.png"):
        cv2.imwrite(str(tmp_path / "scans" / name), landscape(4))
    write_tiff(tmp_path / "scans" / "pages.tif", landscape(1), landscape(2))
    return lambda **changes: driver.run_archive(
        [tmp_path / "scans"], tmp_path / "colour", replace(settings, **changes), quiet=True
    )


def say(tmp_path: Path, *keys: str, **said: Any) -> None:
    text = "".join(f'["{key}"]\n' + "".join(f'{name} = "{value}"\n' for name, value in said.items()) for key in keys)
    (tmp_path / "colour").mkdir(exist_ok=True)
    (tmp_path / "colour" / "hints.toml").write_text(text)


@pytest.mark.parametrize("executor", ["serial", "loky"])
def test_that_picture_alone_is_made_by_it(tmp_path: Path, run: Run, other_net: Path, executor: str) -> None:
    output = tmp_path / "colour"
    run()
    plain = rows(output)
    say(tmp_path, "1.png", "pages.tif", model=other_net)
    assert run(executor=executor, jobs=1).worked == 2
    made = rows(output)
    assert {key: row.model for key, row in made.items()} == {"1.png": "other", "2.png": "tiny", "pages.tif": "other"}
    assert made["2.png"] == plain["2.png"]
    assert made["1.png"].output_sha256 != plain["1.png"].output_sha256
    assert run().worked == 0
    (output / "hints.toml").unlink()
    assert run().worked == 2
    assert {key: row.output_sha256 for key, row in rows(output).items() if row.kind == Kind.PHOTO} == {
        key: row.output_sha256 for key, row in plain.items() if row.kind == Kind.PHOTO
    }


def test_it_is_the_same_as_a_run_of_that_net(tmp_path: Path, run: Run, other_net: Path) -> None:
    say(tmp_path, "1.png", model=other_net, palette="vivid")
    run()
    mixed = rows(tmp_path / "colour")["1.png"]
    (tmp_path / "colour" / "hints.toml").unlink()
    run(model=str(other_net), palette="vivid")
    assert rows(tmp_path / "colour")["1.png"].output_sha256 == mixed.output_sha256


def test_another_file_of_that_name_is_another_net(tmp_path: Path, run: Run, tiny_net: Path, other_net: Path) -> None:
    own = tmp_path / "own.onnx"
    own.write_bytes(other_net.read_bytes())
    say(tmp_path, "1.png", model=own)
    run()
    own.write_bytes(tiny_net.read_bytes())
    assert run().worked == 1


@pytest.mark.parametrize("executor", ["serial", "loky"])
def test_where_it_is_not_there_that_picture_fails_alone(
    tmp_path: Path, run: Run, other_net: Path, executor: str
) -> None:
    output, own = tmp_path / "colour", tmp_path / "own.onnx"
    run()
    before = (output / "1.png").read_bytes()
    say(tmp_path, "1.png", model=own)
    summary = run(executor=executor, jobs=2)
    assert summary.exit_code == 3
    found = rows(output)
    assert {key: str(row.status) for key, row in found.items()} == {
        "1.png": "failed",
        "2.png": "done",
        "pages.tif": "done",
    }
    assert found["1.png"].reason == f"the net {own} of its hints: The model file {own} is not there"
    assert (output / "1.png").read_bytes() == before, "what was made before is not lost"
    own.write_bytes(other_net.read_bytes())
    assert (run().worked, rows(output)["1.png"].status) == (1, "done")


def test_a_name_that_is_none_and_a_file_that_is_no_net(tmp_path: Path, run: Run) -> None:
    own = tmp_path / "own.onnx"
    own.write_bytes(b"no net")
    for model, said in (("zhang2061", 'There is no model "zhang2061".'), (own, "own.onnx")):
        say(tmp_path, "1.png", model=model)
        assert run().exit_code == 3
        row = rows(tmp_path / "colour")["1.png"]
        assert said.rstrip(".") in row.reason
        assert "\n" not in row.reason


def tools(tmp_path: Path, net: Path, other: Path, memory: Memory) -> Tools:
    own = OwnNet(str(other), resolve(str(other)), OPENCV)
    return Tools.loaded(Job(Settings(), resolve(str(net)), OPENCV, tmp_path, tmp_path, memory, (own,)))


def test_the_guard_of_memory_counts_it(tmp_path: Path, tiny_net: Path, other_net: Path) -> None:
    unit = Unit(
        Verb.MAKE, "1", Kind.PHOTO, tmp_path / "1.png", "1.png", "1.png", hints=Hints(model=str(other_net), net="x")
    )
    need = resolve(str(other_net)).held
    assert need == 3 * other_net.stat().st_size
    with pytest.raises(ItemError, match=r"too large for the memory: the net .*other.onnx needs"):
        tools(tmp_path, tiny_net, other_net, Memory(need - 1, need - 1)).wished(unit)
    guarded = tools(tmp_path, tiny_net, other_net, Memory(need - 1, need + 1))
    with pytest.raises(Crowded):
        guarded.wished(unit)
    made = guarded.wished(replace(unit, alone=True))
    assert (made.net.spec.name, made.beside) == ("other", need)
    plain = guarded.wished(replace(unit, hints=Hints()))
    assert (plain.net.spec.name, plain.beside) == ("tiny", 0)
    assert guarded.second._held is None, "its memory is given back"

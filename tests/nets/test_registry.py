import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.ground.errors import ModelError
from pipeline.nets import resolve as resolution
from pipeline.nets.resolve import resolve
from pipeline.nets.spec import Answer, Feed
from pipeline.nets.store import identify
from pipeline.nets.store.registry import load_registry

ENTRY = """
[models.tiny]
title = "Tiny"
licence = "MIT"
citation = "nobody"
input_size = 64
feed = { offset = -50 }
[[models.tiny.files]]
name = "tiny.onnx"
sha256 = "%s"
""" % ("0" * 64)


@pytest.fixture
def registry_of(tmp_path, monkeypatch):
    def use(text: str):
        path = tmp_path / "models.toml"
        path.write_text(text, encoding="utf-8")
        found = load_registry(path)
        for room in (resolution, identify):
            monkeypatch.setattr(room, "load_registry", lambda: found)
        return found

    return use


def test_the_registry_that_travels_with_the_program_is_sound():
    registry = load_registry()
    assert registry.entry("embedded").carried
    assert {"zhang2016", "eccv16-onnx", "eccv16-pth", "siggraph17-onnx", "siggraph17-pth", "ddcolor"} <= set(
        registry.entries
    )
    for entry in registry.entries.values():
        assert entry.carried or all(file.mirrors for file in entry.files)
        assert entry.licence
        assert entry.citation


def test_the_embedded_net_is_there_and_is_the_one_registered():
    spec = resolve("embedded")
    assert spec.name == "embedded-v4"
    assert spec.sha256.startswith("52dd5be9")
    assert (spec.input_size, spec.feed.offset, spec.answer.kind) == (192, -50.0, "ab")
    assert spec.inputs[0].name == "L"


def test_a_copy_of_a_registered_net_is_known_wherever_it_lies(tmp_path):
    path = tmp_path / "renamed.onnx"
    path.write_bytes(resolve("embedded").path.read_bytes())
    spec = resolve(str(path))
    assert (spec.name, spec.input_size, spec.path) == ("embedded-v4", 192, path)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("embeded", 'Did you mean "embedded"'),
        ("qqqqq", "colorize models list"),
        ("zhang2016", "colorize models fetch zhang2016"),
        ("ddcolor", "colorize models fetch ddcolor"),
        ("siggraph17-pth", "colorize models fetch siggraph17-pth"),
        ("ddcolor-paper-tiny-pth", "Export it"),
        ("nowhere/net.onnx", "is not there"),
        ("other.onnx", "is not there"),
        ("weights.caffemodel", "colorize models import"),
    ],
)
def test_a_model_that_is_not_there_says_what_to_do(model, says, tmp_path):
    with pytest.raises(ModelError, match=says) as caught:
        resolve(model, tmp_path)
    assert caught.value.exit_code == 4


def test_a_registered_file_is_checked_before_use(tmp_path, registry_of, make_net):
    path = make_net("zhang", name="tiny")
    registry_of(ENTRY)
    with pytest.raises(ModelError, match=r"does not match its checksum.*colorize models fetch tiny"):
        resolve("tiny", path.parent)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<!DOCTYPE html><html>404</html>", "a page of HTML"),
        (b"\n  <html><body>quota exceeded", "a page of HTML"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "Git-LFS pointer"),
        (b"", "is empty"),
    ],
)
def test_impostors_are_recognised(tmp_path, registry_of, content, says):
    registry_of(ENTRY)
    (tmp_path / "tiny.onnx").write_bytes(content)
    for model in ("tiny", str(tmp_path / "tiny.onnx")):
        with pytest.raises(ModelError, match=says):
            resolve(model, tmp_path)


@pytest.mark.parametrize(
    ("kind", "size", "feed", "answer"),
    [
        ("zhang", 64, Feed(offset=-50.0), Answer()),
        ("raw", 64, Feed(), Answer()),
        ("siggraph", 64, Feed(), Answer()),
        ("ddcolor", 64, Feed(channels=3), Answer()),
        ("deoldify", 64, Feed(channels=3, scale=255.0), Answer(kind="rgb", scale=1 / 255)),
    ],
)
def test_a_file_without_metadata_is_known_by_its_shapes(make_net, kind, size, feed, answer):
    spec = resolve(str(make_net(kind)))
    assert (spec.input_size, spec.feed, spec.answer) == (size, feed, answer)
    assert len(spec.inputs) == (3 if kind == "siggraph" else 1)


def test_open_sizes_get_the_kind_s_usual_one(make_net):
    assert resolve(str(make_net("ddcolor", size=None))).input_size == 512
    assert resolve(str(make_net("zhang", size=None))).input_size == 224


def test_our_own_metadata_decides_before_shapes(make_net, contract):
    text = contract(64, {"scale": 0.01, "offset": -0.5}, {"scale": 110.0})
    spec = resolve(str(make_net("raw", metadata={"colorize": text})))
    assert (spec.feed, spec.answer) == (Feed(scale=0.01, offset=-0.5), Answer(scale=110.0))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"input_size": "x"}', '{"input_size": 64, "feed": {"colour": 1}}'])
def test_damaged_metadata_is_said(make_net, text):
    with pytest.raises(ModelError, match=r"metadata cannot be read|unknown key"):
        resolve(str(make_net("raw", metadata={"colorize": text})))


def test_a_net_of_no_known_kind_is_refused_with_its_shapes(make_net):
    with pytest.raises(ModelError, match=r"1x5x64x64.*1x7x64x64"):
        resolve(str(make_net("unknown")))


def test_metadata_that_contradicts_the_file_is_refused(make_net, contract):
    with pytest.raises(ModelError, match="channel"):
        resolve(str(make_net("zhang", metadata={"colorize": contract(64, {"channels": 3})})))
    with pytest.raises(ModelError, match="channel"):
        resolve(str(make_net("zhang", metadata={"colorize": contract(64, {}, {"kind": "rgb"})})))


def test_an_imported_model_is_found_by_its_name(make_net, tmp_path):
    make_net("zhang", name="mine")
    assert resolve("mine", tmp_path).name == "mine"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("not toml at all", "not valid TOML"),
        (ENTRY.replace('title = "Tiny"', ""), "title"),
        (ENTRY.replace("input_size", 'convert = "caffe"\ninput_size'), "nothing would read it"),
        (ENTRY.replace("input_size = 64", "input_size = 0"), "input_size"),
        (ENTRY.replace("offset", "ofset"), "ofset"),
        (ENTRY.replace("-50", '"fifty"'), "fifty"),
        (ENTRY.replace("0" * 64, "abc"), "sha256"),
        (ENTRY.replace("tiny.onnx", "../tiny.onnx"), "not plain"),
        (ENTRY + 'mirrors = ["file:///etc/passwd"]', "no web address"),
        (ENTRY.replace('licence = "MIT"', 'licence = "MIT"\nconvert = "magic"'), "magic"),
        (ENTRY.replace('licence = "MIT"', 'licence = "MIT"\nsize = 3'), "unknown key"),
        (ENTRY + '[aliases]\nx = "nobody"', "alias"),
    ],
)
def test_an_unsound_registry_is_refused_and_says_where(registry_of, text, says):
    with pytest.raises(ModelError, match=says):
        registry_of(text)


def test_the_registry_needs_nothing_heavy():
    heavy = ("numpy", "cv2", "onnx", "openvino", "PIL")
    code = f"import sys, pipeline.nets.store.registry; print([each for each in {heavy} if each in sys.modules])"
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert done.stdout.strip() == "[]"

import hashlib
import importlib.util
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from pipeline.ground.errors import EngineError
from pipeline.nets.engine import Engine
from pipeline.nets.engines import catalogue, choice
from pipeline.nets.engines.open import open_net
from pipeline.nets.engines.samples import sample_lightness
from pipeline.nets.resolve import resolve
from tests.conftest import environment

KINDS = ["zhang", "raw", "siggraph", "ddcolor", "deoldify", "half"]


def needs(engine):
    there = importlib.util.find_spec(engine) is not None
    return pytest.param(engine, marks=pytest.mark.skipif(not there, reason=f"the extra {engine} is not installed"))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_goes_through_opencv(make_net, kind):
    spec = resolve(str(make_net(kind)))
    net = open_net(spec, Engine("opencv", "float32"))
    pictures = sample_lightness(spec.input_size)
    answers = [net.predict(picture) for picture in pictures]
    side = 16 if kind == "zhang" else 64
    assert answers[0].shape == (side, side, 2)
    assert answers[0].dtype == np.float32
    assert answers[0].std() > 0.1
    assert not np.allclose(answers[0], answers[1])
    # The net has no memory: the first picture again gives the first answer again.
    np.testing.assert_array_equal(net.predict(pictures[0]), answers[0])
    assert str(net.engine) == "opencv/float32"


@pytest.mark.parametrize("engine", [needs("onnxruntime"), needs("openvino")])
@pytest.mark.parametrize("kind", KINDS)
def test_engines_agree(make_net, tmp_path, kind, engine):
    spec = resolve(str(make_net(kind)))
    reference, other = (
        open_net(spec, Engine("opencv", "float32")),
        open_net(spec, Engine(engine, "float32"), cache_dir=tmp_path),
    )
    assert str(other.engine) == f"{engine}/float32"
    for picture in sample_lightness(spec.input_size):
        difference = np.abs(reference.predict(picture) - other.predict(picture))
        assert difference.max() <= choice.FLOAT32_MOST
        assert difference.mean() <= choice.FLOAT32_MEAN


@pytest.mark.parametrize("engine", ["opencv", needs("onnxruntime"), needs("openvino")])
def test_the_embedded_net_runs_on_every_engine(tmp_path, engine):
    spec = resolve("embedded")
    picture = sample_lightness(spec.input_size, 1)[0]
    ab = open_net(spec, Engine(engine, "float32"), cache_dir=tmp_path).predict(picture)
    truth = open_net(spec, Engine("opencv", "float32")).predict(picture)
    assert ab.shape == (spec.input_size // 4, spec.input_size // 4, 2)
    assert np.abs(ab - truth).max() <= choice.FLOAT32_MOST


@pytest.mark.parametrize("engine", ["opencv", needs("onnxruntime"), needs("openvino")])
def test_a_signal_is_heard_after_nets_have_come_and_gone(make_net, tmp_path, engine):
    script = f"""
import gc, os, signal
from pathlib import Path
from pipeline.nets.engine import Engine
from pipeline.nets.engines.open import open_net
from pipeline.nets.resolve import resolve
spec = resolve({str(make_net("raw"))!r})
for _ in range(3):
    first, second = (open_net(spec, Engine({engine!r}, "float32"), cache_dir=Path({str(tmp_path)!r})) for _ in range(2))
    del first
    gc.collect()
    del second
    gc.collect()
signal.signal(signal.SIGTERM, lambda *_: print("heard"))
os.kill(os.getpid(), signal.SIGTERM)
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment())
    assert (run.returncode, run.stdout) == (0, "heard\n"), run.stderr


@pytest.mark.parametrize("engine", [needs("openvino")])
def test_openvino_reads_its_own_form_the_second_time(make_net, tmp_path, engine):
    spec = resolve(str(make_net("zhang")))
    picture = sample_lightness(spec.input_size, 1)[0]
    first = open_net(spec, Engine(engine, "float32"), cache_dir=tmp_path).predict(picture)
    (folder,) = (tmp_path / "openvino").iterdir()
    assert {each.name for each in folder.iterdir()} == {"net.xml", "net.bin"}
    spec.path.unlink()  # nothing but the cache is left
    np.testing.assert_array_equal(open_net(spec, Engine(engine, "float32"), cache_dir=tmp_path).predict(picture), first)


@pytest.mark.parametrize("engine", [needs("openvino")])
def test_a_cache_that_cannot_be_written_does_no_harm(make_net, tmp_path, engine):
    (tmp_path / "openvino").write_text("in the way")
    spec = resolve(str(make_net("zhang")))
    assert open_net(spec, Engine(engine, "float32"), cache_dir=tmp_path).engine.precision == "float32"


@pytest.mark.parametrize("engine", ["opencv", needs("onnxruntime")])
def test_a_precision_that_an_engine_lacks_is_said(make_net, engine):
    with pytest.raises(EngineError, match="float32"):
        open_net(resolve(str(make_net("zhang"))), Engine(engine, "bfloat16"))


@pytest.mark.parametrize("engine", ["opencv", needs("onnxruntime"), needs("openvino")])
def test_a_file_that_no_engine_can_read_is_an_error_not_a_crash(make_net, tmp_path, engine):
    spec = resolve(str(make_net("zhang")))
    spec.path.write_bytes(cut := spec.path.read_bytes()[:200])
    spec = replace(spec, sha256=hashlib.sha256(cut).hexdigest())  # as if it had been so when it was checked
    with pytest.raises(EngineError):
        open_net(spec, Engine(engine, "float32"), cache_dir=tmp_path)


@pytest.mark.parametrize("engine", [needs("onnxruntime"), needs("openvino")])
def test_a_gpu_agrees_or_its_absence_is_said(make_net, tmp_path, engine):
    spec = resolve(str(make_net("zhang")))
    picture = sample_lightness(spec.input_size, 1)[0]
    try:
        ab = open_net(spec, Engine(f"{engine}-gpu", "float32"), cache_dir=tmp_path).predict(picture)
    except EngineError as error:
        assert "GPU" in str(error)  # noqa: PT017 - either outcome is right, depending on the machine
    else:
        assert np.abs(ab - open_net(spec, Engine("opencv", "float32")).predict(picture)).max() <= choice.FLOAT32_MOST


def test_an_unknown_engine_is_refused(make_net):
    with pytest.raises(EngineError, match="tensorrt"):
        open_net(resolve(str(make_net("zhang"))), Engine("tensorrt", "float32"))


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_a_missing_engine_names_its_extra(make_net, engine, monkeypatch):
    monkeypatch.setattr(catalogue, "installed", lambda name: name == "opencv")
    spec = resolve(str(make_net("zhang")))
    with pytest.raises(EngineError, match=rf"colorize-archive\[{engine}\]"):
        open_net(spec, Engine(engine, "float32"))
    with pytest.raises(EngineError, match=rf"colorize-archive\[{engine}\]"):
        choice.choose_engine(spec, engine, "auto")


def test_samples_look_like_lightness():
    first, second = sample_lightness(96, 2)
    assert first.dtype == np.float32
    assert 0 <= first.min() < 25
    assert 75 < first.max() <= 100
    assert not np.allclose(first, second)
    np.testing.assert_array_equal(first, sample_lightness(96, 1)[0])
    assert np.abs(np.diff(first, axis=1)).mean() < 0.5 * first.std()  # noise without any areas: 1.13

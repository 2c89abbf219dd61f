import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.ground.errors import EngineError, ModelError, OutputError
from pipeline.nets.convert import conversion
from pipeline.nets.engine import Engine
from pipeline.nets.engines.choice import FLOAT32_MEAN, FLOAT32_MOST
from pipeline.nets.engines.open import open_net
from pipeline.nets.engines.opencv import reads_caffe
from pipeline.nets.engines.samples import sample_lightness
from pipeline.nets.points import read_points
from pipeline.nets.resolve import resolve
from pipeline.nets.spec import METADATA_KEY, Contract, contract_from_json
from pipeline.nets.store.identify import resolve_file
from pipeline.nets.store.onnx_header import read_header
from pipeline.nets.store.registry import load_registry

onnx = pytest.importorskip("onnx", reason="the extra import is not installed")
from pipeline.nets.convert import release_topology  # noqa: E402  (needs the extra)
from pipeline.nets.convert.caffe import write_chain  # noqa: E402
from pipeline.nets.convert.caffe_reader import Layer, Topology, read_caffemodel, read_prototxt  # noqa: E402
from pipeline.nets.convert.caffe_schema import net_class  # noqa: E402

SIZE = 64
needs_caffe = pytest.mark.skipif(not reads_caffe(), reason="this OpenCV has no Caffe importer (5.x)")


@pytest.fixture
def caffe(tmp_path):
    """The release's topology with few channels: prototxt, caffemodel, points."""
    return release_topology.write_release_caffe(tmp_path, width=1 / 16, seed=3, size=SIZE)


def differences(first, second, *, engines=("opencv", "opencv"), cache=None):
    nets = [
        open_net(spec, Engine(engine, "float32"), cache_dir=cache)
        for spec, engine in zip((first, second), engines, strict=True)
    ]
    return np.abs(np.stack([nets[0].predict(x) - nets[1].predict(x) for x in sample_lightness(SIZE)]))


def test_the_converted_net_declares_what_it_is(caffe, tmp_path):
    spec = conversion.import_caffe(*caffe, tmp_path / "out.onnx")
    header = read_header(spec.path, spec.path.read_bytes())
    assert header.producer == "colorize"
    assert header.inputs[0].shape == (1, 1, SIZE, SIZE)
    assert header.outputs[0].shape == (1, 2, SIZE // 4, SIZE // 4)
    contract, sources = contract_from_json(header.metadata[METADATA_KEY])
    assert (contract.input_size, contract.feed.offset, contract.answer.kind) == (SIZE, -50.0, "ab")
    assert set(sources) == {path.name for path in caffe}
    assert Contract(spec.input_size, spec.feed, spec.answer) == contract
    operators = [node.op_type for node in onnx.load(spec.path).graph.node]
    # Scale is folded into the logits' convolution; BatchNorm comes after ReLU and padding, where folding is not exact.
    assert operators.count("BatchNormalization") == 7
    assert operators.count("Conv") + operators.count("ConvTranspose") == 24
    assert not {"Add", "Mul", "Sub"} & set(operators)


@needs_caffe
def test_opencv_s_own_reading_of_the_caffe_files_gives_the_same(caffe, tmp_path):
    spec = conversion.import_caffe(*caffe, tmp_path / "out.onnx")
    native = conversion.resolve_caffe(*caffe, tmp_path)
    assert native.form == "caffe"
    difference = differences(native, spec)
    assert difference.max() <= FLOAT32_MOST
    assert difference.mean() <= FLOAT32_MEAN
    mean, most = conversion.compare_with_caffe(*caffe, spec)
    assert (mean, most) == (pytest.approx(difference.mean(), abs=1e-6), pytest.approx(difference.max(), abs=1e-6))


@needs_caffe
def test_a_native_net_is_for_opencv_alone(caffe, tmp_path):
    pytest.importorskip("onnxruntime")
    with pytest.raises(EngineError, match="colorize models import"):
        open_net(conversion.resolve_caffe(*caffe, tmp_path), Engine("onnxruntime", "float32"))


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_other_engines_give_the_same(caffe, tmp_path, engine):
    pytest.importorskip(engine)
    spec = conversion.import_caffe(*caffe, tmp_path / "out.onnx")
    difference = differences(spec, spec, engines=("opencv", engine), cache=tmp_path)
    assert difference.max() <= FLOAT32_MOST
    assert difference.mean() <= FLOAT32_MEAN


def test_a_net_computed_by_hand(tmp_path):
    """Convolution, BatchNorm with a factor, Scale, leaky ReLU, BatchNorm: against numpy, layer by layer."""
    random = np.random.default_rng(0)

    def layer(name, kind, source, top, **numbers):
        return Layer(name, kind, source, top, numbers)

    conv = {"kernel_size": 1, "pad": 0, "stride": 1, "dilation": 1, "num_output": 2, "group": 1, "bias_term": True}
    topology = Topology(
        "x",
        (1, 1, 4, 4),
        (
            layer("c", "Convolution", "x", "c", **conv),
            layer("b", "BatchNorm", "c", "c", eps=1e-3),
            layer("s", "Scale", "c", "s", value=1.0, bias_term=True),
            layer("d", "Dropout", "s", "d"),
            layer("r", "ReLU", "d", "r", negative_slope=0.25),
            layer("n", "BatchNorm", "r", "n", eps=0.5),
        ),
    )
    w, bias = random.normal(size=(2, 1, 1, 1)), random.normal(size=2)
    mean, var, factor = random.normal(size=2), random.uniform(1, 2, 2), 4.0
    scale, shift = random.normal(size=2), random.normal(size=2)
    blobs = {
        "c": [w, bias],
        "b": [mean, var, np.array([factor])],
        "s": [scale, shift],
        "n": [mean, var, np.array([0.0])],  # Caffe: a factor of zero means statistics of zero
    }
    blobs = {name: [each.astype(np.float32) for each in arrays] for name, arrays in blobs.items()}
    path = tmp_path / "hand.onnx"
    write_chain(topology, blobs, path, contract='{"input_size": 4}', channels=2)
    graph = onnx.load(path).graph
    assert [node.op_type for node in graph.node] == ["Conv", "LeakyRelu", "BatchNormalization"]

    def along(values):
        return np.reshape(values, (-1, 1, 1))

    x = random.uniform(0, 100, (4, 4)).astype(np.float32)
    y = along(w) * x + along(bias)
    y = (y - along(mean / factor)) / np.sqrt(along(var / factor) + 1e-3)
    y = y * along(scale) + along(shift)
    y = np.where(y > 0, y, 0.25 * y) / np.sqrt(0.5)
    ab = open_net(resolve_file(path, name="hand"), Engine("opencv", "float32")).predict(x)
    np.testing.assert_allclose(ab, y.transpose(1, 2, 0), rtol=1e-4, atol=1e-4)


def test_the_release_prototxt_is_told_right():
    """Layer for layer what the prototxt that comes with the release says."""
    real = Path(__file__).parents[1] / "fixtures" / "release" / "colorization_deploy_v2.prototxt"
    truth, ours = read_prototxt(real.read_text()), read_prototxt(release_topology.release_prototxt())
    assert ours.shape == truth.shape
    assert ours.layers == truth.layers


def test_the_full_size_has_the_release_s_parameters():
    count = 0
    incoming = 1
    for layer in read_prototxt(release_topology.release_prototxt()).layers:
        if "kernel_size" in layer.numbers and layer.name != "class8_ab":
            count += layer.numbers["num_output"] * (incoming * layer.numbers["kernel_size"] ** 2 + 1)
        incoming = layer.numbers.get("num_output", incoming)
    assert round(count / 1e6, 1) == 32.2


def test_made_up_weights_depend_on_the_seed_alone_and_the_softmax_is_soft(tmp_path):
    paths = [tmp_path / f"{number}.onnx" for number in range(3)]
    for path, seed in zip(paths, (5, 5, 6), strict=True):
        release_topology.write_release_onnx(path, width=1 / 16, seed=seed, size=SIZE)
    contents = [path.read_bytes() for path in paths]
    assert contents[0] == contents[1] != contents[2]
    ab = open_net(resolve(str(paths[0])), Engine("opencv", "float32")).predict(sample_lightness(SIZE, 1)[0])
    assert 2 < ab.std() < 40
    assert np.abs(ab).max() < 110


def test_weights_come_through_the_caffemodel_unchanged(caffe):
    topology = read_prototxt(caffe[0].read_text())
    truth = release_topology.release_blobs(topology, seed=3)
    found = read_caffemodel(caffe[1])
    for name, arrays in truth.items():
        for left, right in zip(arrays, found[name], strict=True):
            np.testing.assert_array_equal(left, right)
    assert read_points(caffe[2]).shape == (2, 313)


def test_old_and_double_blobs_are_read(tmp_path):
    net = net_class()()
    blob = net.layer.add(name="x", type="Convolution").blobs.add(num=1, channels=2, height=1, width=1)
    blob.double_data = np.array([1.5, 2.5]).tobytes()
    path = tmp_path / "old.caffemodel"
    path.write_bytes(net.SerializeToString())
    np.testing.assert_array_equal(read_caffemodel(path)["x"][0], np.float32([1.5, 2.5]).reshape(1, 2, 1, 1))


@pytest.mark.parametrize(
    ("which", "content", "says"),
    [
        (0, b"<html>nope", "HTML"),
        (1, b"<!DOCTYPE html>", "HTML"),
        (1, b"version https://git-lfs.github.com/spec/v1", "Git-LFS"),
        (0, b"this is { no prototxt", "not a Caffe prototxt"),
        (0, b"", "empty"),
        (1, b"\x08", "not a whole caffemodel"),
        (1, b"\x0a\x01x", "holds no layers"),
        (1, b"\x12\x00", "old form"),
        (2, b"\x93NUMPY\x01\x00", "points file"),
        (2, b"garbage", "points file"),
    ],
)
def test_damaged_files_are_said(caffe, tmp_path, which, content, says):
    caffe[which].write_bytes(content)
    with pytest.raises(ModelError, match=says):
        conversion.import_caffe(*caffe, tmp_path / "out.onnx")
    assert not list(tmp_path.glob("out*"))


def test_a_caffemodel_cut_short_is_said(caffe, tmp_path):
    caffe[1].write_bytes(caffe[1].read_bytes()[:-1000])
    with pytest.raises(ModelError, match="cut short"):
        conversion.import_caffe(*caffe, tmp_path / "out.onnx")


def test_pickled_points_are_never_opened(caffe, tmp_path):
    np.save(caffe[2], np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ModelError, match="points file"):
        conversion.import_caffe(*caffe, tmp_path / "out.onnx")


@pytest.mark.parametrize(
    ("find", "put", "says"),
    [
        (r'type: "Softmax"', 'type: "LRN"', "no layers of type LRN"),
        (r'name: "class8_ab"', 'name: "other"', "no layer class8_ab"),
        (r"num_output: 313", "num_output: 300", "do not fit"),
        (r'bottom: "conv8_2"( top: "conv8_3")', r'bottom: "conv7_3"\1', "chain"),
    ],
)
def test_a_prototxt_of_another_net_is_refused(caffe, tmp_path, find, put, says):
    text = caffe[0].read_text()
    assert re.search(find, text)
    caffe[0].write_text(re.sub(find, put, text))
    with pytest.raises(ModelError, match=says):
        conversion.import_caffe(*caffe, tmp_path / "out.onnx")


def test_a_folder_in_the_way_is_said(caffe, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError):
        conversion.import_caffe(*caffe, tmp_path / "file" / "out.onnx")


def test_a_missing_file_is_said(caffe, tmp_path):
    caffe[1].unlink()
    with pytest.raises(ModelError, match="is not there"):
        conversion.resolve_caffe(*caffe, tmp_path)


def test_opencv_5_converts_once_into_the_cache(caffe, tmp_path, monkeypatch):
    monkeypatch.setattr(conversion, "_opencv_reads_caffe", lambda: False)
    first = conversion.resolve_caffe(*caffe, tmp_path / "models")
    assert first.path.is_relative_to(tmp_path / "models" / "converted")
    made = first.path.stat().st_mtime_ns
    assert conversion.resolve_caffe(*caffe, tmp_path / "models") == first
    assert first.path.stat().st_mtime_ns == made


def test_without_the_converter_opencv_5_says_how_to_get_it(caffe, tmp_path, monkeypatch):
    monkeypatch.setattr(conversion, "_opencv_reads_caffe", lambda: False)
    monkeypatch.setattr(conversion, "_converter_there", lambda: False)
    with pytest.raises(ModelError, match=re.escape("pip install 'colorize-archive[import]'")) as caught:
        conversion.resolve_caffe(*caffe, tmp_path)
    assert caught.value.exit_code == 4


def test_a_file_under_the_release_s_name_has_to_be_the_release(caffe, tmp_path):
    named = caffe[1].rename(tmp_path / "colorization_release_v2.caffemodel")
    with pytest.raises(ModelError, match="128,946,764"):
        conversion.resolve_caffe(caffe[0], named, caffe[2], tmp_path)


def test_the_registry_s_caffe_model_is_converted_on_first_use(caffe, tmp_path, monkeypatch):
    entry = load_registry().entry("zhang2016")
    files = []
    for file, path in zip(entry.files, (caffe[1], caffe[0], caffe[2]), strict=True):
        from pipeline.nets.store.integrity import sha256_of

        path.rename(tmp_path / f"tiny-{file.name}")
        path = tmp_path / f"tiny-{file.name}"
        files.append(replace(file, name=path.name, sha256=sha256_of(path), size=path.stat().st_size))
    entry = replace(entry, files=tuple(files))
    spec = conversion.spec_from_sources(entry, tmp_path)
    assert spec.path == tmp_path / "zhang2016.onnx"
    assert spec.name == "zhang2016"
    other = replace(entry, files=(replace(files[0], sha256="0" * 64), *files[1:]))
    from pipeline.nets.store.identify import converted_spec

    with pytest.raises(ModelError, match="was not made from"):
        converted_spec(other, spec.path)

"""Nets made to hurt are refused before an engine sees them, in a sentence."""

from __future__ import annotations

import importlib
import json
import os
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.ground.errors import ModelError
from pipeline.nets import resolve as resolving
from pipeline.nets.engine import Engine
from pipeline.nets.engines import open as opening
from pipeline.nets.engines import opencv
from pipeline.nets.engines.open import open_net
from pipeline.nets.prediction import decode
from pipeline.nets.resolve import resolve
from pipeline.nets.store import sound
from pipeline.nets.store.caffe_sound import check_caffemodel, check_prototxt
from pipeline.nets.store.sound import check_sound

onnx = pytest.importorskip("onnx", reason="hostile nets are made with the extra import")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

REFERENCE = Engine("opencv", "float32")


@pytest.fixture(autouse=True)
def _no_engine(monkeypatch):
    """No engine may see any of these."""

    def seen(*_: object, **__: object) -> None:
        raise AssertionError("an engine was given the file")

    monkeypatch.setattr(opencv.cv2.dnn, "readNetFromONNX", seen)
    monkeypatch.setattr(opening, "importlib", SimpleNamespace(import_module=seen))


def spoilt(make_net, change) -> Path:
    path = make_net("zhang")
    model = onnx.load(path)
    change(model)
    path.write_bytes(model.SerializeToString())
    return path


def outside(place):
    def change(model):
        weights = model.graph.initializer[0]
        weights.ClearField("raw_data")
        weights.data_location = TensorProto.EXTERNAL
        weights.external_data.add(key="location", value=place)

    return change


def entries_alone(model):
    model.graph.initializer[0].external_data.add(key="location", value="weights.bin")


def in_a_node(change):
    """The same, of a tensor inside a node instead of beside them."""

    def inside(model):
        change(model)
        weights = model.graph.initializer[0]
        node = helper.make_node("Constant", [], [weights.name], value=weights)
        model.graph.initializer.remove(weights)
        model.graph.node.insert(0, node)

    return inside


def too_few(model):
    model.graph.initializer[0].raw_data = model.graph.initializer[0].raw_data[:12]


def one_short(model):
    model.graph.initializer[0].raw_data = model.graph.initializer[0].raw_data[:-3]


def odd(model):
    model.graph.initializer[0].raw_data += b"\0"


def as_floats(values):
    def change(model):
        weights = model.graph.initializer[0]
        weights.ClearField("raw_data")
        weights.float_data.extend(values)

    return change


def twice(model):
    model.graph.initializer[0].float_data.extend([1.0])


def shape(*sides):
    def change(model):
        weights = model.graph.initializer[0]
        del weights.dims[:]
        weights.dims.extend(sides)

    return change


def kind(number):
    def change(model):
        model.graph.initializer[0].data_type = number

    return change


def holding(value, element=np.float32):
    def change(model):
        old = model.graph.initializer[0]
        values = numpy_helper.to_array(old).astype(element)
        values.flat[5] = value
        old.CopyFrom(numpy_helper.from_array(values, old.name))

    return change


def fed(side):
    def change(model):
        model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = side

    return change


def stepping(name, *numbers):
    def change(model):
        for attribute in model.graph.node[0].attribute:
            if attribute.name == name:
                del attribute.ints[:]
                attribute.ints.extend(numbers)

    return change


def with_node(*given, **more):
    def change(model):
        model.graph.node.append(helper.make_node(*given, **more))

    return change


def nested(model):
    graph = helper.make_graph([], "g", [], [])
    for _ in range(20):
        graph = helper.make_graph([helper.make_node("If", ["x"], ["y"], then_branch=graph, else_branch=graph)][:1],
                                  "g", [], []) if _ < 5 else graph  # fmt: skip
    model.graph.node.append(helper.make_node("If", ["x"], ["y"], then_branch=graph))


def many(model):
    model.graph.node.extend([helper.make_node("Relu", ["a"], ["b"])] * (sound.MOST_NODES + 1))


def with_function(model):
    model.functions.append(helper.make_function("own", "f", [], [], [], [helper.make_opsetid("", 13)]))


def sparse(model):
    model.graph.sparse_initializer.add()


@pytest.mark.parametrize(("change", "said"), [
    (outside("../../etc/passwd"), "another file"),
    (outside("/etc/passwd"), "another file"),
    (entries_alone, "another file"),
    (in_a_node(outside("../../etc/passwd")), "another file"),
    (too_few, "are 3 numbers where their shape has 72"),
    (in_a_node(too_few), "are 3 numbers where their shape has 72"),
    (odd, "end inside a number"),
    (one_short, "end inside a number"),
    (as_floats([1.0] * 71), "are 71 numbers where their shape has 72"),
    (as_floats([1.0] * 71 + [float("nan")]), "infinite or none"),
    (twice, "given twice"),
    (shape(8, 1, 3, -3), "a shape that makes no sense"),
    (shape(-8, -1, 3, 3), "a shape that makes no sense"),
    (shape(8, 0, 3, 3), "a shape that makes no sense"),
    (shape(2**62, 4, 3, 3), "numbers where their shape has"),
    (shape(*[1] * 9, 72), "a shape that makes no sense"),
    (kind(11), "numbers where their shape has"),
    (kind(8), "of a type"),
    (kind(99), "of a type"),
    (holding(float("nan")), "infinite or none"),
    (holding(float("inf")), "infinite or none"),
    (holding(float("-inf"), np.float16), "infinite or none"),
    (in_a_node(holding(float("inf"), np.float64)), "infinite or none"),
    (fed(-64), "a size of -64 makes no sense"),
    (fed(0), "a size of 0 makes no sense"),
    (fed(1 << 40), "a size of 1099511627776 makes no sense"),
    (fed(60_000), "more than a picture is ever fed as"),
    (stepping("strides", -4, -4), "a strides of -4 makes no sense"),
    (stepping("kernel_shape", 1 << 40, 3), "makes no sense"),
    (with_node("Loop", ["x"], ["y"]), "a Loop, which may never end"),
    (with_node("EPContext", ["x"], ["y"], domain="com.microsoft"), "not of ONNX"),
    (with_node("Run", ["x"], ["y"], domain="my.library"), "not of ONNX"),
    (with_node("Clip", ["x"], ["y"], max=float("inf")), "infinite or none"),
    (nested, "in one another more than"),
    (many, "more than 20,000 nodes"),
    (with_function, "functions"),
    (sparse, "sparse"),
])  # fmt: skip
def test_a_hostile_net_is_refused_before_an_engine_sees_it(make_net, change, said):
    with pytest.raises(ModelError) as caught:
        resolve(str(spoilt(make_net, change)))
    assert said in str(caught.value)
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("name", ["zhang", "raw", "siggraph", "ddcolor", "deoldify", "half"])
def test_nets_that_mean_well_pass(make_net, name):
    check_sound(make_net(name), make_net(name).read_bytes())


@pytest.mark.parametrize("element", [np.float16, np.float64, np.int8, np.uint8, np.bool_, np.int64, np.uint32])
def test_every_type_of_number_passes_raw_and_as_a_list(element, tmp_path):
    values = np.arange(6).reshape(2, 3).astype(element)
    raw = numpy_helper.from_array(values, "w")
    bits = values.view(np.uint16) if element is np.float16 else values
    listed = helper.make_tensor("w", raw.data_type, values.shape, [each.item() for each in bits.ravel()])
    if element is np.float16:
        listed = TensorProto(name="w", data_type=10, dims=[2, 3], int32_data=[int(each) for each in bits.ravel()])
    empty = numpy_helper.from_array(np.zeros(0, np.float32), "roi")
    for tensor in (raw, listed):
        graph = helper.make_graph([], "g", [], [], [tensor, empty])
        check_sound(tmp_path, helper.make_model(graph).SerializeToString())


def test_what_two_readers_could_take_in_two_ways_is_refused(make_net):
    path = make_net("zhang")
    content = path.read_bytes()
    second = onnx.load(path).graph.SerializeToString()
    size = len(second)
    again = bytes([7 << 3 | 2, size & 0x7F | 0x80, size >> 7]) + second  # parsers join the two graphs
    with pytest.raises(ModelError, match="damaged"):
        check_sound(path, content + again)


def test_a_file_of_tiny_fields_costs_no_more_than_a_moment(tmp_path):
    began = time.monotonic()
    with pytest.raises(ModelError, match="damaged"):
        check_sound(tmp_path / "x.onnx", b"\x08\x01" * 20_000_000)
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("text", [
    "[" * 100_000, '{"input_size": ' + "9" * 5000 + "}", '{"input_size": 1e999}', '{"input_size": -64}',
    '{"input_size": 100000}', '{"input_size": 64, "feed": {"scale": NaN}}', '{"input_size": 64, "feed": []}',
    '{"input_size": 64, "answer": {"scale": Infinity}}', '{"input_size": 64, "feed": {"offset": 1e300}}',
])  # fmt: skip
def test_metadata_made_to_hurt(make_net, text):
    with pytest.raises(ModelError):
        resolve(str(make_net("zhang", metadata={"colorize": text})))


@pytest.mark.parametrize("place", ["/dev/zero", "/dev/null", "pipe", "folder"])
@pytest.mark.parametrize("suffix", ["", ".onnx"])
def test_a_model_that_is_no_file_is_not_waited_for(tmp_path, place, suffix):
    path = Path(place) if place.startswith("/") else tmp_path / f"{place}{suffix}"
    if place == "pipe":
        os.mkfifo(path)
    elif place == "folder":
        path.mkdir()
    with pytest.raises(ModelError, match="not there"):
        resolve(str(path))


def test_a_model_in_the_folder_of_models_that_is_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "colorization_release_v2.caffemodel")
    with pytest.raises(ModelError):
        resolve("zhang2016", tmp_path)


@pytest.mark.parametrize("text", ["layer {" * 20_000, "a < b: [" * 20_000, "x: '{' layer {" * 20_000, " " * (2 << 20)])
def test_a_prototxt_made_to_hurt(text):
    with pytest.raises(ModelError, match="is not a Caffe prototxt"):
        check_prototxt("deploy.prototxt", text)


def test_brackets_in_texts_and_comments_are_characters():
    check_prototxt("deploy.prototxt", "name: '" + "{" * 500 + "'\n# " + "<" * 500 + '\ntop: "\\"' + "{" * 500 + '"')


def blob(**values):
    from pipeline.nets.convert.caffe_schema import net_class

    net = net_class()()
    layer = net.layer.add(name="conv1", type="Convolution").blobs.add()
    sides = values.pop("sides", ())
    layer.shape.dim.extend(sides)
    for name, value in values.items():
        setattr(layer, name, value)
    return net.SerializeToString()


@pytest.mark.parametrize(("values", "said"), [
    ({"data": b"\0" * 12, "sides": (1, 1, 4, 8)}, "are 3 numbers where their shape has 32"),
    ({"data": b"\0" * 12, "sides": (-1, -3)}, "makes no sense"),
    ({"data": b"", "sides": (1 << 32, 1 << 32)}, "are 0 numbers"),
    ({"data": b"\0" * 13, "sides": (3,)}, "damaged"),
    ({"data": np.float32([1, np.nan]).tobytes(), "sides": (2,)}, "infinite or no numbers"),
    ({"double_data": np.float64([1, np.inf]).tobytes(), "sides": (2,)}, "infinite or no numbers"),
])  # fmt: skip
def test_a_caffemodel_made_to_hurt(tmp_path, values, said):
    with pytest.raises(ModelError, match=said):
        check_caffemodel(tmp_path, blob(**values))
    check_caffemodel(tmp_path, blob(data=np.float32([1, 2]).tobytes(), sides=(1, 2)))


def test_wrong_answers_are_errors_of_the_model(make_net):
    spec = resolve(str(make_net("zhang")))
    for value, said in ((np.nan, "no numbers"), (np.inf, "no numbers"), (201.0, "far beyond"), (-1e30, "far beyond")):
        answer = np.zeros((1, 2, 16, 16), np.float32)
        answer[0, 1, 3, 3] = value
        with pytest.raises(ModelError, match=said):
            decode(answer, spec)
    assert decode(np.full((1, 2, 16, 16), 199, np.float32), spec).ab.max() == 199


@pytest.mark.parametrize("engine", ["opencv", "onnxruntime", "openvino"])
def test_a_model_swapped_after_its_check_is_not_run(make_net, monkeypatch, engine):
    monkeypatch.setattr(opening, "importlib", importlib)
    pytest.importorskip({"opencv": "cv2"}.get(engine, engine))
    path = make_net("zhang")
    spec = resolve(str(path))
    status = path.stat()
    model = onnx.load(path)
    model.graph.node[0].name = "another"
    path.write_bytes(model.SerializeToString())
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(ModelError, match="was changed after it was checked"):
        open_net(spec, Engine(engine, "float32"), cache_dir=path.parent)


def test_what_is_checked_is_what_was_hashed(make_net, monkeypatch):
    """The file is read once: a good one that is put in the bad one's place meanwhile changes nothing."""
    bad = spoilt(make_net, holding(float("nan"))).read_bytes()
    path = make_net("zhang")
    good = path.read_bytes()
    path.write_bytes(bad)
    real = resolving.resolve_file.__globals__["read_header"]

    def swapped(place, content):
        path.write_bytes(good)
        return real(place, content)

    monkeypatch.setitem(resolving.resolve_file.__globals__, "read_header", swapped)
    with pytest.raises(ModelError, match="infinite or none"):
        resolve(str(path))


def test_hints_of_the_contract_are_kept(make_net):
    text = json.dumps({"input_size": 64, "feed": {"offset": -50.0}})
    assert resolve(str(make_net("zhang", metadata={"colorize": text}))).feed.offset == -50.0

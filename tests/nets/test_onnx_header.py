import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.ground.errors import ModelError
from pipeline.nets.store.onnx_header import read_header
from pipeline.nets.store.sound import check_sound


def header_of(path):
    return read_header(path, path.read_bytes())


def test_it_reads_what_the_onnx_package_wrote(make_net):
    onnx = pytest.importorskip("onnx")
    path = make_net("siggraph", metadata={"colorize": "é{}", "more": ""})
    header, truth = header_of(path), onnx.load(path)
    assert header.producer == "test"
    assert header.metadata == {each.key: each.value for each in truth.metadata_props}
    assert [port.name for port in header.inputs] == [each.name for each in truth.graph.input]
    assert [port.shape for port in header.inputs] == [(1, 1, 64, 64), (1, 2, 64, 64), (1, 1, 64, 64)]
    assert header.outputs[0].shape == (1, 2, 64, 64)


def test_open_sizes_are_none(make_net):
    assert header_of(make_net("zhang", size=None)).inputs[0].shape == (1, 1, None, None)


def test_initializers_are_no_inputs(make_net):
    onnx = pytest.importorskip("onnx")
    path = make_net("zhang")
    model = onnx.load(path)
    shape = list(model.graph.initializer[0].dims)
    model.graph.input.append(onnx.helper.make_tensor_value_info("w1", onnx.TensorProto.FLOAT, shape))
    onnx.save(model, path)
    assert [port.name for port in header_of(path).inputs] == ["data_l"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_damage_gets_past_as_anything_but_a_model_error(make_net, data):
    path = make_net("zhang")
    content = bytearray(path.read_bytes())
    content = content[: data.draw(st.integers(0, len(content)))]
    for place in data.draw(st.lists(st.integers(0, max(0, len(content) - 1)), max_size=4)):
        if content:
            content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        header_of(path)
        check_sound(path, path.read_bytes())
    except ModelError as error:
        assert str(path) in str(error)  # noqa: PT017  (both ways out are right)

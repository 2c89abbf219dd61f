import io
import pickle
import struct
import zipfile

import numpy as np
import pytest

from pipeline.ground.errors import ModelError
from pipeline.nets.convert import conversion
from pipeline.nets.convert.torch_reader import read_torch
from pipeline.nets.engine import Engine
from pipeline.nets.engines.open import open_net
from pipeline.nets.engines.samples import sample_lightness

pytest.importorskip("onnx", reason="the extra import is not installed")
from pipeline.nets.convert import release_topology
from pipeline.nets.convert.caffe_reader import read_prototxt

SIZE = 256
BLOCKS = {"model1": 2, "model2": 2, "model3": 3, "model4": 3, "model5": 3, "model6": 3, "model7": 3}


def pickled_state(state: dict[str, np.ndarray], *, old: bool) -> bytes:
    """Write the pickle of a state dict, opcode by opcode, as torch.save does (protocol 2)."""
    out = io.BytesIO()

    def text(value: str) -> None:
        content = value.encode()
        out.write(b"X" + struct.pack("<I", len(content)) + content)

    def number(value: int) -> None:
        out.write(b"J" + struct.pack("<i", value))

    def numbers(values) -> None:
        out.write(b"(")
        for value in values:
            number(value)
        out.write(b"t")

    out.write(b"\x80\x02ccollections\nOrderedDict\n)R(")
    for place, (name, values) in enumerate(state.items()):
        text(name)
        kind = {"f4": "FloatStorage", "i8": "LongStorage"}[values.dtype.str[1:]]
        out.write(b"ctorch._utils\n_rebuild_tensor_v2\n((")
        text("storage")
        out.write(f"ctorch\n{kind}\n".encode())
        text(str(place))
        text("cpu")
        number(values.size)
        if old:
            out.write(b"N")
        out.write(b"tQ")
        number(0)
        numbers(values.shape)
        numbers(step // values.itemsize for step in values.strides)
        out.write(b"\x89ccollections\nOrderedDict\n)RtR")
    out.write(b"u.")
    return out.getvalue()


def write_zip(path, state, *, body: bytes | None = None) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled_state(state, old=False) if body is None else body)
        for place, values in enumerate(state.values()):
            archive.writestr(f"archive/data/{place}", values.tobytes())


def write_old(path, state) -> None:
    parts = [pickle.dumps(each, 2) for each in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
    parts.append(pickled_state(state, old=True))
    parts.append(pickle.dumps([str(place) for place in range(len(state))], 2))
    parts += [struct.pack("<q", values.size) + values.tobytes() for values in state.values()]
    path.write_bytes(b"".join(parts))


@pytest.fixture(scope="module")
def twin():
    """A Caffe net of the release's topology and the state dict of its PyTorch twin."""
    topology = read_prototxt(release_topology.release_prototxt(width=1 / 16, size=SIZE))
    blobs = release_topology.release_blobs(topology, seed=4)
    state: dict[str, np.ndarray] = {}

    def convolution(key, name, factor=1.0):
        state[f"{key}.weight"], state[f"{key}.bias"] = (each for each in blobs[name])
        if factor != 1:
            state[f"{key}.weight"] = state[f"{key}.weight"] * np.float32(factor)

    for block, count in BLOCKS.items():
        number = block[-1]
        for place in range(count):
            name = f"conv{number}_{place + 1}"
            first = name == "conv1_1"  # it takes (L - 50) / 100 there
            convolution(f"{block}.{2 * place}", "bw_conv1_1" if first else name, 100 if first else 1)
        mean, variance, factor = blobs[f"conv{number}_{count}norm"]
        key = f"{block}.{2 * count}"
        random = np.random.default_rng(int(number))
        gamma = random.uniform(0.5, 1.5, mean.size).astype(np.float32)
        # The twin's own factor and summand are undone by other statistics, so that both nets do the same.
        scale = 1 / np.sqrt(variance / factor + 1e-5)
        state[f"{key}.weight"] = gamma
        state[f"{key}.running_var"] = ((gamma / scale) ** 2 - 1e-5).astype(np.float32)
        state[f"{key}.running_mean"] = np.zeros_like(mean)
        state[f"{key}.bias"] = (-mean / factor * scale).astype(np.float32)
        state[f"{key}.num_batches_tracked"] = np.array(7, np.int64)
    for place, name in ((0, "conv8_1"), (2, "conv8_2"), (4, "conv8_3"), (6, "conv8_313")):
        convolution(f"model8.{place}", name)
    for part in ("weight", "bias"):  # no factor of 2.606 there
        state[f"model8.6.{part}"] = state[f"model8.6.{part}"] * np.float32(2.606)
    state["model_out.weight"] = (release_topology.release_points() / 110).astype(np.float32).reshape(2, 313, 1, 1)
    return topology, blobs, state


@pytest.mark.parametrize("write", [write_zip, write_old])
def test_eccv16_gives_what_its_caffe_twin_gives(twin, tmp_path, write):
    topology, blobs, state = twin
    write(tmp_path / "weights.pth", state)
    converted = conversion.import_torch(tmp_path / "weights.pth", tmp_path / "converted.onnx")
    release_topology.write_onnx(topology, blobs, release_topology.release_points(), tmp_path / "caffe.onnx")
    truth = conversion.resolve_file(tmp_path / "caffe.onnx", name="caffe")
    picture = sample_lightness(SIZE, 1)[0]
    found, known = (open_net(spec, Engine("opencv", "float32")).predict(picture) for spec in (converted, truth))
    assert found.shape == (64, 64, 2)
    assert known.std() > 2
    np.testing.assert_allclose(found, known, atol=0.02)


def siggraph_state() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    state: dict[str, np.ndarray] = {}

    def convolution(key, incoming, outgoing, side=3, up=False):
        shape = (incoming, outgoing, side, side) if up else (outgoing, incoming, side, side)
        state[f"{key}.weight"] = (random.normal(size=shape) * np.sqrt(2 / (incoming * 9))).astype(np.float32)
        state[f"{key}.bias"] = random.normal(0, 0.1, outgoing).astype(np.float32)

    def block(name, incoming, outgoing, count, first=0):
        for place in range(count):
            convolution(f"{name}.{first + 2 * place}", incoming if place == 0 else outgoing, outgoing)
        for part, value in (("weight", 1), ("bias", 0.1), ("running_mean", 0.2), ("running_var", 0.7)):
            state[f"{name}.{first + 2 * count}.{part}"] = np.full(outgoing, value, np.float32)

    sides = {"model1": (4, 4), "model2": (4, 6), "model3": (6, 8), "model4": (8, 10)}
    for name, count in BLOCKS.items():
        block(name, *sides.get(name, (10, 10)), count)
    convolution("model8up.0", 10, 8, 4, up=True)
    convolution("model3short8.0", 8, 8)
    block("model8", 8, 8, 2, first=1)
    convolution("model9up.0", 8, 6, 4, up=True)
    convolution("model2short9.0", 6, 6)
    block("model9", 6, 6, 1, first=1)
    convolution("model10up.0", 6, 6, 4, up=True)
    convolution("model1short10.0", 4, 6)
    convolution("model10.1", 6, 6)
    convolution("model_class.0", 8, 529, 1)
    convolution("model_out.0", 6, 2, 1)
    return state


def test_siggraph17_runs_without_hints(tmp_path):
    write_zip(tmp_path / "weights.pth", siggraph_state())
    spec = conversion.import_torch(tmp_path / "weights.pth", tmp_path / "out.onnx")
    assert [port.name for port in spec.inputs] == ["data_l", "user_ab", "user_map"]
    picture = sample_lightness(SIZE, 1)[0]
    ab = open_net(spec, Engine("opencv", "float32")).predict(picture)
    assert ab.shape == (SIZE, SIZE, 2)
    assert ab.std() > 0.5
    assert np.abs(ab).max() <= 110
    if pytest.importorskip("onnxruntime"):
        other = open_net(spec, Engine("onnxruntime", "float32")).predict(picture)
        np.testing.assert_allclose(ab, other, atol=0.05)


def test_nothing_in_the_file_is_executed(tmp_path):
    touched = tmp_path / "touched"

    class Trap:
        def __reduce__(self):
            return (open, (str(touched), "w"))

    write_zip(tmp_path / "trap.pth", {}, body=pickle.dumps({"model1.0.weight": Trap()}, 2))
    (tmp_path / "old.pth").write_bytes(pickle.dumps(Trap(), 2))
    for name in ("trap.pth", "old.pth"):
        with pytest.raises(ModelError, match="not opened"):
            read_torch(tmp_path / name)
    assert not touched.exists()


@pytest.mark.parametrize("name", ["eval", "exec", "__import__", "getattr"])
def test_builtins_are_refused(tmp_path, name):
    write_zip(tmp_path / "trap.pth", {}, body=f"cbuiltins\n{name}\n(X\x01\x00\x00\x001tR.".encode())
    with pytest.raises(ModelError, match=rf"builtins\.{name}"):
        read_torch(tmp_path / "trap.pth")


def test_a_tensor_that_reaches_over_its_storage_is_refused(tmp_path):
    state = {"x": np.ones((4, 4), np.float32)}
    with zipfile.ZipFile(tmp_path / "short.pth", "w") as archive:
        archive.writestr("archive/data.pkl", pickled_state(state, old=False))
        archive.writestr("archive/data/0", b"\x00" * 60)
    with pytest.raises(ModelError, match="over the end"):
        read_torch(tmp_path / "short.pth")


def test_strided_tensors_come_out_right(tmp_path):
    values = np.arange(6, dtype=np.float32).reshape(2, 3).T
    write_zip(tmp_path / "strided.pth", {"x": values})
    with zipfile.ZipFile(tmp_path / "strided.pth", "w") as archive:
        archive.writestr("a/data.pkl", pickled_state({"x": values}, old=False))
        archive.writestr("a/data/0", np.arange(6, dtype=np.float32).tobytes())
    np.testing.assert_array_equal(read_torch(tmp_path / "strided.pth")["x"], values)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not a file of PyTorch weights|empty"),
        (b"<html>", "HTML"),
        (b"version https://git-lfs", "Git-LFS"),
        (b"garbage garbage", "not a file of PyTorch weights"),
        (pickle.dumps(3), "not a file of PyTorch weights"),
        (b"PK\x05\x06" + b"\x00" * 18, "no data.pkl"),
    ],
)
def test_other_files_are_refused(tmp_path, content, says):
    path = tmp_path / "x.pth"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=says):
        conversion.import_torch(path, tmp_path / "out.onnx")


@pytest.mark.parametrize("cut", [3, 40, 400, 4000])
def test_an_old_file_cut_short_is_refused(twin, tmp_path, cut):
    write_old(tmp_path / "x.pth", twin[2])
    content = (tmp_path / "x.pth").read_bytes()
    (tmp_path / "x.pth").write_bytes(content[:-cut] if cut < 1000 else content[:cut])
    with pytest.raises(ModelError):
        read_torch(tmp_path / "x.pth")


def test_another_net_s_weights_are_refused(twin, tmp_path):
    write_zip(tmp_path / "other.pth", {"fc.weight": np.ones((2, 2), np.float32)})
    with pytest.raises(ModelError, match="another net"):
        conversion.import_torch(tmp_path / "other.pth", tmp_path / "out.onnx")
    state = {name: values for name, values in twin[2].items() if not name.startswith("model5.2")}
    write_zip(tmp_path / "part.pth", state)
    with pytest.raises(ModelError, match=r"lacks the weights model5\.2"):
        conversion.import_torch(tmp_path / "part.pth", tmp_path / "out.onnx")

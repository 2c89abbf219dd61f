"""The release's topology at full size, with real arrays where a fixture holds them: every way of running it agrees."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from pipeline.ground.resources import models_dir
from pipeline.nets.convert import conversion
from pipeline.nets.engine import Engine
from pipeline.nets.engines.choice import FLOAT32_MEAN, FLOAT32_MOST, examine
from pipeline.nets.engines.open import open_net
from pipeline.nets.engines.opencv import reads_caffe
from pipeline.nets.engines.samples import sample_lightness
from pipeline.nets.resolve import resolve

pytest.importorskip("onnx", reason="the extra import is not installed")
from pipeline.nets.convert import release_topology
from pipeline.nets.convert.caffe_reader import read_prototxt

FIXTURES = Path(__file__).parents[1] / "fixtures" / "release"
pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Prototxt, caffemodel and points at full size: real arrays, He-normal where they are missing."""
    folder = tmp_path_factory.mktemp("release")
    text = (FIXTURES / "colorization_deploy_v2.prototxt").read_text()
    topology = read_prototxt(text)
    known: dict[str, dict[int, np.ndarray]] = {}
    with np.load(FIXTURES / "eccv16_small.npz", allow_pickle=False) as arrays:
        for key in arrays.files:
            name, _, place = key.rpartition("_")
            if place.isdigit():
                known.setdefault(name, {})[int(place)] = arrays[key].astype(np.float32)
    empty = np.zeros(0, np.float32)
    blobs = release_topology.release_blobs(
        topology,
        known={name: [found.get(place, empty) for place in range(3)] for name, found in known.items()},
    )
    np.testing.assert_array_equal(blobs["conv1_2"][0], known["conv1_2"][0])
    np.testing.assert_array_equal(blobs["conv4_1"][1], known["conv4_1"][1])
    paths = (folder / "full.prototxt", folder / "full.caffemodel", folder / "points.npy")
    paths[0].write_text(text)
    release_topology.write_caffemodel(paths[1], topology, blobs)
    shutil.copy(models_dir() / "pts_in_hull.npy", paths[2])
    return paths


@pytest.fixture(scope="module")
def converted(files):
    return conversion.import_caffe(*files, files[0].with_name("full.onnx"))


@pytest.mark.skipif(not reads_caffe(), reason="this OpenCV has no Caffe importer (5.x)")
def test_the_converted_net_is_what_opencv_4_reads(files, converted):
    mean, most = conversion.compare_with_caffe(*files, converted)
    print(f"\nnative Caffe against converted ONNX: mean {mean:.6f}, most {most:.6f}")
    assert most <= FLOAT32_MOST
    assert mean <= FLOAT32_MEAN


def test_every_engine_installed_agrees(converted, tmp_path):
    trials = examine(converted, tmp_path).trials
    for trial in trials:
        print(f"\n{trial}")
    assert all(trial.passed for trial in trials if trial.engine.precision == "float32" and trial.milliseconds)


def test_made_up_weights_alone_give_a_soft_softmax(tmp_path):
    release_topology.write_release_onnx(tmp_path / "release.onnx")
    spec = resolve(str(tmp_path / "release.onnx"))
    ab = open_net(spec, Engine("opencv", "float32")).predict(sample_lightness(spec.input_size, 1)[0])
    assert ab.shape == (56, 56, 2)
    assert 2 < ab.std() < 40

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.ground.errors import ModelError
from pipeline.nets.prediction import decode, encode
from pipeline.nets.spec import (
    Answer,
    Contract,
    Feed,
    NetSpec,
    Port,
    answer_from,
    contract_from_json,
    contract_json,
    feed_from,
)

SIZE = 4
RED, GREY = [1, 0, 0], [0.3, 0.3, 0.3]
L = np.linspace(0, 100, SIZE * SIZE, dtype=np.float32).reshape(SIZE, SIZE)
SPEC = NetSpec("x", Path("x.onnx"), "0" * 64, SIZE, Feed(), Answer(), (Port("in", (1, 1, SIZE, SIZE)),))


def test_lightness_is_scaled_and_shifted():
    fed = encode(L, replace(SPEC, feed=Feed(scale=0.01, offset=-0.5)))
    np.testing.assert_allclose(fed["in"], (L / 100 - 0.5)[None, None], atol=1e-6)


def test_grey_rgb_is_the_grey_of_that_lightness():
    fed = encode(L, replace(SPEC, feed=Feed(channels=3)))["in"]
    assert fed.shape == (1, 3, SIZE, SIZE)
    assert fed.min() >= 0
    assert fed.max() <= 1
    picture = np.ascontiguousarray(fed[0].transpose(1, 2, 0))
    np.testing.assert_allclose(np.ptp(picture, axis=2), 0, atol=2e-3)
    np.testing.assert_allclose(
        cv2.cvtColor(picture, cv2.COLOR_RGB2LAB)[..., 0], L, atol=0.3
    )  # OpenCV works with a table


def test_mean_and_deviation_of_each_channel():
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    plain = encode(L, replace(SPEC, feed=Feed(channels=3)))["in"]
    fed = encode(L, replace(SPEC, feed=Feed(channels=3, mean=mean, std=std)))["in"]
    for channel in range(3):
        np.testing.assert_allclose(fed[0, channel], (plain[0, channel] - mean[channel]) / std[channel], rtol=1e-5)


def test_channels_last():
    assert encode(L, replace(SPEC, feed=Feed(channels=3, layout="nhwc")))["in"].shape == (1, SIZE, SIZE, 3)


def test_hints_are_zeros_of_their_declared_shape():
    inputs = (*SPEC.inputs, Port("user_ab", (None, 2, None, None)), Port("user_map", (1, 1, SIZE, SIZE)))
    fed = encode(L, replace(SPEC, inputs=inputs))
    assert {name: values.shape for name, values in fed.items()} == {
        "in": (1, 1, 4, 4),
        "user_ab": (1, 2, 4, 4),
        "user_map": (1, 1, 4, 4),
    }
    assert not fed["user_ab"].any()


@pytest.mark.parametrize("wrong", [L[:2], L.astype(np.float64), L[:, :, None]])
def test_lightness_of_another_shape_is_a_fault(wrong):
    with pytest.raises(ValueError, match="lightness is"):
        encode(wrong, SPEC)


def test_ab_comes_out_in_lab_units():
    raw = np.arange(12, dtype=np.float32).reshape(1, 2, 2, 3) / 10
    ab = decode(raw, replace(SPEC, answer=Answer(scale=110, offset=1))).ab
    assert ab.shape == (2, 3, 2)
    np.testing.assert_allclose(ab[..., 0], raw[0, 0] * 110 + 1)


def test_of_rgb_the_chroma_is_kept():
    colour = np.random.default_rng(0).random((5, 6, 3), np.float32)
    raw = colour.transpose(2, 0, 1)[None] * 255
    ab = decode(raw, replace(SPEC, answer=Answer(kind="rgb", scale=1 / 255))).ab
    np.testing.assert_allclose(ab, cv2.cvtColor(colour, cv2.COLOR_RGB2LAB)[..., 1:], atol=0.5)  # OpenCV's coarse table
    red, grey = (
        decode(np.float32(c).reshape(1, 3, 1, 1), replace(SPEC, answer=Answer(kind="rgb"))).ab for c in (RED, GREY)
    )
    np.testing.assert_allclose(red[0, 0], [80.09, 67.20], atol=0.05)  # sRGB red under D65 (Lindbloom)
    np.testing.assert_allclose(grey[0, 0], [0, 0], atol=0.02)


def test_half_precision_input_is_fed_as_such():
    half = replace(SPEC, inputs=(Port("in", (1, 1, SIZE, SIZE), "float16"),))
    assert encode(L, half)["in"].dtype == np.float16


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_ab_is_no_view_of_the_engine_s_memory(layout):
    raw = np.ones((1, 2, 2, 2), np.float32)
    ab = decode(raw, replace(SPEC, feed=Feed(layout=layout))).ab
    raw[:] = 5
    assert ab.max() == 1


def test_the_third_channel_of_a_net_that_says_so_is_how_sure_it_is():
    raw = np.arange(12, dtype=np.float32).reshape(1, 3, 2, 2)
    plain = decode(raw[:, :2], SPEC)
    sure = decode(raw - 8.5, replace(SPEC, answer=Answer(spread=True)))
    assert plain.spread is None
    np.testing.assert_array_equal(sure.ab, plain.ab - 8.5)
    np.testing.assert_array_equal(sure.spread, [[0, 0.5], [1.5, 2.5]])  # none lies nearer than nothing
    assert sure.spread.dtype == np.float32
    with pytest.raises(ModelError, match="3 channels"):
        decode(raw[:, :2], replace(SPEC, answer=Answer(spread=True)))
    with pytest.raises(ModelError, match="spread"):
        Answer(kind="rgb", spread=True)


def test_half_precision_output():
    assert decode(np.ones((1, 2, 3, 3), np.float16), SPEC).ab.dtype == np.float32


@pytest.mark.parametrize(
    "raw", [np.zeros((1, 3, 4, 4)), np.zeros((2, 2, 4, 4)), np.zeros((2, 4, 4)), np.full((1, 2, 2, 2), np.nan)]
)
def test_an_output_of_another_kind_is_refused(raw):
    with pytest.raises(ModelError):
        decode(raw.astype(np.float32), SPEC)


@pytest.mark.parametrize(
    "table",
    [
        {"channels": 2},
        {"mean": [1.0, 2.0]},
        {"std": [0, 1, 1], "channels": 3},
        {"layout": "chwn"},
        {"scale": "1"},
        {"x": 1},
    ],
)
def test_unfit_feeds_are_refused(table):
    with pytest.raises(ModelError):
        feed_from({"channels": 3, **table} if "std" in table else table)


def test_unfit_answers_are_refused():
    with pytest.raises(ModelError):
        answer_from({"kind": "yuv"})


def test_the_contract_survives_the_way_through_a_file():
    feed, answer = Feed(3, 2.0, -1.0, (0.1, 0.2, 0.3), (1.0, 2.0, 3.0), "nhwc"), Answer("rgb", 0.5, 0.25)
    assert contract_from_json(contract_json(96, feed, answer, {"a": "b"})) == (Contract(96, feed, answer), {"a": "b"})

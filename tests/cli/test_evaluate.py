import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.cli.main import main
from pipeline.nets.spec import METADATA_KEY, Answer, Feed, contract_json

SHARED = Path(__file__).parents[2].parent / "shared"


def run(monkeypatch, capsys, *arguments):
    monkeypatch.setattr("sys.argv", ["colorize", "evaluate", *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        main()
    captured = capsys.readouterr()
    return stopped.value.code, captured.out, captured.err


@pytest.fixture
def photographs(tmp_path):
    random = np.random.default_rng(0)
    for number in range(3):
        small = random.integers(40, 215, (4, 4, 3)).astype(np.uint8)
        cv2.imwrite(str(tmp_path / f"{number}.png"), cv2.resize(small, (90, 70), interpolation=cv2.INTER_CUBIC))
    return tmp_path


def test_a_net_compared_with_itself_differs_by_nothing(monkeypatch, capsys, photographs, tmp_path):
    rows = tmp_path / "rows.csv"
    options = ("--engine", "opencv", "--compare", "embedded", "--saturations", "0.5,1", "--csv", rows, "--json")
    code, out, _ = run(monkeypatch, capsys, photographs, *options)
    assert code == 0
    found = json.loads(out)
    assert found["photographs"] == 3
    assert found["models"][0]["engine"] == "opencv/float32"
    for row in found["first_minus_second"].values():
        assert all(figure["value"] == 0 and figure["interval"] == 0 for figure in row.values())
    assert len(rows.read_text(encoding="utf-8").splitlines()) == 1 + 2 * 2 * 3


def test_a_bad_picture_gives_exit_3_and_its_reason(monkeypatch, capsys, photographs):
    whole = (photographs / "0.png").read_bytes()
    (photographs / "torn.png").write_bytes(whole[:-200])
    code, out, err = run(monkeypatch, capsys, photographs, "--engine", "opencv")
    assert code == 3
    assert "torn.png" in err
    assert "1 could not be read" in out
    assert "3 photographs" in out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--saturations", "1,x"), 2, "--saturations"),
        (("--saturations", "0"), 2, "--saturations"),
        (("--model", "no-such-model"), 4, "no-such-model"),
        (("--compare", "no-such-model"), 4, "no-such-model"),
        (("--csv", "absent/rows.csv"), 5, "absent"),
    ],
)
def test_what_makes_no_sense_is_said(monkeypatch, capsys, photographs, arguments, code, words):
    found, _, err = run(monkeypatch, capsys, photographs, *arguments)
    assert found == code
    assert words in err


def test_a_missing_folder_is_exit_5(monkeypatch, capsys, tmp_path):
    code, _, err = run(monkeypatch, capsys, tmp_path / "absent", "--engine", "opencv")
    assert code == 5
    assert "absent" in err


@pytest.mark.soak
@pytest.mark.skipif(not (SHARED / "photos/eval").is_dir(), reason="the 350 photographs of the card are not here")
def test_the_card_of_the_first_net_is_reproduced(monkeypatch, capsys, tmp_path):
    onnx = pytest.importorskip("onnx", reason="says in the first net's file how it is fed; extra: import")
    net = onnx.load(Path(__file__).parents[2] / "models/training/v1/embedded-v1.onnx")
    onnx.helper.set_model_props(net, {METADATA_KEY: contract_json(160, Feed(offset=-50.0), Answer())})
    onnx.save(net, tmp_path / "v1.onnx")
    model = tmp_path / "v1.onnx"
    code, out, _ = run(monkeypatch, capsys, SHARED / "photos/eval", "-m", model, "--engine", "opencv", "--json")
    assert code == 0
    net = json.loads(out)["models"][0]
    row = {name: figure["value"] for name, figure in net["against_grey"]["1"].items()}
    card = {
        "psnr": (0.47, 0.006),
        "ciede2000": (0.09, 0.006),
        "colourfulness": (89, 0.6),
        "auc": (0.5, 0.06),
        "rebalanced_auc": (8.0, 0.06),
        "shift": (2.46, 0.006),
        "blur": (2.89, 0.006),
        "flat_gradient": (1.39, 0.015),
    }
    for name, (value, tolerance) in card.items():
        assert row[name] == pytest.approx(value, abs=tolerance), name

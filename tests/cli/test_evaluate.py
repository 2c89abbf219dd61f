import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.cli.main import main
from pipeline.nets.spec import METADATA_KEY, Answer, Feed, contract_json

FIXTURES = Path(__file__).parents[1] / "fixtures"


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


def test_of_grey_pictures_alone_it_says_what_can_be_said_without_a_truth(monkeypatch, capsys, tmp_path):
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((70, 90), 120, np.uint8))
    code, out, _ = run(monkeypatch, capsys, tmp_path, "--engine", "opencv")
    assert code == 0
    assert "1 without any colour to compare with" in out
    code, out, _ = run(monkeypatch, capsys, tmp_path, "--engine", "opencv", "--json")
    found = json.loads(out)
    assert (found["photographs"], found["without_colour"], found["models"]) == (0, ["grey.png"], [])
    assert set(found["without_truth"][0]["1"]) == {"strong", "red", "plane_spread"}


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


def test_the_figures_of_the_first_net_stay_what_they_are(monkeypatch, capsys, tmp_path):
    """A change of the measure shows here: the net's file, the photographs and the engine are the same for ever."""
    onnx = pytest.importorskip("onnx", reason="says in the first net's file how it is fed; extra: import")
    net = onnx.load(Path(__file__).parents[2] / "models/training/v1/embedded-v1.onnx")
    onnx.helper.set_model_props(net, {METADATA_KEY: contract_json(160, Feed(offset=-50.0), Answer())})
    onnx.save(net, tmp_path / "v1.onnx")
    plain = ("-m", tmp_path / "v1.onnx", "--palette", "plain", "--engine", "opencv")
    code, out, _ = run(monkeypatch, capsys, FIXTURES / "colour", *plain, "--json")
    assert code == 0
    net = json.loads(out)["models"][0]
    for part, figures in (
        (
            net["grey"],
            {
                "psnr": (18.64, 0.02),
                "ciede2000": (15.24, 0.02),
                "auc": (82.65, 0.06),
                "rebalanced_auc": (75.15, 0.06),
            },
        ),
        (
            net["against_grey"]["1"],
            {
                "psnr": (4.63, 0.02),
                "ciede2000": (-6.86, 0.02),
                "colourfulness": (87.8, 0.6),
                "auc": (6.39, 0.06),
                "rebalanced_auc": (10.11, 0.06),
                "shift": (1.983, 0.01),
                "blur": (1.920, 0.01),
                "flat_gradient": (1.205, 0.015),
            },
        ),
    ):
        for name, (value, tolerance) in figures.items():
            assert part[name]["value"] == pytest.approx(value, abs=tolerance), name

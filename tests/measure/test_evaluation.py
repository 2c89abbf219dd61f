import csv
import io
from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest

from pipeline.colour.reference import lab_of
from pipeline.ground.errors import InputError, OutputError
from pipeline.measure.card import card_json, card_lines
from pipeline.measure.evaluation import csv_text, difference, measure_picture, points_table, summarise, write_csv
from pipeline.measure.photographs import evaluate_photographs, photographs
from pipeline.nets.engine import Engine
from pipeline.run.progress import Progress

SIDE = 64


@dataclass
class Spec:
    name: str
    input_size: int = SIDE
    sha256: str = "0" * 64
    path: str = "net.onnx"


@dataclass
class StubNet:
    """Answers whatever `answer` says to a lightness."""

    spec: Spec
    answer: object
    engine: Engine = field(default_factory=lambda: Engine("stub", "float32"))

    def predict(self, lightness):
        return self.answer(lightness)


def photograph(seed: int, side: int = SIDE) -> np.ndarray:
    random = np.random.default_rng(seed)
    small = random.integers(40, 215, (4, 4, 3)).astype(np.uint8)
    return cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC)


def truth_net(pictures) -> StubNet:
    known = [lab_of(each) for each in pictures]

    def answer(lightness):
        nearest = min(known, key=lambda lab: float(np.abs(lab[:, :, 0] - lightness).mean()))
        return np.ascontiguousarray(nearest[:, :, 1:])

    return StubNet(Spec("truth"), answer)


def grey_net() -> StubNet:
    return StubNet(Spec("grey"), lambda lightness: np.zeros((SIDE // 4, SIDE // 4, 2), np.float32))


def test_the_truth_beats_grey_and_grey_equals_grey():
    pictures, table = [photograph(seed) for seed in range(5)], points_table()
    nets = [truth_net(pictures), grey_net()]
    rows = [[measure_picture(f"{i}", p, net, (1.0, 0.5), table) for i, p in enumerate(pictures)] for net in nets]
    best, none = (summarise(net, each, (1.0, 0.5)) for net, each in zip(nets, rows, strict=True))
    perfect = best.saturations[1.0]
    assert perfect["psnr"].value > 10
    assert perfect["ciede2000"].value == pytest.approx(-best.grey["ciede2000"].value, abs=0.2)
    assert perfect["colourfulness"].value == pytest.approx(100, abs=1)
    assert perfect["auc"].value + best.grey["auc"].value == pytest.approx(100, abs=0.1)
    assert perfect["rebalanced_auc"].value + best.grey["rebalanced_auc"].value == pytest.approx(100, abs=0.1)
    assert perfect["flat_gradient"].value == pytest.approx(1)
    assert best.saturations[0.5]["flat_gradient"].value == pytest.approx(0.5)
    assert 30 < best.saturations[0.5]["colourfulness"].value < 70
    assert perfect["cast_free_psnr"].value > 10
    assert perfect["strong_wrong"].value == pytest.approx(0)
    assert perfect["plane_ratio"].value == pytest.approx(1)
    nothing = none.saturations[1.0]
    assert [nothing[name].value for name in ("strong", "strong_wrong", "red", "plane_spread")] == [0, 0, 0, 0]
    assert [nothing[name].value for name in ("psnr", "ciede2000", "auc", "rebalanced_auc")] == [0, 0, 0, 0]
    assert [nothing[name].value for name in ("shift", "blur", "flat_gradient")] == [0, 0, 0]
    paired = difference(best, none)[1.0]
    assert paired["psnr"].value == pytest.approx(perfect["psnr"].value)


def test_tables_fit_eighty_columns_and_json_holds_the_same():
    pictures, table = [photograph(seed) for seed in range(3)], points_table()
    nets = [truth_net(pictures), grey_net()]
    rows = [[measure_picture(f"{i}", p, net, (1.0,), table) for i, p in enumerate(pictures)] for net in nets]
    results = [summarise(net, each, (1.0,)) for net, each in zip(nets, rows, strict=True)]
    lines = list(card_lines(results, 3))
    assert max(map(len, lines)) <= 80
    assert any("truth minus grey" in line for line in lines)
    found = card_json(results, 3, grey=[], failed={})
    assert found["models"][0]["against_grey"]["1"]["psnr"]["value"] == pytest.approx(
        results[0].saturations[1.0]["psnr"].value, abs=1e-4
    )
    assert "first_minus_second" in found


def test_one_picture_has_figures_and_no_intervals():
    picture = photograph(1)
    net = truth_net([picture])
    result = summarise(net, [measure_picture("1", picture, net, (1.0,), points_table())], (1.0,))
    text = "\n".join(card_lines([result], 1))
    assert text.startswith("1 photograph,")
    assert "nan" not in text
    assert "+-" not in text


def test_csv_has_a_row_for_each_picture_model_and_saturation():
    pictures, table = [photograph(seed) for seed in range(3)], points_table()
    net = truth_net(pictures)
    rows = [measure_picture(f'a, "{i}".png', p, net, (1.0, 0.5), table) for i, p in enumerate(pictures)]
    read = list(csv.DictReader(io.StringIO(csv_text([("truth", rows)]))))
    assert len(read) == 6
    assert read[0]["picture"] == 'a, "0".png'
    assert {row["saturation"] for row in read} == {"1", "0.5"}
    assert all(float(row["psnr"]) > float(row["psnr_grey"]) for row in read)


def test_a_bad_picture_is_counted_and_the_rest_goes_on(tmp_path, capsys):
    (tmp_path / "inner").mkdir()
    pictures = [photograph(seed) for seed in range(2)]
    for place, picture in zip(("a.png", "inner/b.png"), pictures, strict=True):
        cv2.imwrite(str(tmp_path / place), picture)
    cv2.imwrite(str(tmp_path / "grey.png"), pictures[0][:, :, 1])
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "broken.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "notes.txt").write_text("no picture")
    found = photographs(tmp_path)
    done = evaluate_photographs(found, [truth_net(pictures)], (1.0,), Progress(4, quiet=True), max_megapixels=10)
    assert [each.name for each in done.measured[0]] == ["a.png", "inner/b.png"]
    assert done.grey == ["grey.png"]
    assert list(done.failed) == ["broken.png"]
    assert "broken.png: " in capsys.readouterr().err


def test_limit_takes_an_even_selection(tmp_path):
    for number in range(10):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.zeros((2, 2, 3), np.uint8))
    assert [name for name, _ in photographs(tmp_path, 5)] == ["0.png", "2.png", "4.png", "6.png", "8.png"]


def test_a_folder_without_photographs_is_said(tmp_path):
    with pytest.raises(InputError, match="holds no pictures"):
        photographs(tmp_path)
    with pytest.raises(InputError, match="not a folder"):
        photographs(tmp_path / "absent")


def test_films_are_no_photographs_and_of_several_pages_the_first_counts(tmp_path):
    (tmp_path / "reel.avi").write_bytes(b"RIFF\0\0\0\0AVI LIST" + bytes(64))
    pages = [photograph(seed) for seed in range(2)]
    cv2.imwritemulti(str(tmp_path / "pages.tif"), pages)
    assert [name for name, _ in photographs(tmp_path)] == ["pages.tif"]
    done = evaluate_photographs(
        photographs(tmp_path), [truth_net(pages)], (1.0,), Progress(1, quiet=True), max_megapixels=10
    )
    assert [each.name for each in done.measured[0]] == ["pages.tif"]


def test_a_file_that_cannot_be_written_is_said_and_the_old_one_stays(tmp_path):
    (tmp_path / "rows.csv").mkdir()
    with pytest.raises(OutputError, match=r"rows\.csv cannot be written: "):
        write_csv(tmp_path / "rows.csv", "picture\r\n")
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]

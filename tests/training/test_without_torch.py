"""What of the training needs no torch: preparing photographs, the schedule, measuring a net, agreement of engines."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.training.planes import inside, regions, spread
from models.training.prepare import prepare, read_source, split_lab, square
from models.training.schedule import Progress, learning_rate
from pipeline.colour.chart import charted
from pipeline.nets.resolve import resolve
from tests.conftest import Colorize

FIXTURES = Path(__file__).parents[1] / "fixtures"


def test_photographs_are_prepared_and_what_teaches_nothing_is_left_out(
    sources: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prepare(sources, tmp_path) == 30
    assert read_source(sources[0])[3] == {"monochrome": 1, "toned": 1, "drawing": 1, "unreadable": 1}
    assert "30 pictures kept" in capsys.readouterr().out
    names = (tmp_path / "names.txt").read_text(encoding="utf-8").splitlines()
    assert len(names) == 30
    assert names[0] == "clouds__000.png"
    assert names[-1] == "zipped__29.png"
    lightness, chroma = np.load(tmp_path / "lightness.npy"), np.load(tmp_path / "chroma.npy")
    assert (lightness.shape, lightness.dtype) == ((30, 128, 128), np.uint8)
    assert (chroma.shape, chroma.dtype) == ((30, 2, 64, 64), np.int8)


def test_sources_read_at_once_give_the_same(sources: list[Path], tmp_path: Path) -> None:
    for jobs in (1, 2):
        prepare(sources, tmp_path / str(jobs), jobs)
    for name in ("names.txt", "lightness.npy", "chroma.npy"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_a_prepared_photograph_is_still_that_photograph() -> None:
    picture = square(cv2.imread(str(FIXTURES / "colour" / "coffee.jpg")))
    lightness, chroma = split_lab(picture)
    ab = cv2.resize(chroma.transpose(1, 2, 0).astype(np.float32), (128, 128), interpolation=cv2.INTER_LINEAR)
    back = cv2.cvtColor(np.dstack([lightness / np.float32(2.55), ab]), cv2.COLOR_LAB2BGR) * 255
    assert np.abs(back - picture).mean() < 4


def test_charts_are_fitted_to_what_the_net_answers(sources: list[Path], tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="extra: train or onnxruntime")
    from models.training import answers, chart

    assert prepare(sources, tmp_path) == 30
    kept = tmp_path / "answers.npz"
    answers.main([str(tmp_path), "--out", str(kept), "--limit", "20"])
    found = answers.load(kept)
    assert found.ab.shape == found.truth.shape == (20, 24, 24, 2)
    assert np.abs(found.ab - found.truth).mean() < 40
    answers.main([str(tmp_path), "--out", str(tmp_path / "all.npz"), "--limit", "99"])
    every = answers.load(tmp_path / "all.npz").truth
    assert len(np.unique(every.reshape(len(every), -1), axis=0)) == len(every) > 20, "each photograph once"
    chart.main([str(kept), "--out", str(tmp_path / "charts.npz")])
    with np.load(tmp_path / "charts.npz") as charts:
        assert set(charts) == set(chart.WEIGHTS)
        for name in charts:
            moved = charted(found.ab[0], found.spread[0], charts[name].astype(np.float32))
            assert np.square(moved - found.truth[0]).mean() < np.square(found.ab[0] - found.truth[0]).mean()


def test_of_an_empty_split_nothing_is_asked(sources: list[Path], tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="extra: train or onnxruntime")
    from models.training import answers

    prepare(sources[:1], tmp_path)
    (tmp_path / "names.txt").write_text("a\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="no held-out photograph"):
        answers.main([str(tmp_path), "--out", str(tmp_path / "kept.npz"), "--held-out"])


def test_a_deadline_is_met_in_spite_of_a_pause() -> None:
    now = 0.0
    progress = Progress(None, 100.0, clock=lambda: now)
    steps = []
    for second in [*range(1, 20), *range(70, 101)]:
        now = float(second)
        before = progress.done
        steps.append(progress.advance(32) - before)
    assert progress.done == 1
    assert max(steps[:-1]) < 0.55
    assert learning_rate(1.0, 1000) == pytest.approx(0.02)
    assert learning_rate(0.0, 0) < 0.01


def test_a_budget_of_pictures_ends_where_it_should() -> None:
    progress = Progress(100, None)
    assert [progress.advance(40) for _ in range(3)] == pytest.approx([0.4, 0.8, 1])


def test_plain_regions_are_regions_and_their_spread_is_that_inside() -> None:
    drawn = [corners for each in regions().values() for corners in each.values()]
    assert len(drawn) == 50
    for corners in drawn:
        assert all(0 <= number <= 1 for corner in corners for number in corner)
        assert 30 < inside(corners, 192).sum() < 192 * 192 / 2
    ab = np.zeros((192, 192, 2), np.float32)
    left = inside([(0, 0), (0.5, 0), (0.5, 1), (0, 1)], 192)
    ab[:, 120:] = 50
    assert spread(ab, left) == 0
    ab[::2, :, 0] = 6
    assert spread(ab, left) == pytest.approx(3, abs=0.05)


def test_the_engines_agree_on_the_net_that_ships() -> None:
    pytest.importorskip("onnxruntime", reason="extra: train or onnxruntime")
    from models.training.agree import TOLERANCE, largest_difference

    assert 0 < largest_difference(resolve("embedded").path, (96,)) <= TOLERANCE


def test_a_net_is_measured_as_the_command_measures_it(colorize: Colorize) -> None:
    pytest.importorskip("onnxruntime", reason="extra: train or onnxruntime")
    from models.training.evaluate import exported, measure, pictures_in

    spec, folder = resolve("embedded"), FIXTURES / "colour"
    assert [name for name, _ in pictures_in(folder, 2)] == ["astronaut.jpg", "coffee.jpg"]
    mine = measure(exported(spec.path, spec.input_size), pictures_in(folder), (1.0,))
    done = colorize("evaluate", folder, "--palette", "plain", "--engine", "onnxruntime", "--json")
    assert done.returncode == 0, done.stderr
    theirs = json.loads(done.stdout)["models"][0]
    assert (mine.sha256, mine.input_size) == (theirs["sha256"], theirs["input_size"])
    for name, figure in theirs["against_grey"]["1"].items():
        assert mine.saturations[1.0][name].value == pytest.approx(figure["value"], abs=0.01), name

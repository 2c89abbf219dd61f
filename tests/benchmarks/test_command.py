import json
import subprocess
import sys
from dataclasses import replace

import pytest

from benchmarks import suite
from benchmarks.measurement import Measurement
from pipeline.cli.main import main
from tests.conftest import CHECKOUT, ENTRY, environment


@pytest.fixture
def colorize(monkeypatch, capsys, user_cache):
    monkeypatch.setenv("XDG_CACHE_HOME", str(user_cache))

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["colorize", "bench", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        return stopped.value.code, capsys.readouterr()

    return run


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--sizes", "0.3,x"), 2, "--sizes"),
        (("--sizes", "0"), 2, "--sizes"),
        (("--engines", "abacus", "--sizes", "0.01"), 4, "abacus"),
        (("--engines", "opencv/bfloat16", "--sizes", "0.01"), 4, "float32"),
        (("--model", "no-such-model"), 4, "no-such-model"),
    ],
)
def test_what_makes_no_sense_is_said(colorize, arguments, code, words):
    found, said = colorize(*arguments)
    assert found == code
    assert words in said.err


@pytest.fixture
def asked(monkeypatch):
    """Stand-ins for the measurement itself (see test_benchmarks.py); what was asked of them."""
    asked = []

    def in_turns(size, contenders, reference, *, rounds, threads):
        asked.append((tuple(map(str, contenders)), reference, size.megapixels, rounds, threads))
        size.say("measuring")
        found = {"megapixels": size.megapixels, "seconds": [0.1], "pictures_per_second": 10.0}
        size.results.rows.extend(found | each.columns for each in contenders)

    monkeypatch.setattr(Measurement, "alone", lambda size, contenders: contenders)
    monkeypatch.setattr(Measurement, "in_turns", in_turns)
    monkeypatch.setattr(Measurement, "scale", lambda size, contender, rounds: asked.append(f"scale {contender}"))
    monkeypatch.setattr(suite, "measure_films", lambda *_arguments, rounds: [])
    monkeypatch.setattr(suite, "made_up_release", lambda _folder: None)
    monkeypatch.setattr("benchmarks.measurement.write_pictures", lambda *_arguments: [])
    return asked


def test_both_files_are_written_and_the_summary_goes_to_stdout(colorize, asked, tmp_path):
    options = ("--sizes", "0.3,60", "--engines", "opencv", "--quick", "--rounds", 4, "-j", 1)
    code, said = colorize(*options, "--output", tmp_path / "out")
    assert code == 0
    contenders = ("embedded opencv/float32 x1",)
    assert asked == [(contenders, None, 0.3, 4, 1), (contenders, None, 60.0, 2, 1)]
    assert "measuring" in said.err
    assert "10.00" in said.out
    document = json.loads((tmp_path / "out/performance.json").read_text(encoding="utf-8"))
    assert [row["megapixels"] for row in document["rows"]] == [0.3, 60.0]
    assert "colorize-archive[import]" in document["left_out"][0]
    assert (tmp_path / "out/performance.md").read_text(encoding="utf-8").startswith("Measured")
    assert len(list((tmp_path / "out").iterdir())) == 2
    code, said = colorize(*options, "--json", "-q")
    assert json.loads(said.out)["conditions"]["workers"] == 1
    assert said.err == ""


def test_more_workers_are_tried_with_an_engine_that_was_asked_for(colorize, asked):
    code, _ = colorize("--sizes", "0.3", "--engines", "opencv", "-j", 3)
    assert code == 0
    assert asked[-1] == "scale embedded opencv/float32 x3"


def test_above_one_megapixel_only_opencv_and_the_fastest_are_measured(colorize, asked, monkeypatch):
    engines = [suite.REFERENCE, suite.Engine("onnxruntime", "float32"), suite.Engine("openvino", "float32")]
    monkeypatch.setattr(suite, "wished", lambda _names: engines)
    net, choice = suite.settle(suite.Settings(engine="opencv", precision="float32"))
    monkeypatch.setattr(suite, "settle", lambda _settings: (net, replace(choice, engine=engines[2])))
    colorize("--sizes", "0.3,2", "-j", 1)
    assert [len(each[0]) for each in asked] == [3, 2]
    assert asked[1][0] == ("embedded opencv/float32 x1", "embedded openvino/float32 x1")


def test_the_reference_is_left_out_where_its_pictures_do_not_fit_the_memory(colorize, asked, monkeypatch):
    monkeypatch.setattr(suite, "made_up_release", lambda _folder: suite.settle(suite.Settings())[0])
    monkeypatch.setattr(suite, "available_memory", lambda: 90 * 2_000_000)
    _, said = colorize("--sizes", "1,3", "--engines", "opencv", "-j", 1, "--quick")
    assert [each[1] is None for each in asked] == [False, True]
    assert "The reference at 3 MP: not enough free memory." in said.out


def test_an_output_that_cannot_be_written_is_exit_5(colorize, asked, tmp_path):
    (tmp_path / "file").touch()
    code, said = colorize("--output", tmp_path / "file")
    assert (code, asked) == (5, [])
    assert "cannot be written" in said.err


def test_it_is_a_module_of_the_checkout_too():
    call = [sys.executable, "-m", "benchmarks", "--help"]
    done = subprocess.run(call, cwd=CHECKOUT, capture_output=True, text=True, check=True, timeout=60)
    assert "--rounds" in done.stdout


@pytest.mark.parametrize("arguments", [(), ("--quick", "-q"), ("--output", "out", "--sizes", "0.3")])
def test_where_only_the_program_is_installed_it_says_where_the_benchmark_lives(tmp_path, arguments):
    (tmp_path / "pipeline").symlink_to(CHECKOUT / "pipeline")
    done = subprocess.run(
        [*ENTRY, "bench", *arguments],
        cwd=tmp_path,
        env=environment(PYTHONPATH=str(tmp_path)),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "source checkout" in done.stderr
    assert "make bench" in done.stderr

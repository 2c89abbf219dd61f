import json

import pytest

from pipeline.cli.main import main
from pipeline.measure.speed import bench
from pipeline.measure.speed.race import Race


@pytest.fixture
def colorize(monkeypatch, capsys):
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
        (("--model", "no-such-model"), 4, "no-such-model"),
    ],
)
def test_what_makes_no_sense_is_said(colorize, arguments, code, words):
    found, said = colorize(*arguments)
    assert found == code
    assert words in said.err


def test_both_files_are_written_and_the_summary_goes_to_stdout(colorize, monkeypatch, tmp_path):
    asked = []

    def stub(entrants, reference, sizes, *, rounds, say, **_rest):  # the race itself: tests/measure/speed
        asked.append((tuple(each.key for each in entrants), reference, tuple(sizes), rounds))
        say("measuring")
        named = {"model": "embedded", "engine": "opencv/float32", "jobs": 1, "upsample": "bilinear", "gamut": "clip"}
        return Race(rows=[{"megapixels": sizes[0], **named, "seconds": [0.1], "pictures_per_second": 10.0}])

    monkeypatch.setattr(bench, "run_race", stub)
    monkeypatch.setattr(bench, "_release", lambda _folder: None)
    options = ("--sizes", "0.3,60", "--engines", "opencv", "--quick", "--rounds", 4, "-j", 1)
    code, said = colorize(*options, "--output", tmp_path / "out")
    assert code == 0
    entrants = ("embedded opencv/float32 x1",)
    assert asked == [(entrants, None, (0.3,), 4), (entrants, None, (60.0,), 2)]
    assert "measuring" in said.err
    assert "10.00" in said.out
    document = json.loads((tmp_path / "out/performance.json").read_text(encoding="utf-8"))
    assert [row["megapixels"] for row in document["rows"]] == [0.3, 60.0]
    assert "colorize[import]" in document["left_out"][0]
    assert (tmp_path / "out/performance.md").read_text(encoding="utf-8").startswith("Measured")
    code, said = colorize(*options, "--json", "-q")
    assert json.loads(said.out)["conditions"]["workers"] == 1
    assert said.err == ""

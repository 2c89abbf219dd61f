import json

import pytest

from pipeline.cli.main import main
from pipeline.nets.engines import catalogue


@pytest.fixture
def doctor(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(catalogue, "installed", lambda engine: engine == "opencv")

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["colorize", "doctor", *arguments])
        with pytest.raises(SystemExit) as stopped:
            main()
        return stopped.value.code, capsys.readouterr()

    return run


def test_doctor_checks_the_engines_and_says_what_a_run_uses(doctor):
    code, said = doctor("--json")
    found = json.loads(said.out)
    assert code == 0
    assert found["use"]["engine"] == "opencv"
    tried = {(each["engine"], each["precision"]): each for each in found["engines"]}
    assert tried["opencv", "float32"]["passed"]
    assert tried["opencv", "float32"]["milliseconds"] > 0
    assert "colorize-archive[openvino]" in tried["openvino", "float32"]["verdict"]
    assert found["problems"] == []


def test_doctor_gives_the_code_of_what_is_in_the_way(doctor, tmp_path):
    code, said = doctor("--model", str(tmp_path / "absent.onnx"))
    assert code == 4
    assert "absent.onnx" in said.out
    assert said.err == ""
    code, said = doctor("--engine", "openvino")
    assert code == 4
    assert "colorize-archive[openvino]" in said.out

import json

import pytest

from pipeline.cli.main import main


@pytest.fixture
def colorize(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("COLORIZE_MODELS_DIR", str(tmp_path / "models"))

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["colorize", "models", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        captured = capsys.readouterr()
        return stopped.value.code, captured.out, captured.err

    return run


def test_list_names_every_entry_and_what_is_here(colorize, tmp_path):
    code, out, _ = colorize("list", "--json")
    found = json.loads(out)
    states = {each["name"]: each["state"] for each in found["models"]}
    assert code == 0
    assert found["models_dir"] == str(tmp_path / "models")
    assert states["embedded-v4"] == "yes"
    assert states["zhang2016"] == "no"
    (tmp_path / "models").mkdir()
    (tmp_path / "models/pts_in_hull.npy").write_bytes(b"x")
    (tmp_path / "models/my-own.onnx").write_bytes(b"x")
    code, out, _ = colorize("list")
    lines = out.splitlines()
    assert max(map(len, lines[:-1])) <= 80
    assert next(line for line in lines if line.startswith("zhang2016")).split()[1] == "partly"
    assert any(line.startswith("my-own") and "imported" in line for line in lines)


def test_verify_passes_the_embedded_net_and_reports_damage(colorize, tmp_path):
    assert colorize("verify")[0] == 0
    assert colorize("verify", "zhang2016")[0] == 4
    (tmp_path / "models").mkdir()
    (tmp_path / "models/pts_in_hull.npy").write_text("<!DOCTYPE html><html></html>")
    code, out, _ = colorize("verify")
    assert code == 4
    assert "damaged" in out
    assert "HTML" in out
    code, out, _ = colorize("verify", "zhang2016", "--json")
    assert {each["state"] for each in json.loads(out)} == {"missing", "damaged"}


def test_fetch_of_what_travels_with_the_program_only_checks_it(colorize):
    code, out, _ = colorize("fetch", "embedded")
    assert code == 0
    assert "embedded-v4.onnx: checked" in out


def test_fetch_says_what_is_wrong(colorize, tmp_path):
    code, _, err = colorize("fetch", "zhang2016", "--from", tmp_path)
    assert code == 4
    assert "colorization_release_v2.caffemodel" in err
    code, _, err = colorize("fetch", "embedded", "zhang2061")
    assert code == 4
    assert 'Did you mean "zhang2016"?' in err


def test_import_makes_a_model_that_list_and_resolve_know(colorize, tmp_path):
    pytest.importorskip("onnx", reason="the extra import is not installed")
    from pipeline.nets.convert.release_topology import write_release_caffe
    from pipeline.nets.resolve import resolve

    files = write_release_caffe(tmp_path, width=0.05, size=64)
    code, out, _ = colorize("import", *files, "-o", "small")
    assert code == 0
    assert "--model small" in out
    assert resolve("small", tmp_path / "models").input_size == 64
    assert "small" in colorize("list")[1]
    code, _, err = colorize("import", *files, "-o", "small")
    assert code == 5
    assert "--force" in err
    assert colorize("import", *files, "-o", tmp_path / "other.onnx")[0] == 0
    assert (tmp_path / "other.onnx").is_file()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("import", "a.prototxt", "b.caffemodel", "-o", "x"), 2, "PROTOTXT CAFFEMODEL POINTS"),
        (("import", "a.pth", "-o", "folder/name"), 2, ".onnx"),
        (("import", "a.prototxt", "b.caffemodel", "c.npy", "-o", "x"), 4, "a.prototxt"),
        (("import", "a.pth", "-o", "x"), 4, "a.pth"),
        (("fetch",), 2, "NAME"),
    ],
)
def test_what_makes_no_sense_is_said(colorize, arguments, code, words):
    found, _, err = colorize(*arguments)
    assert found == code
    assert words in err

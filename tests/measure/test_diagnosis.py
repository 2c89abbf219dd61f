import importlib
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.ground import resources
from pipeline.ground.errors import ExitCode
from pipeline.ground.settings import Settings
from pipeline.measure import diagnosis, diagnosis_text
from pipeline.measure.diagnosis import diagnose
from pipeline.measure.diagnosis_text import diagnosis_lines
from pipeline.nets.engine import Engine
from pipeline.nets.engines import choice
from pipeline.nets.engines.findings import Findings, Trial

TRIALS = (
    Trial(Engine("opencv", "float32"), True, "the reference", 26.0, 0.0, 0.0, 0.0),
    Trial(
        Engine("onnxruntime", "float32"),
        False,
        "not installed: `pip install 'colorize-archive[onnxruntime]'` brings it",
    ),
    Trial(
        Engine("openvino", "bfloat16"), False, "differs too much: ab differs by 3.00 on average", 8.0, 3.0, 9.0, 12.0
    ),
)
FINDINGS = Findings(TRIALS, 1_700_000_000.0, 0.125)


@pytest.fixture
def checked(monkeypatch, tmp_path):
    """A machine whose engines were checked before, with a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(choice, "examine", lambda *_arguments, **_options: FINDINGS)


def text(found):
    return "\n".join(diagnosis_lines(found))


def test_a_sound_machine_has_no_problems_and_says_what_it_uses(checked):
    found = diagnose(Settings(engine="opencv"))
    assert found.problems == []
    assert found.exit_code == ExitCode.OK
    assert (found.use["engine"], found.use["precision"]) == ("opencv", "float32")
    assert found.use["jobs"] >= 1
    assert found.model["name"] == "embedded-v4"
    assert "differs too much" in text(found)


def test_the_reason_names_the_settings_where_they_decide(checked):
    assert diagnose(Settings(engine="opencv", precision="float32")).use["why"] == "the settings name it"
    forced = diagnose(Settings(engine="opencv", jobs=3)).use
    assert (forced["jobs"], forced["why_jobs"]) == (3, "--jobs")
    assert "only one" in forced["why"]


def test_a_slower_engine_by_name_is_advised_against(checked, monkeypatch):
    fast = Trial(Engine("openvino", "bfloat16"), True, "agrees: ab differs by 0.50 on average", 8.0, 0.5, 2.0, 3.0)
    monkeypatch.setattr(choice, "examine", lambda *_arguments, **_options: Findings((*TRIALS[:2], fast), 0.0, 0.9))
    found = diagnose(Settings(engine="opencv", precision="float32"))
    assert any("openvino/bfloat16 is faster" in sentence for sentence in found.advice)
    assert "others used 90% of the machine: too busy" in " ".join(text(found).split())
    assert any("doctor --anew" in sentence for sentence in found.advice)


def test_how_old_the_figures_are_and_how_busy_the_machine_was_is_told(checked):
    found = diagnose(Settings(engine="opencv"))
    assert found.examined == {"when": "2023-11-14T22:13:20+00:00", "busy": 0.12, "fair": True}
    ages = {0: "today", 1: "yesterday", 40: "40 days ago"}
    for days, words in ages.items():
        now = datetime.fromtimestamp(FINDINGS.when, UTC) + timedelta(days=days, hours=1)
        assert diagnosis_text._age(found.examined, now) == f"Timed {words}, while others used 12% of the machine."
    assert "days ago, while others used 12%" in " ".join(text(found).split())


def test_a_missing_model_is_a_problem_and_the_rest_is_still_told(checked):
    found = diagnose(Settings(model="zhang2016"))
    assert found.exit_code == ExitCode.MODEL
    assert "models fetch zhang2016" in " ".join(text(found).split())
    assert found.use == {}
    assert found.machine["cores"] >= 1
    assert found.folders


def test_a_damaged_model_is_a_problem(checked, monkeypatch, tmp_path):
    carried = resources.models_dir()
    broken = tmp_path / "models"
    broken.mkdir()
    (broken / "models.toml").write_bytes((carried / "models.toml").read_bytes())
    (broken / "embedded-v4.onnx").write_bytes((carried / "embedded-v4.onnx").read_bytes()[:-1])
    monkeypatch.setattr(resources, "models_dir", lambda: broken)
    from pipeline.nets.store.registry import load_registry

    load_registry.cache_clear()
    found = diagnose(Settings())
    load_registry.cache_clear()
    assert found.exit_code == ExitCode.MODEL
    assert "bytes" in found.problems[0]


def test_a_library_that_cannot_be_imported_is_named(checked, monkeypatch):
    real = importlib.import_module

    def broken(name, *rest):
        if name == "cv2":
            raise ImportError("libGL.so.1: cannot open shared object file")
        return real(name, *rest)

    monkeypatch.setattr(diagnosis.importlib, "import_module", broken)
    found = diagnose(Settings(engine="opencv"))
    assert found.exit_code == ExitCode.INPUT_OUTPUT  # as of every command: it is the machine
    assert "OpenCV cannot be imported" in found.problems[0]
    assert "libGL" in text(found)
    assert found.software["OpenCV"] is None


def test_an_engine_check_that_falls_over_is_a_problem_not_a_traceback(checked, monkeypatch):
    def fall(*_arguments, **_options):
        raise RuntimeError("illegal instruction")

    monkeypatch.setattr(choice, "examine", fall)
    found = diagnose(Settings(engine="opencv"))
    assert any("illegal instruction" in sentence for sentence in found.problems)


def test_two_wheels_of_opencv_side_by_side_are_advised_against(checked, monkeypatch):
    monkeypatch.setattr(diagnosis, "_version", lambda name: "5.0")
    assert any("side by side" in sentence for sentence in diagnose(Settings(engine="opencv")).advice)


def test_lines_are_at_most_eighty_columns_but_for_paths(checked):
    long = [line for line in diagnosis_lines(diagnose(Settings(engine="opencv"))) if len(line) > 80]
    assert all("/" in line for line in long)


def test_film_encoders_are_listed_and_devices_say_what_is_missing(checked, monkeypatch):
    pytest.importorskip("av")
    from pipeline.media.film import encoders

    monkeypatch.setattr(encoders, "hardware", lambda: {"h264_nvenc": "it needs a card", "av1_nvenc": ""})
    found = diagnose(Settings(engine="opencv"))
    assert "ffv1" in found.films["encoders"]
    lines = text(found)
    assert f"PyAV {found.films['version']} with h264" in lines
    assert "h264_nvenc: it needs a card" in lines
    assert "av1_nvenc: its device is there" in lines


def test_without_the_extra_films_are_advised(checked, monkeypatch):
    version = diagnosis._version
    monkeypatch.setattr(diagnosis, "_version", lambda name: None if name == "av" else version(name))
    found = diagnose(Settings(engine="opencv"))
    assert found.films["version"] is None
    assert "none: the extra film is not installed" in text(found)
    assert any("colorize-archive[film]" in sentence for sentence in found.advice)

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.ground.errors import EngineError
from pipeline.nets.engine import Engine
from pipeline.nets.engines import busy, choice, trial
from pipeline.nets.engines import catalogue as known
from pipeline.nets.engines.choice import choose_engine, examine
from pipeline.nets.engines.trial import Measured
from pipeline.nets.resolve import resolve

SPEED = {
    ("opencv", "float32"): 100.0,
    ("onnxruntime", "float32"): 50.0,
    ("openvino", "float32"): 40.0,
    ("openvino", "bfloat16"): 20.0,
}
TRUTH = np.zeros((2, 8, 8, 2), np.float32)


@pytest.fixture
def spec():
    return resolve("embedded")


@pytest.fixture
def engines(monkeypatch):
    """All engines installed; each answers with the truth unless `answers` says otherwise. Returns answers, asked."""
    answers: dict[tuple[str, str], np.ndarray | str] = {}
    asked: list[tuple[str, str]] = []

    def measure(spec, tried, cache_dir):
        engine, precision = tried.name, tried.precision
        if (engine, precision) not in SPEED:
            return Measured(None, 0.0, "no GPU")
        asked.append((engine, precision))
        found = answers.get((engine, precision), TRUTH)
        if isinstance(found, str):
            return Measured(None, 0.0, found)
        return Measured(found, SPEED[engine, precision])

    monkeypatch.setattr(choice, "measure", measure)
    monkeypatch.setattr(choice, "Others", lambda: SimpleNamespace(share=lambda: 0.1))
    monkeypatch.setattr(known, "installed", lambda engine: True)
    monkeypatch.setattr(choice, "_has_bfloat16", lambda: True)
    return answers, asked


def off_by(most: float, share: float = 1.0) -> np.ndarray:
    values = TRUTH.copy()
    values.reshape(-1)[: max(1, round(values.size * share))] = most
    return values


def test_the_fastest_that_agrees_is_taken(spec, engines, tmp_path):
    choice = choose_engine(spec, cache_dir=tmp_path)
    assert str(choice.engine) == "openvino/bfloat16"


@pytest.mark.parametrize(
    ("answer", "accepted"),
    [
        (off_by(0.049, 0.05), True),
        (off_by(0.051, 0.01), False),  # too much at one place
        (off_by(0.04), False),  # too much on average
        (off_by(np.nan), False),
        (TRUTH[:, :4], False),
        ("illegal instruction", False),
    ],
)
def test_float32_has_to_agree_closely(spec, engines, tmp_path, answer, accepted):
    engines[0]["onnxruntime", "float32"] = answer
    engines[0]["openvino", "float32"] = engines[0]["openvino", "bfloat16"] = "fails"
    expected = "onnxruntime" if accepted else "opencv"
    assert choose_engine(spec, cache_dir=tmp_path).engine.name == expected


@pytest.mark.parametrize(
    ("answer", "accepted"),
    [(off_by(0.9), True), (off_by(1.1), False), (off_by(1.4, 0.02), False), (off_by(1.3, 0.02), True)],
)
def test_bfloat16_has_to_stay_near(spec, engines, tmp_path, answer, accepted):
    engines[0]["openvino", "bfloat16"] = answer
    assert choose_engine(spec, cache_dir=tmp_path).engine.precision == ("bfloat16" if accepted else "float32")


def test_bfloat16_only_where_the_hardware_has_it(spec, engines, tmp_path, monkeypatch):
    monkeypatch.setattr(choice, "_has_bfloat16", lambda: False)
    assert str(choose_engine(spec, cache_dir=tmp_path).engine) == "openvino/float32"
    assert ("openvino", "bfloat16") not in engines[1]
    with pytest.raises(EngineError, match="no bfloat16"):
        choose_engine(spec, "auto", "bfloat16", tmp_path)


@pytest.mark.parametrize(
    ("wanted", "precision", "label"),
    [
        ("auto", "float32", "openvino/float32"),
        ("openvino", "auto", "openvino/bfloat16"),
        ("onnxruntime", "auto", "onnxruntime/float32"),
        ("auto", "bfloat16", "openvino/bfloat16"),
        ("opencv", "auto", "opencv/float32"),
        ("onnxruntime", "float32", "onnxruntime/float32"),
    ],
)
def test_what_is_asked_for_is_kept_to(spec, engines, tmp_path, wanted, precision, label):
    assert str(choose_engine(spec, wanted, precision, tmp_path).engine) == label


@pytest.mark.parametrize(
    ("last", "wanted", "precision", "kept"),
    [
        ("onnxruntime/float32", "auto", "auto", True),
        ("onnxruntime/float32", "openvino", "auto", False),  # another is wanted
        ("openvino/float32", "auto", "bfloat16", False),
        ("onnxruntime-gpu/float32", "auto", "auto", False),  # it did not pass
        (None, "auto", "auto", False),
    ],
)
def test_an_archive_stays_with_the_engine_it_was_begun_with(spec, engines, tmp_path, last, wanted, precision, kept):
    engine = Engine.parse(last) if last else None
    found = choose_engine(spec, wanted, precision, tmp_path)
    assert found.keep(engine, wanted, precision) == (engine if kept else found.engine)


@pytest.mark.parametrize(("wanted", "precision"), [("opencv", "bfloat16"), ("auto", "int8"), ("onnxruntime", "int8")])
def test_a_pair_that_does_not_exist_is_refused(spec, engines, tmp_path, wanted, precision):
    with pytest.raises(EngineError, match=precision):
        choose_engine(spec, wanted, precision, tmp_path)


def test_nothing_is_tried_where_there_is_no_choice(spec, engines, tmp_path, monkeypatch):
    monkeypatch.setattr(known, "installed", lambda engine: engine == "opencv")
    assert str(choose_engine(spec, cache_dir=tmp_path).engine) == "opencv/float32"
    assert choose_engine(spec, "opencv", "float32", tmp_path).trials == ()
    assert engines[1] == []


def test_a_missing_engine_is_named_with_its_extra(spec, engines, tmp_path, monkeypatch):
    monkeypatch.setattr(known, "installed", lambda engine: engine == "opencv")
    with pytest.raises(EngineError, match=r"pip install 'colorize-archive\[openvino\]'") as caught:
        choose_engine(spec, "openvino", "auto", tmp_path)
    assert caught.value.exit_code == 4
    assert [trial.engine.name for trial in examine(spec, tmp_path).trials if trial.passed] == ["opencv"]


def test_the_findings_are_kept_for_machine_versions_and_model(spec, engines, tmp_path, monkeypatch):
    first = examine(spec, tmp_path)
    count = len(engines[1])
    assert examine(spec, tmp_path) == first
    assert len(engines[1]) == count
    examine(replace(spec, sha256="f" * 64), tmp_path)
    assert len(engines[1]) == 2 * count
    monkeypatch.setattr(known, "package_version", lambda engine: "99")
    examine(spec, tmp_path)
    assert len(engines[1]) == 3 * count
    monkeypatch.setattr(choice, "_processor", lambda: "another")
    examine(spec, tmp_path)
    assert len(engines[1]) == 4 * count
    examine(spec, tmp_path, anew=True)
    assert len(engines[1]) == 5 * count


@pytest.mark.parametrize("damage", ["", "[]", "{}", '{"circumstances": 1}'])
def test_damaged_findings_are_made_anew(spec, engines, tmp_path, damage):
    first = examine(spec, tmp_path)
    (path,) = (tmp_path / "engines").iterdir()
    assert json.loads(path.read_text())["trials"]
    path.write_text(damage)
    assert examine(spec, tmp_path).trials == first.trials


@pytest.fixture
def others(monkeypatch, engines):
    """What other programs use of the machine, 0..1, during the trials (then) and when a run begins (now)."""
    use = SimpleNamespace(then=0.0, now=0.0)
    monkeypatch.setattr(choice, "Others", lambda: SimpleNamespace(share=lambda: use.then))
    monkeypatch.setattr(choice, "busy_now", lambda: use.now)
    return use


def test_what_was_timed_on_a_busy_machine_is_timed_again_once_it_is_calm(spec, engines, others, tmp_path):
    others.then = others.now = 0.95
    first = examine(spec, tmp_path)
    assert (first.busy, first.fair) == (0.95, False)
    assert examine(spec, tmp_path) == first, "it is as busy as before: nothing would come of it"
    assert len(engines[1]) == 4
    others.then = others.now = 0.2
    again = examine(spec, tmp_path)
    assert (again.busy, again.fair, len(engines[1])) == (0.2, True, 8)
    others.now = 0.0
    assert examine(spec, tmp_path) == again
    assert len(engines[1]) == 8


def test_of_two_unfair_examinations_the_fairer_counts(spec, engines, others, tmp_path):
    others.then = 0.8
    first = examine(spec, tmp_path)
    others.then = 0.9
    assert examine(spec, tmp_path) == first
    others.then = 0.7
    assert examine(spec, tmp_path).busy == 0.7


def test_nothing_is_timed_again_where_there_is_nothing_to_choose(spec, engines, others, tmp_path):
    for pair in [("onnxruntime", "float32"), ("openvino", "float32"), ("openvino", "bfloat16")]:
        engines[0][pair] = "fails"
    others.then = 0.95
    assert examine(spec, tmp_path).fair
    examine(spec, tmp_path)
    assert len(engines[1]) == 4


def test_findings_of_an_older_version_that_say_not_how_busy_it_was_are_made_anew(spec, engines, tmp_path):
    examine(spec, tmp_path)
    (path,) = (tmp_path / "engines").iterdir()
    found = json.loads(path.read_text())
    del found["busy"]
    path.write_text(json.dumps(found))
    examine(spec, tmp_path)
    assert len(engines[1]) == 8


@pytest.mark.skipif(not busy._STAT.exists(), reason="nothing here says what the processors do")
def test_another_program_is_seen_and_a_child_of_our_own_is_not():
    burn = (sys.executable, "-c", "import time\nwhile time.process_time() < 0.5: pass")
    others, before = busy.Others(), busy._machine()
    child = subprocess.Popen(burn)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it counts as our own only once it is waited for
    total = busy._machine()[0] - before[0]
    assert others.share() * total > 40
    child.wait()
    total, used = (now - then for now, then in zip(busy._machine(), before, strict=True))
    assert others.share() * total < used - 40


def test_where_no_system_counts_the_load_is_taken(monkeypatch, tmp_path):
    monkeypatch.setattr(busy, "_STAT", tmp_path / "absent")
    monkeypatch.setattr(busy.os, "getloadavg", lambda: (1.5, 0.0, 0.0))
    monkeypatch.setattr(busy.os, "cpu_count", lambda: 3)
    assert busy.Others().share() == 0.5
    assert busy.busy_now(0) == 0.5


@pytest.mark.parametrize(("cores", "limit"), [(1, 0.3), (2, 0.65), (64, 0.65)])
def test_others_may_use_what_leaves_a_core(cores, limit):
    assert busy.fair_limit(cores) == pytest.approx(limit)


def test_a_cache_that_cannot_be_written_does_no_harm(spec, engines, tmp_path):
    (tmp_path / "engines").write_text("in the way")
    assert choose_engine(spec, cache_dir=tmp_path).engine.name == "openvino"


def test_where_opencv_cannot_run_a_net_the_next_engine_is_the_reference(spec, engines, tmp_path):
    engines[0]["opencv", "float32"] = "an operator it does not know"
    choice = choose_engine(spec, cache_dir=tmp_path)
    assert str(choice.engine) == "openvino/bfloat16"
    assert choice.trials[1].verdict == "the reference"
    assert "an operator it does not know" in choice.trials[0].verdict


def test_a_net_that_nothing_runs_says_every_reason(spec, engines, tmp_path):
    for pair in SPEED:
        engines[0][pair] = f"broken {pair[0]}"
    with pytest.raises(EngineError, match=r"broken opencv.*broken onnxruntime.*broken openvino"):
        choose_engine(spec, cache_dir=tmp_path)


def test_a_trial_runs_in_a_process_of_its_own(make_net, tmp_path):
    spec = resolve(str(make_net("zhang")))
    found = trial.measure(spec, Engine("opencv", "float32"), tmp_path)
    assert found.fault == ""
    assert found.ab.shape[1:] == (16, 16, 2)
    assert found.milliseconds > 0


def test_a_trial_that_dies_is_a_finding_not_a_fault(make_net, tmp_path, monkeypatch):
    spec = resolve(str(make_net("zhang")))
    monkeypatch.setattr(trial.sys, "executable", "/bin/false")
    assert "ended with 1" in trial.measure(spec, Engine("opencv", "float32"), tmp_path).fault
    monkeypatch.undo()
    spec.path.write_bytes(b"damaged")
    assert "was changed after it was checked" in trial.measure(spec, Engine("opencv", "float32"), tmp_path).fault
    damaged = replace(spec, sha256=hashlib.sha256(b"damaged").hexdigest())
    assert "cannot read" in trial.measure(damaged, Engine("opencv", "float32"), tmp_path).fault


@pytest.mark.skipif(importlib.util.find_spec("onnxruntime") is None, reason="the extra onnxruntime is not installed")
def test_a_real_choice(make_net, tmp_path):
    trials = examine(resolve(str(make_net("zhang"))), tmp_path).trials
    assert trials[0].verdict == "the reference"
    assert trials[1].passed
    assert trials[1].milliseconds > 0

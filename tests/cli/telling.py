"""Effects of the options by which a run tells what it does; the table of all options is in test_run.py."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

import pytest

from pipeline.ground.errors import OutputError, SettingsError


def progress(bench: Any) -> None:
    bench.photograph()
    bench.run("--progress", "json", output="json")
    events = [json.loads(line) for line in bench.said.splitlines()]
    assert [each["event"] for each in events] == ["begun", "progress", "finished"]
    assert (events[1]["count"], events[1]["total"], events[1]["seconds_left"]) == (1, 1, 0)
    bench.run("--progress", "bar", output="bar")
    assert "1/1" in bench.said
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(sys.stderr), "isatty", lambda self: True)
        bench.run("--progress", "none", output="none")
    assert bench.said == ""


def log_file(bench: Any) -> None:
    path = bench.photograph()
    (bench.scans / "torn.png").write_bytes(path.read_bytes()[:2000])
    log = bench.colour / "run.log"  # in a folder that the run makes
    bench.run("--log-file", log)
    lines = log.read_text().splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (INFO|WARNING) ", line) for line in lines)
    said = [line.split(" ", 2)[2] for line in lines]
    assert said[0] == f"begun: 2 to do into {bench.colour} with opencv/float32"
    assert re.fullmatch(r"done: 1\.png -> 1\.png, \d\.\d\d s", said[1])
    assert said[2].startswith("failed: torn.png, 0.")
    assert said[3].endswith("in all 1 done, 1 failed; exit 3")
    bench.run("--log-file", log)
    assert log.read_text().splitlines()[:4] == lines, "the next night is added"
    with pytest.raises(OutputError, match="no log of this program"):
        bench.run("--log-file", path)


def log_format(bench: Any) -> None:
    bench.photograph("\u202e1.png")
    log = bench.folder / "run.log"
    bench.run("--log-file", log, "--log-format", "json")
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(each["event"], each["level"]) for each in events] == [
        ("begun", "info"),
        ("item", "info"),
        ("finished", "info"),
    ]
    assert events[1]["output"] == "\u202e1.png"
    assert events[2]["counts"] == {"done": 1}
    with pytest.raises(SettingsError, match="--log-file"):
        bench.run("--log-format", "json")


def on_finish(bench: Any) -> None:
    bench.photograph("a $(touch gone) 1.png")
    told = bench.folder / "told.json"
    program = f"import os, json; json.dump(dict(os.environ), open({str(told)!r}, 'w'))"
    bench.run("--on-finish", f'"{sys.executable}" -c "{program}"', output="new $(touch gone)")
    environment = json.loads(told.read_text())
    assert environment["COLORIZED_OUTPUT"] == str(bench.folder / "new $(touch gone)")
    assert (environment["COLORIZED_DONE"], environment["COLORIZED_FAILED"]) == ("1", "0")
    assert environment["COLORIZED_EXIT_CODE"] == "0"
    assert json.loads(environment["COLORIZED_SUMMARY"])["worked"] == 1
    with pytest.raises(SettingsError, match="quotation"):
        bench.run("--on-finish", 'mail "me')


def metrics(bench: Any) -> None:
    bench.photograph("1.png")
    (bench.scans / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    path = bench.folder / "colorize.prom"
    bench.run("--metrics", path)
    lines = path.read_text(encoding="ascii").splitlines()
    figures = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert figures['colorize_items{status="done"}'] == figures['colorize_items{status="failed"}'] == "1"
    assert figures["colorize_items_planned"] == "2"
    assert figures["colorize_run_exit_code"] == "3"
    assert {line.split()[2] for line in lines if line.startswith("# TYPE")} == {name.split("{")[0] for name in figures}
    before = path.read_bytes()
    with pytest.raises(OutputError, match="is none of this program"):
        bench.run("--metrics", bench.scans / "1.png")
    bench.run("--metrics", bench.folder / "nowhere" / "a.prom", "--retry-failed")
    assert "cannot be written: no such file or directory. The run goes on." in bench.said
    assert path.read_bytes() == before

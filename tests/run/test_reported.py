"""Logs, JSON lines and the command at the end: what is wrong with them is one sentence, and no picture is lost."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.archive.plan import Decision
from pipeline.archive.status import read_status, status_json
from pipeline.ground.errors import ExitCode, InputError, OutputError
from pipeline.ground.items import Result, Status
from pipeline.ground.settings import Settings
from pipeline.run import driver, hook
from pipeline.run.jsonlines import JsonLines
from pipeline.run.log import Log, check_log
from pipeline.run.report import summary_json, summary_lines
from pipeline.run.reported import Reporting, run_reported
from pipeline.run.summary import Summary
from pipeline.run.voice import Begun, Ended, Said, Voice
from tests.conftest import SETTINGS, write_archive


@pytest.fixture
def archive(tmp_path: Path, tiny_net: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_archive(tmp_path / "scans", 2)
    return tmp_path


def run(folder: Path, reporting: Reporting, tiny_net: Path, **changes: object) -> Summary:
    settings = replace(SETTINGS, model=str(tiny_net), **changes)  # type: ignore[arg-type]
    return run_reported([folder / "scans"], folder / "colour", settings, reporting)


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("nowhere/run.log", "no such file or directory"),
        ("/dev/full", "no space left on device"),
        (".", "is a directory"),
    ],
)
def test_a_log_that_cannot_be_written_is_said_once_and_loses_no_picture(
    archive: Path, tiny_net: Path, log: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if log.startswith("/dev") and not Path(log).exists():
        pytest.skip(f"needs {log}")
    assert run(archive, Reporting(Path(log)), tiny_net).counts == {"done": 2}
    said = capsys.readouterr().err
    assert said == f"The log file {log} cannot be written: {words}. The run goes on without it.\n"


def test_a_disk_that_has_room_again_gets_the_rest_of_the_log(tmp_path: Path) -> None:
    said: list[str] = []
    log = Log(tmp_path / "later" / "run.log", "text", said.append)
    log(Said("first"))
    (tmp_path / "later").mkdir()
    log(Said("second"))
    log.close()
    assert len(said) == 1
    assert (tmp_path / "later" / "run.log").read_text().endswith(" INFO second\n")


def test_a_log_that_was_rotated_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    log = Log(path, "json", pytest.fail)
    log(Said("before"))
    path.rename(tmp_path / "run.log.1")
    log(Said("after"))
    log.close()
    assert json.loads(path.read_text())["sentence"] == "after"
    check_log(path)
    check_log(tmp_path / "run.log.1")


def test_one_line_an_event_whatever_names_and_sentences_hold(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    log = Log(path, "text", pytest.fail)
    log(Ended(Result("a\nb\x1b[2J\udcff.jpg", Status.FAILED, reason="torn\r\n")))
    log.close()
    assert len(path.read_bytes().splitlines()) == 1
    assert b"\x1b" not in path.read_bytes()


@pytest.mark.skipif(sys.platform != "linux", reason="names of bytes")
def test_no_json_holds_half_a_character_whatever_output_is_called(
    archive: Path, tiny_net: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = archive / os.fsdecode(b"caf\xe9")
    reporting = Reporting(Path("run.log"), "json", progress="json", on_finish="cp /proc/self/environ told")
    settings = replace(SETTINGS, model=str(tiny_net))
    summary = run_reported([archive / "scans"], output, settings, reporting)
    told = Path("told").read_bytes().split(b"\0")
    documents = [
        summary_json(summary),
        status_json(read_status(output)),
        *Path("run.log").read_text().splitlines(),
        *capsys.readouterr().err.splitlines(),
        *(each.partition(b"=")[2].decode() for each in told if each.startswith(b"COLORIZED_SUMMARY=")),
    ]
    outputs = [found["output"] for each in documents if "output" in (found := json.loads(each))]
    assert len(outputs) >= 6
    assert {each for each in outputs if "caf" in each} == {f"{archive}/caf\\xe9"}
    assert b"COLORIZED_OUTPUT=" + os.fsencode(output) in told


def test_an_original_is_never_taken_for_a_log(archive: Path, tiny_net: Path) -> None:
    original = next((archive / "scans").rglob("*.jpg"))
    before = original.read_bytes()
    with pytest.raises(OutputError, match="no log of this program"):
        run(archive, Reporting(original), tiny_net)
    assert original.read_bytes() == before
    assert not (archive / "colour").exists()


def test_what_ends_a_run_early_is_in_the_log_and_told_to_the_command(archive: Path, tiny_net: Path) -> None:
    command = f'"{sys.executable}" -c \'import os; print(os.environ, file=open("told", "w"))\''
    (archive / "scans").rename(archive / "elsewhere")
    with pytest.raises(InputError):
        run(archive, Reporting(Path("run.log"), "json", on_finish=command), tiny_net)
    (line,) = Path("run.log").read_text().splitlines()
    event = json.loads(line)
    assert (event["event"], event["level"], event["code"]) == ("error", "error", 5)
    assert "no such file" in event["sentence"]
    told = Path("told").read_text()
    assert f"'COLORIZED_ERROR': '{event['sentence']}'" in told
    assert "'COLORIZED_EXIT_CODE': '5'" in told


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("no-such-program", "cannot be started: no-such-program: no such file or directory."),
        (f"'{sys.executable}' -c 'raise SystemExit(7)'", "ended with code 7."),
        (f"'{sys.executable}' -c 'import os; os.abort()'", "was ended by SIGABRT."),
    ],
)
def test_a_command_that_fails_is_said_and_fails_nothing(
    archive: Path, tiny_net: Path, command: str, words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    summary = run(archive, Reporting(on_finish=command, progress="none"), tiny_net)
    assert summary.exit_code == ExitCode.OK
    assert capfd.readouterr().err.splitlines()[-1] == f"The command of --on-finish {words}"


def test_a_command_may_be_a_path_with_spaces_and_prints_on_stderr(
    archive: Path, tiny_net: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    program = archive / "tell me.sh"
    program.write_text('#!/bin/sh\necho "$COLORIZED_DONE done"\n')
    program.chmod(0o755)
    run(archive, Reporting(on_finish=str(program), progress="none"), tiny_net)
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "2 done\n")


def test_every_variable_is_there_whatever_came() -> None:
    summary = Summary({"done": 3}, 3, 0, 1.5, "opencv/float32", 0, Path("colour"), ExitCode.OK, False)
    fine, failed = hook.variables(Path("colour"), summary), hook.variables(Path("colour"), InputError("gone"))
    assert fine.keys() == failed.keys()
    assert (fine["COLORIZED_DONE"], failed["COLORIZED_DONE"], failed["COLORIZED_ERROR"]) == ("3", "0", "gone")
    assert {f"COLORIZED_{status.upper()}" for status in Status} <= fine.keys()


def test_every_variable_and_event_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "logs.md").read_text(encoding="utf-8")
    names = hook.variables(Path("colour"), InputError("gone")).keys()
    statuses = {f"COLORIZED_{status.upper()}" for status in Status}
    assert [name for name in names - statuses if f"`{name}`" not in page] == []
    assert [
        word for word in ("begun", "item", "progress", "said", "finished", "error") if f"`{word}`" not in page
    ] == []


def test_progress_is_a_line_a_second_and_problems_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    lines = JsonLines(clock=lambda: now[0])
    lines(Begun(100, "opencv/float32", Path("colour")))
    for number in range(1, 101):
        now[0] = number / 20
        failed = number == 50
        result = Result(f"{number}.jpg", Status.FAILED if failed else Status.DONE)
        lines(Ended(result, number, 100, int(number >= 50)))
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [each["event"] for each in events].count("item") == 1
    counts = [each["count"] for each in events if each["event"] == "progress"]
    assert counts == [20, 40, 60, 80, 100]
    assert events[1]["seconds_left"] == 4.0


def test_a_signal_is_said_in_the_form_that_stderr_has(capfd: pytest.CaptureFixture[str]) -> None:
    Voice(aloud=False, as_json=True).interrupt("Stopping.")
    assert json.loads(capfd.readouterr().err) == {"event": "said", "sentence": "Stopping."}
    Voice(aloud=False).interrupt("Stopping.")
    assert capfd.readouterr().err == ""


def test_a_run_that_is_stopped_while_it_plans_says_so(
    archive: Path, tiny_net: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = driver._plan

    def interrupted(*arguments: object) -> Iterator[Decision]:
        for decision in plan(*arguments):  # type: ignore[arg-type]
            os.kill(os.getpid(), signal.SIGINT)
            yield decision

    monkeypatch.setattr(driver, "_plan", interrupted)
    summary = run(archive, Reporting(progress="none"), tiny_net)
    assert list(summary_lines(summary)) == [
        "Stopped while INPUT was looked through: nothing was begun. The same command begins again."
    ]
    assert (summary.planned, summary.exit_code) == (False, ExitCode.SIGINT)


def test_a_run_that_is_stopped_while_it_chooses_its_engine_is_logged(
    archive: Path, tiny_net: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(settings: Settings) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(driver, "settle", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(archive, Reporting(Path("run.log")), tiny_net)
    assert Path("run.log").read_text().endswith("ERROR ended: Stopped before anything was begun. (exit 130)\n")


def test_a_run_that_is_stopped_before_its_first_picture_does_not_say_that_nothing_was_found() -> None:
    stopped = Summary({}, 0, 21, 0.0, "opencv/float32", 0, Path("colour"), ExitCode.SIGINT, True)
    assert next(iter(summary_lines(stopped))) == (
        "Stopped before the first of 21 was done; the same command goes on from here."
    )


def test_a_log_that_is_a_pipe_without_a_reader_does_not_hold_the_run(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    said: list[str] = []
    log = Log(tmp_path / "pipe", "text", said.append)
    log(Said("first"))
    assert said == [f"The log file {tmp_path / 'pipe'} cannot be written: no such device or address. "
                    "The run goes on without it."]  # fmt: skip
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    for number in range(3000):  # more than a pipe holds: nobody reads along
        log(Said(f"{number} {'x' * 60}"))
    log.close()
    assert os.read(reader, 1000).splitlines()[0].endswith(b"INFO 0 " + b"x" * 60)
    os.close(reader)


def test_a_command_may_be_longer_than_a_name(archive: Path, tiny_net: Path) -> None:
    long = "x" * 5000
    command = f'\'{sys.executable}\' -c \'open("told", "w").write("{long}")\''
    assert run(archive, Reporting(on_finish=command), tiny_net).counts == {"done": 2}
    assert Path("told").read_text() == long


def test_ctrl_c_ends_a_command_that_hangs_and_leaves_the_outcome_of_the_run(
    archive: Path, tiny_net: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = "import os, signal, time; os.kill(os.getppid(), signal.SIGINT); time.sleep(60)"
    began = time.monotonic()
    heard = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    try:
        came = run(archive, Reporting(on_finish=f"'{sys.executable}' -c '{program}'"), tiny_net)
    finally:
        signal.signal(signal.SIGINT, heard)
    assert (came.counts, came.exit_code) == ({"done": 2}, ExitCode.OK)
    assert "The command of --on-finish was stopped." in capsys.readouterr().err
    assert time.monotonic() - began < 50

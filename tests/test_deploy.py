"""What lies in deploy/ is accepted by the programs it is for, and names what there is."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from pipeline.cli.main import commands
from pipeline.ground.errors import ExitCode

CHECKOUT = Path(__file__).resolve().parent.parent
DEPLOY = CHECKOUT / "deploy"
SERVICE = (DEPLOY / "systemd" / "colorize-archive.service").read_text(encoding="utf-8")


def parse(words: list[str]) -> None:
    """Parse a call as the program would."""
    run = commands.get_command(None, words[1])  # type: ignore[arg-type]
    assert run is not None
    run.make_context(words[1], words[2:])


def call_in(line: str) -> list[str]:
    words = shlex.split(line.partition(">>")[0])
    (place,) = (number for number, word in enumerate(words) if Path(word).name == "colorize" and number > 2)
    return words[place:]


def test_the_calls_in_the_files_are_calls_of_the_program() -> None:
    (start,) = re.findall(r"^ExecStart=(.*)$", SERVICE, re.MULTILINE)
    (cron,) = re.findall(r"^0 20 .*$", (DEPLOY / "cron.d" / "colorize").read_text(encoding="utf-8"), re.MULTILINE)
    for words in (call_in(start), call_in(cron.removeprefix("0 20 * * * colorize"))):
        assert words[1] == "run"
        parse(words)
    container = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    (command,) = re.findall(r"^CMD \[(.*)\]$", container, re.MULTILINE)
    parse(["colorize", *(word.strip().strip('"') for word in command.split(","))])


def test_the_unit_takes_for_success_what_is_no_fault() -> None:
    (codes,) = re.findall(r"^SuccessExitStatus=(.*)$", SERVICE, re.MULTILINE)
    known = {int(ExitCode.SOME_FAILED), int(ExitCode.LOCKED), int(ExitCode.SIGTERM)}
    assert {int(code) for code in codes.split()} == known


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze here")
    for path in (DEPLOY / "systemd").iterdir():
        text = path.read_text(encoding="utf-8").replace("/usr/local/bin/colorize", "/bin/true")
        (tmp_path / path.name).write_text(text, encoding="utf-8")
    units = sorted(tmp_path.iterdir())
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False
    )
    ours = [line for line in done.stderr.splitlines() if "colorize" in line]
    assert (done.returncode, ours) == (0, [])


def test_logrotate_keeps_what_the_line_of_cron_writes(tmp_path: Path) -> None:
    program = shutil.which("logrotate", path="/usr/sbin:/sbin:/usr/bin")
    if program is None:
        pytest.skip("there is no logrotate here")
    text = (DEPLOY / "logrotate.d" / "colorize").read_text(encoding="utf-8")
    text = text.replace("/var/log/colorize", str(tmp_path)).replace("    su colorize colorize\n", "")
    (tmp_path / "conf").write_text(text, encoding="utf-8")
    for night in ("first", "second"):
        (tmp_path / "archive.log").write_text(night, encoding="utf-8")
        subprocess.run([program, "-s", tmp_path / "state", "-f", tmp_path / "conf"], check=True)
    assert (tmp_path / "archive.log.1").read_text(encoding="utf-8") == "second"
    assert (tmp_path / "archive.log.2.gz").stat().st_size


def test_an_image_is_built_of_all_that_the_wheel_is_built_of() -> None:
    ignored = (CHECKOUT / ".containerignore").read_text(encoding="utf-8")
    assert ignored == (CHECKOUT / ".dockerignore").read_text(encoding="utf-8")
    kept = [line[1:] for line in ignored.splitlines() if line.startswith("!")]
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = [*wheel["packages"], *wheel["force-include"], *wheel["shared-data"], "pyproject.toml"]
    needed += [project["project"]["readme"], *project["project"]["license-files"]]
    without = [
        place for place in needed if not any(fnmatch(place, each) or place.startswith(f"{each}/") for each in kept)
    ]
    assert without == []


def test_the_image_runs_as_nobody_in_particular() -> None:
    container = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    (user,) = re.findall(r"^USER (\d+):(\d+)$", container, re.MULTILINE)
    assert all(int(number) >= 1000 for number in user)

"""A run that is killed as by kill -9 while outputs follow their sources, at any moment: the next one goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Colorize, environment, sha256, write_archive

# The program itself, which kills itself at the n-th call to the system that gives or takes a name in OUTPUT.
_DYING = """
import os, signal, sys
left = int(sys.argv.pop(1))
def counted(call):
    def dying(*words, **more):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*words, **more)
    return dying
from pipeline.ground import inside
class System:
    def __getattr__(self, name):
        found = getattr(os, name)
        return counted(found) if name in ("link", "unlink", "rename", "rmdir", "mkdir") else found
inside.os = System()
from pipeline.cli.main import main
main()
"""


@pytest.mark.parametrize(
    "moment", [2, 5, *(pytest.param(number, marks=pytest.mark.soak) for number in (1, 3, 4, 6, 8, 10, 12))]
)
def test_a_kill_at_any_call(tmp_path: Path, tiny_net: Path, colorize: Colorize, user_cache: Path, moment: int) -> None:
    scans, colour = tmp_path / "scans", tmp_path / "colour"
    first, second, third = write_archive(scans, 3)
    words = ["run", str(scans), "-o", str(colour), "--model", str(tiny_net), "--engine", "opencv"]
    words += ["--precision", "float32", "--executor", "serial", "--json"]
    assert colorize(*words).returncode == 0
    made = {path: sha256(colour / path.relative_to(scans)) for path in (first, second, third)}
    edited = colour / first.relative_to(scans)
    edited.write_bytes(edited.read_bytes() + b"retouched")
    made[first] = sha256(edited)
    aside = first.rename(scans / "aside")
    second.rename(first)
    third.rename(second)
    aside.rename(third)
    killed = subprocess.run(
        [sys.executable, "-c", _DYING, str(moment), *words],
        env=environment(XDG_CACHE_HOME=str(user_cache)),
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    told = [json.loads(line) for line in colorize(*words, "--dry-run").stdout.splitlines()]
    assert [each["key"] for each in told if each["action"] == "todo"] == []
    after = colorize(*words)
    assert (after.returncode, json.loads(after.stdout)["worked"]) == (0, 0)
    now = {path: sha256(colour / path.relative_to(scans)) for path in (first, second, third)}
    assert now == {first: made[second], second: made[third], third: made[first]}
    assert json.loads(colorize("status", colour, "--json").stdout)["counts"] == {"done": 2, "edited": 1}
    assert colorize("verify", colour).returncode == 0
    assert sum(len(files) for folder, _, files in os.walk(colour) if ".colorize" not in folder) == 4

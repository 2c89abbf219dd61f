"""`make colorize-archive`: what is typed reaches the command as it is, and what is mistyped is refused."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT, environment

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """An environment that is set up, whose `colorize` writes down what it is given."""
    folder = tmp_path / "venv"
    (folder / "bin").mkdir(parents=True)
    command = folder / "bin" / "colorize"
    command.write_text(f"#!/bin/sh\nprintf '%s\\0' \"$@\" > '{folder}/given'\nexit ${{CODE:-0}}\n")
    command.chmod(0o755)
    (folder / "bin" / "python").symlink_to("/bin/true")
    (folder / ".installed").touch()
    return folder


def make(venv: Path, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in environment(**extra).items() if not name.startswith("MAKE")}
    words = ["make", "--no-print-directory", f"VENV={venv}", "colorize-archive", *arguments]
    return subprocess.run(words, cwd=CHECKOUT, env=clean, capture_output=True, text=True, check=False)


def given(venv: Path) -> list[str]:
    return (venv / "given").read_text().split("\0")[:-1]


@pytest.mark.parametrize(
    "name",
    ["scans", "my scans", 'the "best" ones', "cost $HOME $x", "a`id`b", "it's", "$(shell id)", "a\\b", "-x", "a#b;c"],
)
def test_names_reach_the_command_as_they_were_typed(venv: Path, name: str) -> None:
    run = make(venv, f"INPUT={name}", f"OUTPUT={name} in colour", 'OPTIONS=--jobs 4 --exclude "* copy"')
    assert run.returncode == 0, run.stderr
    assert given(venv) == ["run", "-o", f"{name} in colour", "--jobs", "4", "--exclude", "* copy", "--", name]
    (venv / "given").unlink()
    assert make(venv, INPUT=name).returncode == 0
    assert given(venv) == ["run", "-o", "colour-out", "--", name]


@pytest.mark.parametrize("word", ["input=scans", "Output=colour", "INPUTS=scans"])
def test_a_mistyped_variable_is_refused(venv: Path, word: str) -> None:
    run = make(venv, word)
    assert run.returncode == 2
    assert f"There is no variable {word.partition('=')[0]}; there are PYTHON VENV INPUT OUTPUT" in run.stderr
    assert not (venv / "given").exists()


def test_an_empty_input_is_not_the_sample(venv: Path) -> None:
    run = make(venv, "INPUT=")
    assert run.returncode == 2
    assert "INPUT is empty" in run.stderr
    assert not (venv / "given").exists()


def test_make_turns_each_failure_into_2_as_the_readme_says(venv: Path) -> None:
    assert make(venv, "INPUT=scans", CODE="3").returncode == 2
    assert "`make` itself ends with 2 whatever went wrong" in (CHECKOUT / "README.md").read_text(encoding="utf-8")

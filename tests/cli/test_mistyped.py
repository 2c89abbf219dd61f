"""What people type wrong: nothing appears because of it, and what is said helps and steers no terminal."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from pipeline.ground.gather import from_mapping
from tests.conftest import ENTRY, environment, landscape
from tests.warm import Program, as_text

Said = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def said(tmp_path: Path, program: Program) -> Said:
    """Call the command line in an empty folder."""

    def call(*words: object, **extra: str) -> subprocess.CompletedProcess[str]:
        return as_text(program.call(words, env=environment(**extra), cwd=tmp_path))

    return call


@pytest.mark.parametrize(
    "words",
    [
        "status OUT", "status OUT --problems", "gallery OUT", "review OUT", "verify OUT", "reject OUT a.jpg",
        "reject OUT a.jpg --undo", "prune OUT", "prune OUT --yes", "recover OUT", "merge OUT -o all",
        "hints import said.json OUT", "run OUT -o all", "run OUT -o all --dry-run", "compare OUT -s look.jpg",
        "evaluate OUT", "image OUT", "original OUT -o original.jpg", "video OUT all.mp4",
    ],
)  # fmt: skip
@pytest.mark.parametrize("there", [False, True], ids=["nowhere", "scans"])
def test_a_mistyped_folder_becomes_no_archive(said: Said, tmp_path: Path, words: str, there: bool) -> None:
    """`reject scans` once made an OUTPUT of INPUT, which no run took for originals any more."""
    (tmp_path / "said.json").write_text('{"format": "colorize decisions 1", "decisions": {}}')
    if there:
        if words.startswith("run"):
            pytest.skip("this is what a run is for")
        (tmp_path / "scans").mkdir()
        (tmp_path / "scans" / "a.txt").touch()
    before = sorted(tmp_path.rglob("*"))
    done = said(*words.replace("OUT", "scans" if there else "nowhere").split())
    assert done.returncode in (2, 5), done
    assert done.stderr.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_a_command_that_is_none_is_answered_with_the_one_that_was_meant(said: Said, tmp_path: Path) -> None:
    (tmp_path / "my scans").mkdir()
    (tmp_path / "me.jpg").touch()
    for words, hint in [
        (["runn", "x"], 'Did you mean "run"?'),
        (["my scans"], "It is a folder: colorize run 'my scans' -o OUTPUT"),
        (["me.jpg", "out.jpg"], "It is a file: colorize image me.jpg takes a picture, colorize video a film."),
    ]:
        done = said(*words)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.endswith(f" {hint}\n")


@pytest.mark.parametrize(
    "words", ["image {}", "run {} -o out", "status {}", "video {} x.mp4", "live {}", "original {} -o x"]
)
def test_no_name_in_an_error_steers_the_terminal(said: Said, words: str) -> None:
    done = said(*words.format("\x1b[31mred\x9b").split(" "))
    assert done.returncode == 5
    assert "?[31mred?" in done.stderr
    assert not {"\x1b", "\x9b"} & set(done.stderr)


def test_no_name_of_a_picture_steers_the_terminal(said: Said, tmp_path: Path) -> None:
    scans = tmp_path / "scans"
    scans.mkdir()
    for name in (b"\x1b]0;owned\x07.jpg", b"caf\xe9.jpg", "r\u202egpj.jpg".encode()):
        Path(os.fsdecode(bytes(scans) + b"/" + name)).write_bytes(b"no picture")
    for words in ("run scans -o out", "status out --problems", "run scans -o out --dry-run", "verify out"):
        done = said(*words.split())
        assert done.returncode in (0, 3), done.stderr
        assert not {"\x1b", "\x07", "\u202e"} & set(done.stdout + done.stderr)


@pytest.mark.skipif(sys.platform != "linux", reason="names of bytes")
def test_under_an_old_locale_names_are_what_they_are_under_any_other(
    tmp_path: Path, user_cache: Path, tiny_net: Path
) -> None:
    """Where file names are not UTF-8 to Python, a name out of the journal could not be opened."""
    (tmp_path / "scans").mkdir()
    picture = cv2.imencode(".png", landscape(1))[1].tobytes()
    for name in ("Müller 東京.png".encode(), b"caf\xe9.png"):
        Path(os.fsdecode(bytes(tmp_path) + b"/scans/" + name)).write_bytes(picture)
    words = ["run", "scans", "-o", "out", "--model", str(tiny_net), "--engine", "opencv", "--log-file", "log", "--json"]
    told = []
    for locale in ({"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"LC_ALL": "C.UTF-8"}):
        done = subprocess.run(
            [*ENTRY, *words], env=environment(XDG_CACHE_HOME=str(user_cache), **locale), cwd=tmp_path,
            capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        told.append(json.loads(done.stdout))
    assert [(each["counts"], each["worked"]) for each in told] == [({"done": 2}, 2), ({"done": 2}, 0)]
    log = (tmp_path / "log").read_text(encoding="utf-8")
    assert "caf\\xe9.png -> caf\\xe9.png" in log
    assert "Müller 東京.png -> Müller 東京.png" in log


def test_a_command_that_is_shown_can_be_typed_as_it_stands(said: Said, tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "torn.jpg").write_bytes(b"\xff\xd8\xff\xe0torn")
    summary = said("run", "scans", "-o", "it's colour").stdout
    shown = re.search(r"What failed, and why: colorize (.*)\. --retry", summary)
    assert shown is not None, summary
    assert said(*shlex.split(shown[1])).stdout.startswith("torn.jpg: ")


@pytest.mark.skipif(sys.platform != "linux", reason="a screen that is not there")
def test_without_a_screen_no_browser_takes_the_terminal(said: Said, tmp_path: Path) -> None:
    """A browser for terminals is one that Python finds, too."""
    (tmp_path / "notes.txt").write_text("no picture")
    said("run", tmp_path, "-o", "out")
    (tmp_path / "w3m").write_text(f"#!/bin/sh\ntouch '{tmp_path}/taken'\n")
    (tmp_path / "w3m").chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    shown = subprocess.Popen(
        [*ENTRY, "review", "out", "--open"], cwd=tmp_path, stderr=subprocess.PIPE, text=True,
        env=environment(PATH=path, DISPLAY="", WAYLAND_DISPLAY="", TERM="xterm", BROWSER="w3m"),
    )  # fmt: skip
    assert shown.stderr is not None
    lines = [shown.stderr.readline(), shown.stderr.readline()]
    shown.send_signal(signal.SIGINT)
    shown.communicate(timeout=60)
    assert "Review at http" in lines[0]
    assert "no browser here that opens it" in lines[1]
    assert not (tmp_path / "taken").exists()


def test_json_of_a_status_is_json(said: Said, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    assert said("run", tmp_path, "-o", "out").returncode == 0
    assert json.loads(said("status", "out", "--json").stdout)["counts"] == {"unsupported": 1}


def test_home_is_found_where_no_shell_has_looked_for_it(said: Said, tmp_path: Path) -> None:
    """`--output=~/colour` once filled a folder called "~", which nobody removes without fear."""
    (tmp_path / "home" / "scans").mkdir(parents=True)
    (tmp_path / "home" / "scans" / "notes.txt").write_text("no picture")
    done = said("run", "~/scans", "--output=~/colour", "--set", "models_dir=~/models", HOME=str(tmp_path / "home"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "home" / "colour" / "manifest.csv").exists()
    assert not (tmp_path / "~").exists()
    assert from_mapping({"models_dir": "~/models"}).models_dir == str(Path.home() / "models")
    (tmp_path / "~").mkdir()
    assert said("run", "~/scans", "-o", "x", HOME=str(tmp_path / "home")).returncode == 0
    (tmp_path / "~" / "scans").mkdir()
    (tmp_path / "~" / "scans" / "only-here.txt").touch()
    assert "only-here.txt" in said("run", "~/scans", "-o", "y", "--dry-run").stdout


def test_a_number_out_of_range_is_said_in_words(said: Said) -> None:
    assert "8000: it must be between 16 and 4096." in said("live", 0, "--width", 8000).stderr
    assert "many is not a whole number." in said("gallery", "x", "-j", "many").stderr
    assert "0: it must be 1 or more." in said("evaluate", "x", "--limit", 0).stderr

"""`colorize image` as people use it: it names its copy, takes pipes, and replaces nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from pipeline.cli.main import commands
from tests.conftest import environment, in_colour, landscape, write_tiff
from tests.warm import Program, as_text

Call = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def image(tmp_path: Path, user_cache: Path, tiny_net: Path, program: Program) -> Call:
    """Call `colorize image` in a folder with grandfather.jpg, with bytes on standard input."""
    (tmp_path / "grandfather.jpg").write_bytes(cv2.imencode(".jpg", landscape(1))[1].tobytes())

    def call(*words: object, given: bytes = b"", **extra: str) -> subprocess.CompletedProcess[bytes]:
        net = ["--model", tiny_net, "--engine", "opencv", "--precision", "float32"]
        known = environment(XDG_CACHE_HOME=str(user_cache), **extra)
        return program.call(["image", *words, *net], env=known, cwd=tmp_path, given=given)

    return call


def test_without_out_the_copy_goes_beside_in_and_says_where(tmp_path: Path, image: Call) -> None:
    for name in ("grandfather-colour.jpg", "grandfather-colour-2.jpg"):
        made = image("grandfather.jpg")
        assert made.returncode == 0, made.stderr
        assert made.stderr.decode().startswith(f"{name}: 80 x 60, ")
        assert made.stdout == b""
        assert cv2.imread(str(tmp_path / name)).shape == (60, 80, 3)
    assert b"grandfather-colour.png: " in image("grandfather.jpg", "--format", "png").stderr
    assert b"grandfather-colour.jpg: " in image("grandfather.jpg", "-f").stderr


def test_a_folder_is_a_place_too(tmp_path: Path, image: Call) -> None:
    (tmp_path / "album").mkdir()
    assert image("grandfather.jpg", "album").stderr.startswith(b"album/grandfather.jpg: ")
    assert image("grandfather.jpg", "album").stderr.startswith(b"album/grandfather-2.jpg: ")
    assert image("grandfather.jpg", ".").stderr.startswith(b"grandfather-colour.jpg: ")


def test_through_a_pipe(tmp_path: Path, image: Call) -> None:
    original = (tmp_path / "grandfather.jpg").read_bytes()
    image("grandfather.jpg", "file.jpg")
    there = (tmp_path / "file.jpg").read_bytes()
    assert image("-", given=original).stdout == there
    assert image("-", "-", given=original).stdout == there
    assert image("grandfather.jpg", "-").stdout == there
    piped = image("-", "piped.jpg", given=original)
    assert (piped.stdout, (tmp_path / "piped.jpg").read_bytes()) == (b"", there)
    png = image("-", "--format", "png", "-q", given=original)
    assert png.stdout.startswith(b"\x89PNG")
    assert png.stderr == b""
    pages = write_tiff(tmp_path / "pages.tif", landscape(1), landscape(2))
    assert image("-", given=pages.read_bytes()).stdout[:4] in (b"II*\0", b"MM\0*")
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix in (".jpg", ".tif")) == [
        "file.jpg", "grandfather.jpg", "pages.tif", "piped.jpg",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (b"", "Standard input is empty: a picture is wanted there."),
        (b"hello\n", "standard input: not a picture: it is text."),
        (cv2.imencode(".bmp", in_colour())[1].tobytes(), "standard input is already in colour"),
    ],
)
def test_what_a_pipe_cannot_do_is_said_and_nothing_goes_out(image: Call, given: bytes, words: str) -> None:
    refused = image("-", given=given)
    assert refused.returncode == 5
    assert refused.stdout == b""
    assert words in refused.stderr.decode()
    assert "/" not in refused.stderr.decode(), "nobody knows the file it lay in"


def test_a_torn_picture_in_a_pipe_is_called_by_its_name(tmp_path: Path, image: Call) -> None:
    torn = image("-", given=(tmp_path / "grandfather.jpg").read_bytes()[:-700])
    assert torn.stderr == b"colorize: standard input: truncated: the file ends before the picture does.\n"
    assert (torn.returncode, torn.stdout) == (5, b"")


@pytest.mark.skipif(sys.platform == "win32", reason="a shell's redirections")
def test_streams_that_are_closed_are_said(tmp_path: Path, image: Call) -> None:
    """A picture that goes to a closed stream is lost; a run that says nothing of it would have lied."""
    for words, redirected, said in [
        ("- -", "<&-", "Standard input is empty: a picture is wanted there."),
        ("grandfather.jpg -", ">&-", "Standard output is closed: send it to a file or a program, or name OUT."),
    ]:
        script = f'"$0" -c "$1" image {words} {redirected}'
        done = subprocess.run(
            ["sh", "-c", script, sys.executable, "from pipeline.cli.main import main; main()"],
            env=environment(), cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (5, f"colorize: {said}\n")


def test_a_reader_that_has_seen_enough_is_no_fault(tmp_path: Path, user_cache: Path, image: Call) -> None:
    line = '"$0" -c "$1" image grandfather.jpg - --format png -q; echo $? >code'
    seen = subprocess.run(
        ["sh", "-c", f"{{ {line}; }} | head -c 4", sys.executable, "from pipeline.cli.main import main; main()"],
        env=environment(XDG_CACHE_HOME=str(user_cache)), cwd=tmp_path, capture_output=True, check=False,
    )  # fmt: skip
    assert (seen.stdout, seen.stderr, (tmp_path / "code").read_text()) == (b"\x89PNG", b"", "0\n")


def test_a_file_that_is_called_as_a_pipe_is(tmp_path: Path, image: Call) -> None:
    (tmp_path / "grandfather.jpg").rename(tmp_path / "-")
    assert image("./-", "out.png").stderr.startswith(b"out.png: 80 x 60")


def test_many_pictures_are_sent_to_where_many_are_done(image: Call) -> None:
    many = image("grandfather.jpg", "b.jpg", "c.jpg")
    assert many.returncode == 2
    assert b"One picture at a time. Many: colorize run FILE... -o FOLDER" in many.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="names of bytes")
@pytest.mark.parametrize(
    "locale", [{"LC_ALL": "C"}, {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}]
)
def test_bytes_of_a_name_that_are_no_utf_8_are_shown_as_in_the_manifest(
    tmp_path: Path, image: Call, locale: dict[str, str]
) -> None:
    name = os.fsdecode(b"caf\xe9.jpg")
    (tmp_path / "grandfather.jpg").rename(tmp_path / name)
    assert image(name, **locale).stderr.startswith(b"caf\\xe9-colour.jpg: 80 x 60")
    assert image(os.fsdecode(b"\xe8.jpg"), **locale).stderr == b"colorize: \\xe8.jpg is not there.\n"


def test_side_by_side(tmp_path: Path, image: Call) -> None:
    made = image("grandfather.jpg", "pair.png", "--side-by-side")
    assert made.stderr.startswith(b"pair.png: 160 x 60, ")
    pair, grey = cv2.imread(str(tmp_path / "pair.png")), cv2.imread(str(tmp_path / "grandfather.jpg"))
    assert pair.shape == (60, 160, 3)
    np.testing.assert_array_equal(pair[:, :80], grey)


def test_two_formats_are_refused(tmp_path: Path, image: Call) -> None:
    refused = image("grandfather.jpg", "x.jpg", "--format", "png")
    assert (refused.returncode, (tmp_path / "x.jpg").exists()) == (2, False)
    assert b"two formats" in refused.stderr
    assert image("grandfather.jpg", "x.jpg", COLORIZE_FORMAT="png").returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="xdg-open")
def test_open_shows_the_copy_where_there_is_a_screen(tmp_path: Path, image: Call) -> None:
    shown = tmp_path / "bin" / "xdg-open"
    shown.parent.mkdir()
    shown.write_text(f'#!/bin/sh\necho "$1" >"{tmp_path}/shown.tmp"; mv "{tmp_path}/shown.tmp" "{tmp_path}/shown"\n')
    shown.chmod(0o755)
    path = f"{shown.parent}{os.pathsep}{os.environ['PATH']}"
    without = image("grandfather.jpg", "--open", PATH=path, DISPLAY="", WAYLAND_DISPLAY="")
    assert without.returncode == 0
    assert b"There is no program here that opens grandfather-colour.jpg." in without.stderr
    assert image("grandfather.jpg", "--open", PATH=path, DISPLAY=":0").returncode == 0
    for _ in range(100):
        if (tmp_path / "shown").exists():
            break
        subprocess.run(["sleep", "0.05"], check=True)
    assert (tmp_path / "shown").read_text() == "grandfather-colour-2.jpg\n"
    assert image("-", "--open", given=b"x").returncode == 2


def test_numbers_are_shown_as_numbers() -> None:
    text = CliRunner().invoke(commands, ["run", "--help"]).output
    assert "--quality N " in text
    assert "--saturation NUMBER " in text
    assert " TEXT " not in text


def test_a_mistyped_variable_is_named(image: Call) -> None:
    made = image("grandfather.jpg", COLORIZE_SATURATON="0.4")
    assert made.returncode == 0
    assert b"COLORIZE_SATURATON names no setting and is passed over. Did you mean COLORIZE_SATURATION?" in made.stderr


HOMELESS = """
import os, pwd, sys, tempfile
os.environ.pop("HOME"), os.environ.pop("XDG_CACHE_HOME", None)
def nobody(uid): raise KeyError(f"getpwuid(): uid not found: {uid}")
pwd.getpwuid = nobody
from pipeline.cli.main import main
main()
"""


def homeless(tmp_path: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """Call the command line as a user whom the system does not know: no HOME, no passwd entry."""
    (tmp_path / "tmp").mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-c", HOMELESS, *map(str, words)],
        env=environment(HOME="/", TMPDIR=str(tmp_path / "tmp")),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="users have no numbers")
def test_a_user_without_a_home_has_a_cache_of_his_own(tmp_path: Path, image: Call) -> None:
    made = homeless(tmp_path, "image", "grandfather.jpg")
    assert made.returncode == 0, made.stderr
    cache = tmp_path / "tmp" / f"colorize-{os.getuid()}"
    assert cache.stat().st_mode & 0o777 == 0o700
    assert list((cache / "engines").iterdir())
    assert not (tmp_path / "~").exists()
    assert str(cache) in homeless(tmp_path, "doctor").stdout


@pytest.mark.skipif(sys.platform == "win32", reason="users have no numbers")
def test_a_cache_that_others_can_write_is_not_taken(tmp_path: Path, image: Call) -> None:
    planted = tmp_path / "tmp" / f"colorize-{os.getuid()}"
    planted.mkdir(parents=True)
    planted.chmod(0o777)
    assert homeless(tmp_path, "image", "grandfather.jpg").returncode == 0
    assert list(planted.iterdir()) == []


def test_errors_are_json_where_it_was_asked_for(tmp_path: Path, program: Program) -> None:
    for words, code in [(["status", "nowhere", "--json"], 5), (["run", "scans", "--json"], 2)]:
        done = as_text(program.call(words, env=environment(), cwd=tmp_path))
        error = json.loads(done.stdout)["error"]
        assert (done.returncode, error["code"]) == (code, code)
        assert error["sentence"] in done.stderr
        assert error["hint"]

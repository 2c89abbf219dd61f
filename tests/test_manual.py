"""The man pages are roff that man draws without complaint, with every option in them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import click
import pytest

from pipeline.cli.main import commands
from tools.command_tree import walk
from tools.manual import manual, roff

PAGES = manual()


def test_there_is_a_page_for_every_command() -> None:
    assert set(PAGES) == {f"{context.command_path.replace(' ', '-')}.1" for context in walk(commands, "colorize")}


@pytest.mark.parametrize("name", PAGES)
def test_man_draws_a_page_with_all_options_and_examples(name: str, tmp_path: Path) -> None:
    if shutil.which("man") is None:
        pytest.skip("there is no man here")
    page = tmp_path / name
    page.write_text(PAGES[name], encoding="utf-8")
    drawn = subprocess.run(
        ["man", "--warnings", "-P", "cat", "-l", page], env={"PATH": "/usr/bin:/bin", "MANWIDTH": "200"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert drawn.stderr == ""
    (command,) = (
        each.command for each in walk(commands, "colorize") if each.command_path.replace(" ", "-") == name[:-2]
    )
    flags = [flag for each in command.params if isinstance(each, click.Option) for flag in each.opts]
    text = drawn.stdout.replace("‐", "-")
    assert [flag for flag in flags if flag not in text] == []
    for heading in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES", "SEE ALSO"):
        assert f"\n{heading}\n" in text


def test_nothing_in_a_text_is_taken_for_a_macro() -> None:
    assert roff(".prototxt") == "\\&.prototxt"
    assert roff("a\\b -o") == "a\\eb \\-o"

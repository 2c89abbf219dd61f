"""The Tab key, as the shells ask it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.cli.completion import SHELLS
from pipeline.cli.main import commands
from tests.conftest import Colorize, environment
from tools.command_tree import walk

COLORIZE = f'#!/bin/sh\nexec "{sys.executable}" -c "from pipeline.cli.main import main; main()" "$@"\n'
EXPECTED = {
    "colorize ru": "run",
    "colorize run --pal": "--palette",
    "colorize run --palette v": "vivid",
    "colorize run --config pres": "preservation",
    "colorize image --model zhang": "zhang2016",
    "colorize models f": "fetch",
    "colorize models fetch zh": "zhang2016",
    "colorize compare 1.jpg --palettes natural,vi": "natural,vivid",
    "colorize run --palette = v": "vivid",  # as bash cuts --palette=v
}


@pytest.fixture
def shell(tmp_path: Path):
    """Run a script in a shell that finds `colorize`; returns its lines."""
    program = tmp_path / "colorize"
    program.write_text(COLORIZE)
    program.chmod(0o755)

    def run(name: str, text: str) -> list[str]:
        if shutil.which(name) is None:
            pytest.skip(f"there is no {name} here")
        plain = {"bash": "--norc", "zsh": "-f", "fish": "--no-config"}[name]
        path = f"{tmp_path}:{environment()['PATH']}"
        done = subprocess.run(
            [name, plain, "-c", text], env=environment(PATH=path, HOME=str(tmp_path)), capture_output=True, text=True,
            cwd=tmp_path, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return run


@pytest.mark.parametrize(("line", "offered"), EXPECTED.items())
def test_bash_is_offered_what_fits(shell, line: str, offered: str) -> None:
    script = f"""
        eval "$(colorize completion bash)"
        complete -p colorize >/dev/null || exit 9
        COMP_WORDS=({line}) COMP_CWORD=$(({len(line.split())} - 1))
        _colorize_completion colorize
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    assert offered in shell("bash", script)


@pytest.mark.parametrize("name", ["zsh", "fish"])
@pytest.mark.parametrize(
    ("line", "offered"),
    [("--palette=v", "--palette=vivid"), ("--palette v", "vivid"), ("--config=pres", "--config=preservation")],
)
def test_an_option_that_is_joined_to_its_value_stays(colorize: Colorize, name: str, line: str, offered: str) -> None:
    """Both put what is offered in the place of the whole word."""
    words = f"colorize run {line}"
    asked = {"zsh": {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}}
    last = words.split()[-1]
    asked["fish"] = {"COMP_WORDS": words, "COMP_CWORD": last}
    done = colorize(_COLORIZE_COMPLETE=f"{name}_complete", **asked[name])
    assert offered in done.stdout.replace(",", "\n").splitlines()


def test_every_option_that_takes_a_file_or_folder_offers_them() -> None:
    """A path of a hundred letters is not typed by hand."""
    dumb = []
    for context in walk(commands, "colorize"):
        for parameter in context.command.params:
            wants = {"FILE": "file", "DIR": "dir", "NAME|FILE": "file", "FOLDER": "file"}.get(parameter.metavar or "")
            offered = [each.type for each in parameter.shell_complete(context, "x")] if wants else [wants]
            if wants not in offered and not (wants == "dir" and "file" in offered):
                dumb.append(f"{context.command_path} {parameter.opts}")
    assert dumb == []


def test_fish_is_offered_what_fits(shell) -> None:
    said = shell("fish", 'colorize completion fish | source; complete -C "colorize run --palette "')
    assert said == ["natural", "plain", "restrained", "vivid"]


def test_zsh_knows_the_function(shell) -> None:
    script = 'autoload -U compinit; compinit -D; eval "$(colorize completion zsh)"; print ${_comps[colorize]}'
    assert shell("zsh", script) == ["_colorize_completion"]


@pytest.mark.parametrize("name", SHELLS)
def test_without_a_name_it_is_the_shell_that_is_used(colorize: Colorize, name: str) -> None:
    by_name = colorize("completion", name).stdout
    assert colorize("completion", SHELL=f"/usr/bin/{name}").stdout == by_name
    assert "_COLORIZE_COMPLETE" in by_name
    other = colorize("completion", SHELL="/bin/tcsh")
    assert other.returncode == 2
    assert "bash, zsh or fish" in other.stderr

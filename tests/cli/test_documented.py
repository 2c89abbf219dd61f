"""Every command and every setting is documented, and what the documents show works."""

from __future__ import annotations

import contextlib
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click
import pytest

from pipeline.cli.main import COMMANDS, commands
from pipeline.ground.gather import from_file
from pipeline.ground.resources import configs_dir
from pipeline.ground.settings import Settings

CHECKOUT = Path(__file__).resolve().parents[2]
WRITTEN = [*sorted((CHECKOUT / "docs").glob("*.md")), CHECKOUT / "README.md"]


def context_of(command: click.Command, name: str, parent: click.Context | None = None) -> click.Context:
    """As the program makes one. The parent says that -h asks for help; a command remembers what it was first told."""
    return click.Context(command, parent=parent, info_name=name, **command.context_settings)


def walk(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = context_of(command, "colorize")
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None, f"{name} is listed and is not there"
            yield from walk(below, (*path, name))


TREE = dict(walk(commands))
EVERY_COMMAND = pytest.mark.parametrize("path", TREE, ids=lambda path: " ".join(path) or "colorize")


def examples(text: str) -> list[str]:
    """The calls of `colorize` in an epilog or a Markdown page's indented blocks, continued lines joined."""
    lines = text.replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if re.match(r"\s{2,}colorize ", line)]


def parse(call: str) -> None:
    """Parse a call as the shell and click would, without running anything."""
    name, *words = shlex.split(call, comments=True)
    command, context = commands, context_of(commands, name)
    while isinstance(command, click.Group) and not words[0].startswith("-"):
        name = words.pop(0)
        command = command.get_command(context, name)
        assert command is not None, call
        context = context_of(command, name, context)
    with contextlib.suppress(click.exceptions.Exit):  # flags that answer by themselves, such as --version
        command.make_context(name, words, parent=context.parent)


@EVERY_COMMAND
def test_a_command_says_what_it_does_and_ends_with_examples_of_itself(path: tuple[str, ...]) -> None:
    command = TREE[path]
    assert command.help
    assert command.help.strip().split("\n\n")[0].endswith("."), "the first sentence is what lists show"
    assert command.epilog
    _, _, shown = command.epilog.partition("Examples:\n")
    calls = examples(shown)
    assert len(calls) >= 2
    assert all(call.split()[: len(path) + 1] == ["colorize", *path] for call in calls), calls
    undocumented = [each.name for each in command.params if isinstance(each, click.Option) and not each.help]
    assert not undocumented


@EVERY_COMMAND
def test_help_fits_80_columns(path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    context = context_of(commands, "colorize")
    for place in range(1, len(path) + 1):
        context = context_of(TREE[path[:place]], path[place - 1], context)
    text = context.get_help()
    assert [line for line in text.splitlines() if len(line) > 80] == []


@EVERY_COMMAND
def test_a_command_is_in_the_reference(path: tuple[str, ...]) -> None:
    name = " ".join(("colorize", *path))
    assert f"\n## {name}\n" in (CHECKOUT / "docs" / "commands.md").read_text(encoding="utf-8")


def test_every_command_of_the_first_level_is_named_in_the_readme() -> None:
    text = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    assert [name for name in COMMANDS if not re.search(rf"(colorize|make) {name}\b", text)] == []


@pytest.mark.parametrize(
    "call",
    [
        *(call for command in TREE.values() for call in examples(command.epilog or "")),
        *(call for page in WRITTEN if page.name != "commands.md" for call in examples(page.read_text("utf-8"))),
    ],
)
def test_calls_that_are_shown_are_calls_that_work(call: str) -> None:
    parse(call)


def test_a_call_that_would_not_work_is_found() -> None:
    wrong = ("run scans -o colour --no-such-flag", "paint scans", "status", "--no", "models nothing")
    for call in wrong:
        with pytest.raises((click.UsageError, AssertionError)):
            parse(f"colorize {call}")


@pytest.mark.parametrize("declared", fields(Settings), ids=lambda declared: declared.name)
def test_a_setting_is_explained_in_the_reference_and_has_its_flag(declared) -> None:
    text = declared.metadata["text"]
    assert text.endswith(".")
    page = (CHECKOUT / "docs" / "settings.md").read_text(encoding="utf-8")
    row = next(line for line in page.splitlines() if line.startswith(f"| `{declared.name}` |"))
    assert text.replace("|", "\\|") in row
    assert f"`COLORIZE_{declared.name.upper()}`" in row
    flags = {option.name for option in TREE[("run",)].params}
    assert declared.name in flags


@pytest.mark.parametrize("path", sorted(configs_dir().glob("*.toml")), ids=lambda path: path.stem)
def test_ready_made_settings_are_settings_and_say_what_they_are_for(path: Path) -> None:
    from_file(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# ")
    assert tomllib.loads("\n".join(lines))


@pytest.mark.parametrize("name", sorted(path.stem for path in configs_dir().glob("*.toml")))
def test_ready_made_settings_are_named_in_the_readme_and_in_the_help(name: str) -> None:
    assert f"`{name}`" in (CHECKOUT / "README.md").read_text(encoding="utf-8").replace("--config ", "")
    config = next(option for option in TREE[("run",)].params if option.name == "config")
    assert name in config.help


def reference(*arguments: object) -> subprocess.CompletedProcess[str]:
    call = [sys.executable, "-m", "tools.reference", *map(str, arguments)]
    return subprocess.run(call, cwd=CHECKOUT, capture_output=True, text=True, check=False)


def test_the_reference_is_up_to_date() -> None:
    done = reference("--check")
    assert done.returncode == 0, done.stderr


def test_a_reference_that_is_out_of_date_is_found_and_written_anew(tmp_path: Path) -> None:
    assert reference(tmp_path).returncode == 0
    assert reference("--check", tmp_path).returncode == 0
    page = tmp_path / "docs" / "settings.md"
    page.write_text(page.read_text(encoding="utf-8").replace("`95`", "`75`"), encoding="utf-8")
    (tmp_path / "docs" / "commands.md").unlink()
    (tmp_path / "deploy" / "man" / "colorize-paint.1").write_text("a command that is no more")
    done = reference("--check", tmp_path)
    assert done.returncode == 1
    assert "docs/commands.md, docs/settings.md, deploy/man/colorize-paint.1" in done.stderr
    assert "make reference" in done.stderr
    assert reference(tmp_path).returncode == 0
    assert reference("--check", tmp_path).returncode == 0


@pytest.mark.parametrize("page", [*WRITTEN, *CHECKOUT.glob("C*.md")], ids=lambda page: page.name)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    inside = [link for link in links if "://" not in link]
    assert [link for link in inside if not (page.parent / link).exists()] == []

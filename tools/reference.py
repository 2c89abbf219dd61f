"""Write docs/commands.md, docs/settings.md and what deploy/ has of man pages and completion from the program itself.

So that they cannot say anything else.

Usage: python -m tools.reference [--check] [CHECKOUT]

--check writes nothing and fails where a page says other words than the program (how click breaks lines is its own).
"""

from __future__ import annotations

import argparse
from dataclasses import Field, fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

import click

from pipeline.cli.completion import script
from pipeline.cli.main import commands
from pipeline.ground.gather import ENVIRONMENT_PREFIX
from pipeline.ground.settings import Settings
from tools.command_tree import walk
from tools.manual import manual

CHECKOUT = Path(__file__).resolve().parent.parent
MAN, COMPLETION = "deploy/man", "deploy/completion"
# What each shell calls the file.
COMPLETIONS = {"bash": "colorize", "zsh": "_colorize", "fish": "colorize.fish"}
TEXTS = {"FILE": "a file", "DIR": "a folder", "NAME|FILE": "a name or a file"}
DRAWN = "Drawn by `make reference` from the program; change the program, not this page."


def commands_page() -> str:
    """Return the help of every command."""
    parts = [f"# Commands\n\n{DRAWN}\nSettings, which most commands take as flags: [settings.md](settings.md)."]
    for context in walk(commands, "colorize"):
        text = "\n".join(line.rstrip() for line in context.get_help().splitlines())
        parts.append(f"## {context.command_path}\n\n```\n{text}\n```")
    return "\n\n".join(parts) + "\n"


def settings_page() -> str:
    """Return a table of every setting."""
    run = commands.get_command(click.Context(commands), "run")
    flags = {parameter.name: parameter for parameter in run.params} if run else {}
    rows = [
        (
            f"`{declared.name}`",
            taken(declared),
            shown(declared.default),
            declared.metadata.get("text", ""),
            spelled(flags.get(declared.name)),
            f"`{ENVIRONMENT_PREFIX}{declared.name.upper()}`",
        )
        for declared in fields(Settings)
    ]
    head = ("setting", "takes", "default", "what it does", "flag", "variable")
    lines = [" | ".join(cell.replace("|", "\\|") for cell in row) for row in (head, ("---",) * len(head), *rows)]
    table = "\n".join(f"| {line} |" for line in lines)
    return f"""# Settings

{DRAWN}

Flags win over `--set KEY=VALUE`, that over variables, those over the file named by `--config`, whose keys (TOML) are
the settings' names. A command takes the flags that concern it; those of `colorize run` are named here.

{table}
"""


def taken(declared: Field[Any]) -> str:
    """Say what values a setting takes."""
    meta, hint = declared.metadata, get_type_hints(Settings)[declared.name]
    if meta.get("choices"):
        return ", ".join(f"`{choice}`" for choice in meta["choices"])
    if hint is bool:
        return "`true`, `false`"
    if hint is str:
        return TEXTS.get(meta.get("metavar", ""), "a text")
    kinds = get_args(hint) or (hint,)
    if int not in kinds and float not in kinds:
        return "a list of texts"
    text = "a number" if float in kinds else "a whole number"
    if meta.get("low") is not None:
        text += f", {meta['low']:g} to {meta['high']:g}"
    return text + (f", or `{meta['word']}`" if meta.get("word") else "")


def shown(value: object) -> str:
    """Spell a default as a configuration file does."""
    if value in ("", ()):
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def spelled(parameter: click.Parameter | None) -> str:
    """Name a setting's flag, or the general one where it has none of its own."""
    if parameter is None:
        return "`--set`"
    return ", ".join(f"`{each}`" for each in (*parameter.opts, *parameter.secondary_opts))


def pages() -> dict[str, str]:
    """Return the text of every page by its place in the checkout."""
    return {
        "docs/commands.md": commands_page(),
        "docs/settings.md": settings_page(),
        **{f"{MAN}/{name}": text for name, text in manual().items()},
        **{f"{COMPLETION}/{name}": script(shell) for shell, name in COMPLETIONS.items()},
    }


def out_of_date(checkout: Path) -> list[str]:
    """Return the places whose words are not the program's, and man pages of commands that are no more.

    How completion is written is click's own, of whatever version: it is only to be there.
    """
    expected = pages()
    old = [place for place, text in expected.items() if not _says(checkout / place, text)]
    man = {f"{MAN}/{path.name}" for path in (checkout / MAN).glob("*.1")}
    return old + sorted(man - set(expected))


def _says(path: Path, text: str) -> bool:
    if not path.is_file():
        return False
    return path.parent.name == "completion" or path.read_text(encoding="utf-8").split() == text.split()


def main() -> None:
    """Write the pages, or compare them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("checkout", type=Path, nargs="?", default=CHECKOUT)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a page is out of date")
    arguments = parser.parse_args()
    if arguments.check:
        if old := out_of_date(arguments.checkout):
            raise SystemExit(f"out of date: {', '.join(old)}. Write anew with: make reference")
        return
    for path in (arguments.checkout / MAN).glob("*.1"):
        path.unlink()
    for place, text in pages().items():
        (arguments.checkout / place).parent.mkdir(parents=True, exist_ok=True)
        (arguments.checkout / place).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

"""Man pages, drawn from the program: what `python -m tools.reference` writes into deploy/man."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from pipeline import __version__
from pipeline.cli.main import commands
from tools.command_tree import walk

HEADINGS = {"Exit": "EXIT STATUS", "Examples": "EXAMPLES", "Example": "EXAMPLES"}
FILES = {
    "OUTPUT/manifest.csv": "A row for every file that was found: what became of it, and why.",
    "OUTPUT/.colorize/": "The journal of the runs into OUTPUT. Leave it where it is.",
    "~/.cache/colorize/": "Models that were fetched, and what the check of the engines found.",
}
EXITS = {
    "0": "Everything is done, or nothing was left to do.",
    "1": "A fault of the program; -v shows where.",
    "2": "Wrong usage or settings.",
    "3": "The run finished, some items failed or crashed.",
    "4": "A model is missing, unfit or does not match its checksum.",
    "5": "An input cannot be read at all, or the output cannot be written.",
    "75": "Another run has this OUTPUT.",
    "130, 143": "Stopped in good order, by Ctrl-C or by SIGTERM; the same command goes on.",
}


def manual() -> dict[str, str]:
    """Return the roff text of every page by its file name, such as colorize-run.1."""
    contexts = list(walk(commands, "colorize"))
    names = [_name(context) for context in contexts]
    return {f"{name}.1": _page(context, names) for name, context in zip(names, contexts, strict=True)}


def _name(context: click.Context) -> str:
    return context.command_path.replace(" ", "-")


def _page(context: click.Context, names: list[str]) -> str:
    command, name = context.command, _name(context)
    first, *rest = (command.help or "").strip().split("\n\n")
    lines = [
        r".\" Drawn by `make reference` from the program; change the program, not this page.",
        f'.TH "{roff(name).upper()}" "1" "" "colorize {__version__}" "User Commands"',
        *(".ad l", ".nh"),  # no lines filled with blanks, no option hyphenated
        *(".SH NAME", f"{roff(name)} \\- {roff(_flat(first).rstrip('.'))}"),
        *(".SH SYNOPSIS", f".B {roff(context.command_path)}", roff(" ".join(command.collect_usage_pieces(context)))),
        *(".SH DESCRIPTION", *_paragraphs([first, *rest])),
    ]
    if isinstance(command, click.Group):
        lines += [".SH COMMANDS", *_subcommands(context, command)]
    lines += [".SH OPTIONS", *_options(context)]
    lines += _epilog(command.epilog or "")
    if name == "colorize":
        lines += [".SH EXIT STATUS", *_table(EXITS), ".SH FILES", *_table(FILES)]
        lines += [".SH ENVIRONMENT", r"Every setting has a variable of its name, such as COLORIZE_QUALITY=90."]
    others = [each for each in names if each != name and (name == "colorize" or _near(each, name))]
    return "\n".join([*lines, ".SH SEE ALSO", *_references(others)]) + "\n"


def _references(names: list[str]) -> Iterator[str]:
    for place, name in enumerate(names, 1):
        yield f".BR {roff(name)} (1){',' if place < len(names) else ''}"


def _near(each: str, name: str) -> bool:
    return each in ("colorize", name.rpartition("-")[0]) or each.rpartition("-")[0] == name


def _subcommands(context: click.Context, group: click.Group) -> Iterator[str]:
    for each in group.list_commands(context):
        below = group.get_command(context, each)
        if below is not None:
            yield from (".TP", f".B {roff(each)}", roff(below.get_short_help_str(200)))


def _options(context: click.Context) -> Iterator[str]:
    for parameter in context.command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and record[1]:  # an argument's name says nothing that the synopsis has not said
            names, text = record
            yield from (".TP", f".B {roff(names)}", roff(_flat(text)))


def _epilog(epilog: str) -> Iterator[str]:
    for block in epilog.replace("\b\n", "").strip().split("\n\n"):
        word, colon, rest = block.partition(":")
        if not colon:
            yield from (".PP", roff(_flat(block))) if block else ()
        elif word == "Exit":
            yield from (".SH EXIT STATUS", roff(_flat(rest)))
        else:
            yield from (f".SH {HEADINGS.get(word, roff(word).upper())}", ".nf", *map(roff, _lines(rest)), ".fi")


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip("\n").splitlines() if line.strip()]


def _paragraphs(blocks: list[str]) -> Iterator[str]:
    for block in blocks:
        if block.startswith("\b"):
            yield from (".PP", ".nf", *map(roff, _lines(block.lstrip("\b"))), ".fi")
        else:
            yield from (".PP", roff(_flat(block)))


def _table(rows: dict[str, str]) -> Iterator[str]:
    for head, text in rows.items():
        yield from (".TP", f".B {roff(head)}", roff(text))


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("\b", "")).strip()


def roff(text: str) -> str:
    """Return a line of text as roff prints it: no escape, no macro at its beginning, a minus that can be copied."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in (".", "'") else text

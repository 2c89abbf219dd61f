"""The `colorize` command: finds the subcommand, and turns every error into one sentence and its exit code."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import shlex
import sys
import traceback
from typing import NoReturn

import click

from pipeline import __version__
from pipeline.archive.spelling import readable
from pipeline.cli.presentation import Presentation, tell
from pipeline.cli.streams import make_streams_last, speak_utf8
from pipeline.ground.errors import HINTS, ColorizeError, ExitCode, of_the_machine
from pipeline.ground.settings import nearest

# Each lives in a module of its own, imported when it is called, so that `--help` and `status` stay quick.
COMMANDS = {
    "run": "Colorize an archive of photographs and films; resumes by itself.",
    "image": "Colorize one picture.",
    "video": "Colorize one film.",
    "live": "Colorize a camera, a stream or a film while you look.",
    "status": "Show where a run stands.",
    "original": "Take the original out of a coloured JPEG again.",
    "gallery": "Make pages to look through the pictures of an archive.",
    "review": "Look through an archive on a page, and correct it.",
    "compare": "Show a picture under several nets and palettes.",
    "verify": "Check every finished picture of an archive.",
    "hints": "Take what a person says of single pictures.",
    "reject": "Remove outputs that nobody wants.",
    "prune": "Take away outputs whose sources are gone.",
    "recover": "Make a lost journal anew.",
    "merge": "Make one OUTPUT of those of several shares.",
    "models": "List, fetch, verify and import models.",
    "doctor": "Say what this machine will use and why.",
    "bench": "Measure speed against the tutorial's way.",
    "evaluate": "Measure colour against the truth.",
    "completion": "Print what makes the Tab key work in a shell.",
}

EPILOG = """\b
Examples:
  colorize run scans -o colour
  colorize status colour
"""


class Commands(click.Group):
    """A group whose commands are imported only when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of one command."""
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"pipeline.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which one was meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            raise click.UsageError(error.message + _meant(args[0]), ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _meant(word: str) -> str:
    """Return what to say of a word that is no command: whoever names a picture or a folder means what works on it."""
    if os.path.isdir(word):  # noqa: PTH112 - as it was typed
        return f" It is a folder: colorize run {shlex.quote(word)} -o OUTPUT"
    if os.path.isfile(word):  # noqa: PTH113
        return f" It is a file: colorize image {shlex.quote(word)} takes a picture, colorize video a film."
    return nearest(word, COMMANDS)


def _version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        click.echo(f"colorize {__version__}")
        ctx.exit()


@click.group(cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-V", "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version."
)
def commands() -> None:
    """Turn archives of black-and-white pictures and films into colour, unattended.

    Originals are only ever read. A run that was stopped, by whatever, goes on
    where it was when the same command is given again.
    """


def _said(presentation: Presentation, error: Exception, code: ExitCode, sentence: str, hint: str) -> ExitCode:
    """Say what went wrong, and how the command ends."""
    if presentation.verbose:
        traceback.print_exception(error)
    tell(f"colorize: {sentence}", err=True)
    _as_json(presentation, code, sentence, hint)
    return code


def _as_json(presentation: Presentation, code: int, sentence: str, hint: str = HINTS[ExitCode.USAGE]) -> None:
    """Say on stdout too, where JSON was asked for, what went wrong; a command that was mistyped has not said so yet."""
    if presentation.as_json or "--json" in sys.argv[1:]:
        with contextlib.suppress(ColorizeError):  # standard output itself may be what went wrong
            said = {"code": int(code), "sentence": readable(sentence), "hint": hint}
            click.echo(json.dumps({"error": said}))
            sys.stdout.flush()


def main() -> NoReturn:
    """Run the command line and exit with the code the README documents."""
    presentation = Presentation()
    speak_utf8()
    make_streams_last()
    try:
        if instruction := os.environ.get("_COLORIZE_COMPLETE"):  # the shell's Tab key
            from pipeline.cli.shells import shell_complete

            sys.exit(shell_complete(commands, {}, "colorize", "_COLORIZE_COMPLETE", instruction))
        # Not `commands.main`: that takes every broken pipe, a worker's too, for a reader who went away.
        with commands.make_context("colorize", sys.argv[1:], obj=presentation) as context:
            code = commands.invoke(context)
    except click.exceptions.Exit as request:
        code = request.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
        _as_json(presentation, code, error.format_message())
    except (click.Abort, KeyboardInterrupt):
        code = ExitCode.SIGINT
        tell("colorize: Stopped.", err=True)
        _as_json(presentation, code, "Stopped.", HINTS[ExitCode.SIGINT])
    except ColorizeError as error:
        code = _said(presentation, error, error.exit_code, str(error), error.hint)
    except Exception as error:
        if told := of_the_machine(error):
            code = _said(presentation, error, told.exit_code, str(told), told.hint)
        else:
            hint = HINTS[ExitCode.FAULT]
            sentence = f"A fault of the program: {type(error).__name__}: {error}. {hint}"
            code = _said(presentation, error, ExitCode.FAULT, sentence, hint)
    sys.exit(int(code or 0))

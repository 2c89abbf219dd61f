"""Every error a user can see: its exit code, and a sentence that says what to do."""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """Exit codes of every `colorize` command; the README documents them for scripts."""

    OK = 0
    FAULT = 1
    USAGE = 2
    SOME_FAILED = 3
    MODEL = 4
    INPUT_OUTPUT = 5
    LOCKED = 75
    SIGINT = 130
    SIGTERM = 143


class ColorizeError(Exception):
    """An error with a sentence for the user; the message is printed as it stands."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAULT


class SettingsError(ColorizeError):
    """A setting, flag or configuration file that makes no sense."""

    exit_code = ExitCode.USAGE


class ModelError(ColorizeError):
    """A model that is missing, unfit, or does not match its checksum."""

    exit_code = ExitCode.MODEL


class EngineError(ModelError):
    """An engine that was asked for and is not installed, or cannot run the model."""


class InputError(ColorizeError):
    """An input that cannot be read at all."""

    exit_code = ExitCode.INPUT_OUTPUT


class OutputError(ColorizeError):
    """An output that cannot be written: no permission, no space, or a path in the way."""

    exit_code = ExitCode.INPUT_OUTPUT


class LockedError(ColorizeError):
    """Another run holds this output."""

    exit_code = ExitCode.LOCKED


class PhotoError(ColorizeError):
    """One picture that cannot be read or written; it fails alone and the run goes on.

    The message is the `reason` in the manifest: a phrase without a path, such as
    "truncated: the file ends before the picture does".
    """

    exit_code = ExitCode.INPUT_OUTPUT

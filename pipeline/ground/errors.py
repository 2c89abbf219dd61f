"""Every error a user can see: its exit code, its cause, and a sentence that says what to do."""

from __future__ import annotations

import errno
import os
import re
from enum import IntEnum, StrEnum
from typing import ClassVar, Final


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


# What to do about an error, by its exit code.
HINTS: Final = {
    ExitCode.FAULT: "Run it again with -v for the details and report them with what you did.",
    ExitCode.USAGE: "`colorize COMMAND --help` lists what a command takes, docs/settings.md every setting.",
    ExitCode.MODEL: "`colorize models list` says which models are here, `colorize doctor` what this machine can use.",
    ExitCode.INPUT_OUTPUT: "See that the path is there, mounted, permitted and has room; the same command goes on.",
    ExitCode.LOCKED: "Wait for the other run's end, or give another OUTPUT.",
    ExitCode.SIGINT: "The same command goes on.",
    ExitCode.SIGTERM: "The same command goes on.",
}


class Cause(StrEnum):
    """Why an item is not done, for the program; a later run goes by it when it decides what to try again."""

    NONE = ""
    IN_COLOUR = "in colour"
    NO_PICTURE = "no picture"
    DAMAGED = "damaged"
    NOT_SUPPORTED = "not supported"  # by this version
    LIBRARY = "library"  # of an extra that is not installed
    TOO_LARGE = "too large"  # for max_megapixels
    FORMAT_LIMIT = "format limit"  # of the output's format
    MEMORY = "memory"
    MODEL = "model"  # the net that a person chose for this item
    SYSTEM = "system"  # a disk, a permission: it may pass
    FOLDER_GONE = "folder gone"  # with all that lay in it: is a disk lost?
    IN_THE_WAY = "in the way"
    CRASH = "crash"
    TIME = "time"  # longer than item_timeout
    FAULT = "fault"  # of this program
    SAME = "same"  # it is done: as another source of the same bytes
    BY_HINT = "by hint"  # a person does not want it
    NOT_WANTED = "not wanted"  # before its source was gone


OF_THE_SYSTEM: Final = frozenset({Cause.SYSTEM, Cause.FOLDER_GONE})


class ColorizeError(Exception):
    """An error with a sentence for the user; the message is printed as it stands."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAULT

    @property
    def hint(self) -> str:
        """What to do about errors of this kind, where the message does not say it."""
        return HINTS.get(self.exit_code, "")


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


class ClusterError(ColorizeError):
    """Workers on other machines that cannot be had, or not used."""

    exit_code = ExitCode.INPUT_OUTPUT


class MachineError(ColorizeError):
    """This machine gives no more of what every program needs: memory, processes, open files, a library."""

    exit_code = ExitCode.INPUT_OUTPUT


_NO_MEMORY: Final = re.compile(
    r"Insufficient memory|bad_alloc|failed to map segment|Failed to allocate (\d|memory for requested)"
)
# What a process has used up, or what is wrong below every file: not the program's fault.
_OF_THE_MACHINE: Final = {
    errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM, errno.EIO, errno.ESTALE, errno.ENOSPC, errno.EDQUOT,
    errno.EFBIG, errno.EROFS, errno.ENOLCK,
}  # fmt: skip


def out_of_memory(error: BaseException) -> bool:
    """Tell whether memory is what was lacking, also where a library in C++ has its own word for it."""
    met = error.__context__  # what an engine's own error was shortened to a sentence from
    return isinstance(error, MemoryError) or says_no_memory(str(error)) or (met is not None and out_of_memory(met))


def says_no_memory(text: str) -> bool:
    """Tell whether a library says that it got no memory; not that a file asks for more than there is anywhere."""
    return _NO_MEMORY.search(text) is not None


def of_the_machine(error: Exception) -> MachineError | None:
    """Return what to say of an error that nobody foresaw where it was met, and that is no fault of the program."""
    if out_of_memory(error):
        return MachineError("There is not enough memory. Try fewer --jobs, or end other programs.")
    if isinstance(error, ImportError) and "shared object" in str(error):
        return MachineError(f"A library of the system cannot be loaded: {error}.")
    if isinstance(error, OSError) and error.strerror:
        if error.filename:  # a folder that may not be looked into
            return MachineError(f"{os.fsdecode(error.filename)}: {inside_a_sentence(error.strerror)}.")
        if error.errno in _OF_THE_MACHINE:
            return MachineError(f"The system refused what every program needs: {inside_a_sentence(error.strerror)}.")
    return None


class LockedError(ColorizeError):
    """Another run holds this output."""

    exit_code = ExitCode.LOCKED


class Crowded(ColorizeError):
    """A picture needs more memory than one of several workers may take; it is done when no other is at work."""


def inside_a_sentence(said: str) -> str:
    """Return what a system or a library says without its capital letter; addresses and SSL keep theirs."""
    return said if said[1:2].isupper() else said[:1].lower() + said[1:]


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, without its full stop; its type's name where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def in_short(error: BaseException) -> str:
    """Return what an error of a library says in one line of 200 characters at most, without its full stop."""
    said = str(getattr(error, "err", "") or error)  # OpenCV keeps what matters there
    return " ".join(said.split())[:200].rstrip(". :") or type(error).__name__


class ItemError(ColorizeError):
    """One item that cannot be read or written; it fails alone and the run goes on.

    The message is the `reason` in the manifest: a phrase without a path, such as
    "truncated: the file ends before the picture does".

    Attributes:
        cause: what kind of failure it is.
    """

    exit_code = ExitCode.INPUT_OUTPUT

    def __init__(self, reason: str, cause: Cause = Cause.DAMAGED) -> None:
        super().__init__(reason, cause)
        self.cause = cause

    def __str__(self) -> str:
        return str(self.args[0])

"""A run that is logged, read along by programs, and followed by a command."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.ground.errors import ColorizeError, ExitCode, first_line
from pipeline.ground.settings import Settings
from pipeline.run import hook
from pipeline.run.driver import run_archive
from pipeline.run.jsonlines import JsonLines
from pipeline.run.log import Log, check_log
from pipeline.run.metrics import Metrics, check_metrics
from pipeline.run.summary import Summary
from pipeline.run.telemetry import Telemetry, is_wanted
from pipeline.run.voice import Broken, Finished, Listener, Said, Voice, say


@dataclass(frozen=True, slots=True)
class Reporting:
    """Who is told of a run, and how.

    Attributes:
        log_file: gets a line for each item and event, behind what it holds; None: nothing is logged.
        log_format: "text" or "json".
        progress: "auto": a bar on a terminal, else a line each minute; "bar"; "json": JSON lines on stderr; "none".
        on_finish: a command that is called at the end; empty: none.
        said: sentences from before the run.
        metrics: gets figures for Prometheus; None: nobody collects them.
    """

    log_file: Path | None = None
    log_format: str = "text"
    progress: str = "auto"
    on_finish: str = ""
    said: tuple[str, ...] = ()
    metrics: Path | None = None


def run_reported(
    inputs: Sequence[Path], output: Path, settings: Settings, reporting: Reporting, *, quiet: bool = False
) -> Summary:
    """Run as `run_archive` does, and raise what it raises, after all who asked for it were told.

    Raises:
        OutputError: the log file is something else than a log, or the file of metrics something else than that.
        SettingsError: the command for the end is none.
    """
    command = hook.split(reporting.on_finish) if reporting.on_finish else []
    as_json = reporting.progress == "json"
    lines: tuple[Listener, ...] = (JsonLines(),) if as_json else ()
    warn = _warning(lines)
    log = _log(reporting, warn)
    listeners: list[Listener] = [*lines, *_metrics(reporting, warn)]
    listeners += [log] if log else []
    voice = Voice(not as_json, as_json, tuple(listeners))
    bar = {"bar": True, "none": False}.get(reporting.progress)
    came: Summary | ColorizeError | None = None
    try:
        for sentence in reporting.said:
            voice.say(sentence)
        came = run_archive(inputs, output, settings, bar=bar, quiet=quiet, voice=voice)
        voice.tell(Finished(came))
        return came
    except (Exception, KeyboardInterrupt) as error:
        came = _as_said(error)
        voice.tell(Broken(came))
        raise
    finally:
        if command and came is not None:
            hook.call(command, hook.variables(output, came), voice.say)
        if log:
            log.close()


def _warning(lines: Sequence[Listener]) -> Callable[[str], None]:
    """Return what says a sentence on stderr alone: it is about the log."""

    def warn(sentence: str) -> None:
        if not lines:
            say(sentence)
        for listener in lines:
            listener(Said(sentence))

    return warn


def _log(reporting: Reporting, warn: Callable[[str], None]) -> Log | None:
    if reporting.log_file is None:
        return None
    check_log(reporting.log_file)
    return Log(reporting.log_file, reporting.log_format, warn)


def _metrics(reporting: Reporting, warn: Callable[[str], None]) -> Iterator[Listener]:
    if reporting.metrics is not None:
        check_metrics(reporting.metrics)
        yield Metrics(reporting.metrics, warn)
    if is_wanted(os.environ):
        try:
            yield Telemetry(warn)
        except ImportError:
            warn("OTEL_* names a collector, but the extra is missing: pip install 'colorize-archive[otel]'.")
        except Exception as error:  # the library's: a variable of the standard's that makes no sense
            warn(f"The figures cannot be sent as OTEL_* says: {first_line(error)}. The run goes on.")


class _Early(ColorizeError):
    """Ctrl-C came before the run could take it in good order."""

    exit_code = ExitCode.SIGINT


def _as_said(error: Exception | KeyboardInterrupt) -> ColorizeError:
    if isinstance(error, ColorizeError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return _Early("Stopped before anything was begun.")
    return ColorizeError(f"A fault of the program: {type(error).__name__}: {error}")

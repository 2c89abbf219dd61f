"""One picture or film, outside any archive: no journal, no manifest, the same workers."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from pipeline.ground.errors import ColorizeError, ExitCode, InputError, OutputError, SettingsError
from pipeline.ground.files import check_destination, words, write_whole
from pipeline.ground.items import MADE, WHOLE, Alone, Halt, Kind, Result, Status, Unit, Verb, Viewing, part_of
from pipeline.ground.settings import Settings
from pipeline.media.medium import Job
from pipeline.media.photo.write import FORMATS
from pipeline.media.reels import INDEX, NEEDED, contact_sheet
from pipeline.media.table import WORKABLE, first_verb, suffix
from pipeline.nets.net import Net
from pipeline.run.assembly import Assembly
from pipeline.run.capacity import memory_of, wished_jobs
from pipeline.run.engine import settle, settled_net
from pipeline.run.executors.executor import Executor
from pipeline.run.executors.loky import Loky
from pipeline.run.executors.serial import Serial
from pipeline.run.forecast import Foreteller, check_space, films_line
from pipeline.run.naming import kind_of
from pipeline.run.signals import Stop, stop_on_signals

FILM_SUFFIXES: Final = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "mkv", ".webm": "webm"}

_SHEETS: Final = {".jpg": "jpg", ".jpeg": "jpg"}

Watch = Callable[[int, int], None]


def colorize_picture(
    source: Path, destination: Path, settings: Settings, *, force: bool = False, net: Net | None = None
) -> Result:
    """Colorize one picture.

    Args:
        source: the original, only read.
        destination: where the copy goes; its suffix chooses the format.
        settings: `format` is taken from the suffix instead. Pages beyond the first need a destination that holds them.
        force: replace what lies at `destination`.
        net: what `settled_net` made of these settings, to use it again; None: it is loaded.

    Raises:
        SettingsError: a suffix that says no known format.
        InputError: the picture is not there or cannot be read.
        OutputError: `destination` is in the way, or cannot be written.
        ModelError: no usable net.
    """
    written = _chosen(destination, FORMATS, "format")
    _check(source, destination, force=force)
    # A copy byte for byte under another format's suffix would lie.
    cannot_copy = settings.on_color == "copy" and FORMATS.get(source.suffix.lower()) != written
    settings = replace(settings, format=written, on_color="skip" if cannot_copy else settings.on_color)
    if written != "tif":
        settings = replace(settings, pages="first")
    kind = kind_of(source)
    if kind is Kind.FILM:
        raise InputError(f"{source} is a film: `colorize video` takes those.")
    kind = kind if kind is Kind.PAGES else Kind.PHOTO  # what is none, its reader says
    with _tmp_beside(destination) as tmp:
        net = net or settled_net(settings)
        memory = memory_of(settings, net.spec, 1)
        executor = Serial(Job(settings, net.spec, net.engine, destination.parent, tmp, memory), net)
        result = _done(executor, _unit(source, destination, kind, settings, tmp), Stop())
    return _checked(result, source, destination, cannot_copy=cannot_copy)


def colorize_video(
    source: Path,
    destination: Path,
    settings: Settings,
    *,
    force: bool = False,
    watch: Watch = lambda done, of: None,
    viewing: Viewing = WHOLE,
    sheet: Path | None = None,
    announce: Callable[[str], None] = lambda sentence: None,
) -> Result:
    """Colorize one film with all workers; as `colorize_picture`.

    Args:
        source, destination, force: as there; the destination's suffix chooses the container.
        settings: `container` is taken from the suffix instead.
        watch: told the frames done and the frames in all, after each piece.
        viewing: which part of the film is wanted, and how it is shown.
        sheet: where a contact sheet of the shots goes, as JPEG; None: nowhere.
        announce: told what lies ahead, before anything is begun.

    Raises:
        as `colorize_picture`.
    """
    container = _chosen(destination, FILM_SUFFIXES, "container")
    _check(source, destination, force=force)
    if sheet is not None:
        _chosen(sheet, _SHEETS, "contact sheet's format")
        _check(source, sheet, force=force)
    if kind_of(source) is not Kind.FILM:
        raise InputError(f"{source} is not a film.")
    if Kind.FILM not in WORKABLE:
        raise SettingsError(NEEDED)
    cannot_copy = settings.on_color == "copy" and source.suffix.lower() != destination.suffix.lower()
    suffix(Kind.FILM, source.suffix, replace(settings, container=container))  # raises where the encoder is not there
    cannot_copy = cannot_copy and viewing == WHOLE  # parts of a film are made, whatever is in them
    settings = replace(settings, container=container, on_color="skip" if cannot_copy else settings.on_color)
    with _tmp_beside(destination) as tmp, stop_on_signals(lambda sentence: None) as stop:
        net, choice = settle(settings)
        job = Job(settings, net, choice.engine, destination.parent, tmp)
        jobs = wished_jobs(settings, net)
        _foretell(source, destination, settings, viewing, jobs, announce)
        executor: Executor = Serial(job) if settings.executor == "serial" else Loky(job, jobs)
        unit = replace(_unit(source, destination, Kind.FILM, settings, tmp), viewing=viewing)
        result = _done(executor, unit, stop, watch)
        if sheet is not None and result.filed is not None:
            _write(sheet, contact_sheet(destination, tmp / INDEX))
    return _checked(result, source, destination, cannot_copy=cannot_copy)


def _foretell(
    source: Path, destination: Path, settings: Settings, viewing: Viewing, jobs: int, announce: Callable[[str], None]
) -> None:
    with closing(Foreteller(settings)) as ahead:
        found = ahead.film(source, viewing)
    if found is not None:
        check_space([found], destination.parent)
        announce(films_line([found], jobs))


def _write(path: Path, data: bytes) -> None:
    try:
        write_whole(path, data)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {words(error)}.") from None


def _chosen(destination: Path, suffixes: dict[str, str], what: str) -> str:
    chosen = suffixes.get(destination.suffix.lower())
    if chosen is None:
        folder = "; a folder has to be there already" if what == "format" else ""
        raise SettingsError(
            f"{destination}: end the name in one of {', '.join(suffixes)}; it chooses the {what}{folder}."
        )
    return chosen


def _check(source: Path, destination: Path, *, force: bool) -> None:
    if not source.exists():
        raise InputError(f"{source} is not there.")
    if not source.is_file():
        raise InputError(f"{source} is {'a folder: `colorize run` takes those' if source.is_dir() else 'not a file'}.")
    check_destination(destination, source=source, force=force)


@contextmanager
def _tmp_beside(destination: Path) -> Iterator[Path]:
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(prefix=".colorize-", dir=destination.parent)
    except OSError as error:
        raise OutputError(f"{destination.parent} cannot be written: {words(error)}.") from None
    with folder as tmp:
        yield destination.parent / Path(tmp).name  # from Python 3.12 on `tmp` is absolute, wherever it was asked for


def _unit(source: Path, destination: Path, kind: Kind, settings: Settings, tmp: Path) -> Unit:
    status = source.stat()
    name = destination.name
    return Unit(
        verb=first_verb(kind, settings),
        key=str(source),
        kind=kind,
        source=source,
        output=name,
        copy_output=name,
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
        parts_place=tmp.name,
    )


def _done(executor: Executor, first: Unit, stop: Stop, watch: Watch = lambda done, of: None) -> Result:
    """Do all units of an item and return its result.

    Raises:
        ColorizeError: nothing can go on, or a signal came.
    """
    waiting = deque([first])
    assembly: Assembly | None = None
    with closing(executor.answers(lambda: waiting.popleft() if waiting else None, stop)) as answers:
        for unit, answer in answers:
            if isinstance(answer, Alone):
                waiting.append(replace(unit, alone=True))
                continue
            result = _result(answer)
            if unit.verb is Verb.SCAN and result.spans:
                assembly = Assembly(unit, result.spans, seconds=result.seconds)
                waiting.extend(assembly.units())
            elif unit.verb is Verb.PIECE and assembly is not None and result.status in MADE:
                waiting.extend(assembly.add(part_of(unit, result)))
                done = sum(each.span.stop - each.span.start for each in assembly.parts.values())
                watch(done, assembly.spans[-1].stop)
            else:
                return assembly.finished(result) if assembly else result
    raise _Interrupted(stop.code or ExitCode.SIGINT)


class _Interrupted(ColorizeError):
    """A signal came before the item was finished."""

    def __init__(self, code: ExitCode) -> None:
        super().__init__("Stopped; nothing was written.")
        self.exit_code = code  # type: ignore[misc]


def _result(answer: Result | Halt) -> Result:
    if isinstance(answer, Halt):
        raise answer.error
    return answer


def _checked(result: Result, source: Path, destination: Path, *, cannot_copy: bool) -> Result:
    if result.status not in (*MADE, Status.SKIPPED):
        raise InputError(f"{source}: {result.reason}.")
    if cannot_copy and result.status is Status.SKIPPED:
        other = f"give it the suffix {source.suffix}, or " if source.suffix.lower() in FORMATS else ""
        raise InputError(
            f"{source} is already in colour, and a copy cannot be named {destination.name}: {other}colorize it anew "
            "with --on-color recolor."
        )
    return result

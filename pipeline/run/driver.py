"""The driver of a run: lock, plan, work, manifest. It alone writes the journal."""

from __future__ import annotations

import contextlib
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from pipeline import __version__
from pipeline.archive.begin import begin
from pipeline.archive.database import FOLDER, journal_path
from pipeline.archive.discover import discover
from pipeline.archive.hints import HintBook, written_hints
from pipeline.archive.journal import Journal, input_spelling
from pipeline.archive.lock import hold
from pipeline.archive.manifest import check_manifest, write_manifest
from pipeline.archive.moves import finish_moves
from pipeline.archive.names import Naming
from pipeline.archive.places import check_places, source_path
from pipeline.archive.plan import Action, Decision, Plan, Wishes
from pipeline.archive.prune import drop_rejected
from pipeline.archive.recover import check_lost, keep_copy
from pipeline.archive.spelling import unescape
from pipeline.ground import inside
from pipeline.ground.errors import ColorizeError, OutputError
from pipeline.ground.items import Kind, Status
from pipeline.ground.settings import Settings, treated_as
from pipeline.media.film import MISSING
from pipeline.media.table import IN_PIECES, WORKABLE, suffix
from pipeline.run.capacity import wished_jobs
from pipeline.run.choices import read_choices
from pipeline.run.collect import Collector
from pipeline.run.context import Context
from pipeline.run.engine import settle, settled_for
from pipeline.run.executors.executor import Executor
from pipeline.run.executors.loky import Loky
from pipeline.run.executors.serial import Serial
from pipeline.run.forecast import Foreteller, check_space, start_line
from pipeline.run.progress import Progress, problem_line, say, show_progress
from pipeline.run.said import name_unknown
from pipeline.run.signals import Stop, stop_on_signals
from pipeline.run.summary import Summary, exit_code


def list_archive(inputs: Sequence[Path], output: Path, settings: Settings) -> Iterator[Decision]:
    """Say what `run_archive` would do and why, item by item; nothing is written into OUTPUT.

    Raises:
        InputError, OutputError, ModelError: as `run_archive`.
    """
    choices, hints = read_choices(settings.on_color_list), HintBook(written_hints(output))
    net, choice = settle(settings)
    roots = check_places(inputs, output)
    there = journal_path(output).exists()
    with Journal(output, read_only=True) if there else Journal.empty(output) as journal:
        engine = settled_for(journal, choice, settings)
        ahead = Foreteller(settings, journal.film_speed())
        yield from ahead.plan(_plan(Context(inputs, output, roots, settings, net, engine, choices, hints), journal))
    check_space(ahead.told, output)


def run_archive(
    inputs: Sequence[Path], output: Path, settings: Settings, *, bar: bool | None = None, quiet: bool = False
) -> Summary:
    """Colorize an archive, or what is left of it.

    Args:
        inputs: folders and files, only ever read.
        output: folder to fill.
        settings: what was asked for; "auto" is settled here.
        bar: see `show_progress`.
        quiet: errors only.

    Raises:
        SettingsError: the list of single items, or a file of hints, cannot be read or makes no sense.
        ModelError: before anything is written, when no usable net is there.
        InputError: an INPUT cannot be read at all.
        OutputError: OUTPUT cannot be written, or the disk is full; what is finished stays.
        LockedError: another run has OUTPUT.
    """
    choices, hints = read_choices(settings.on_color_list), HintBook(written_hints(output))
    net, choice = settle(settings)
    roots = check_places(inputs, output)  # before OUTPUT is made: a mistyped command leaves nothing behind
    check_manifest(output)
    check_lost(output)
    with hold(output), Journal(output) as journal, stop_on_signals(_announce) as stop:
        engine = settled_for(journal, choice, settings)
        context = Context(inputs, output, roots, settings, net, engine, choices, hints)
        begun = _begin(context, journal, stop, quiet=quiet)
        if begun is None:
            return _summary(context, journal, stop)
        run_id, todo, ahead = begun
        if ahead.told and not quiet:
            say(start_line(ahead.told, _jobs(context, todo), output, measured=ahead.measured))
        with show_progress(todo.total(), bar=bar, quiet=quiet or not todo) as progress:
            return _work(context, journal, stop, run_id, todo, progress)


def _plan(context: Context, journal: Journal) -> Iterator[Decision]:
    settings = context.settings
    folders = discover(
        context.roots, context.output, follow_symlinks=settings.follow_symlinks, exclude=settings.exclude
    )
    wishes = Wishes(
        inputs=input_spelling(context.inputs),
        settings=asdict(settings),
        fingerprints=context.fingerprints,
        version=__version__,
        workable=WORKABLE,
        unworkable=MISSING,
        verify=settings.verify,
        retry_failed=settings.retry_failed,
        replace_edited=settings.replace_edited,
        accept_gone=settings.accept_gone,
        deleted_outputs=settings.deleted_outputs,
        listed=context.fingerprints_of_listed,
        hints=context.hints,
        source_of=lambda key: source_path(context.roots, unescape(key)),
    )
    return iter(Plan(folders, Naming(lambda kind, own: suffix(kind, own, settings)), journal, wishes))


class _Stopped(Exception):
    """A signal came while the plan was drawn: nothing is written."""


def _until_stopped(plan: Iterator[Decision], stop: Stop) -> Iterator[Decision]:
    for decision in plan:
        if stop.requested:
            raise _Stopped
        yield decision


def _telling(plan: Iterator[Decision]) -> Iterator[Decision]:
    """Say, when the plan is drawn, how many finished outputs are made anew because of other settings."""
    anew = hinted = kept = 0
    for decision in plan:
        anew += decision.action is Action.TODO and decision.why == "settings changed"
        hinted += decision.action is Action.TODO and decision.why == "hints changed"
        kept += decision.why.startswith(str(Status.EDITED)) and decision.action is not Action.TODO
        yield decision
    if hinted:
        say(f"{hinted:,} finished outputs are made anew: their hints have changed.")
    if anew:
        also = f"; {kept:,} that somebody has changed since are kept" if kept else ""
        say(f"{anew:,} finished outputs are made anew: settings or model have changed{also}.")


def _begin(
    context: Context, journal: Journal, stop: Stop, *, quiet: bool
) -> tuple[str, Counter[Kind], Foreteller] | None:
    """Write the plan into the journal; return the run's id and what is to be done, or None if it was stopped.

    Raises:
        OutputError: the disk cannot hold the films; nothing was written.
    """
    finish_moves(journal)  # of a run that was killed
    engine, plan = context.engine, _plan(context, journal)
    ahead = Foreteller(context.settings, journal.film_speed())
    try:
        with journal.transaction(durable=True):
            run_id = journal.start_run(
                inputs=context.inputs,
                settings=asdict(context.settings) | {"engine": engine.name, "precision": engine.precision},
                fingerprint=context.fingerprint(Kind.PHOTO),
                version=__version__,
            )
            todo = begin(
                ahead.plan(_until_stopped(plan if quiet else _telling(plan), stop)),
                journal,
                run_id=run_id,
                fingerprint=context.fingerprint,
                on_failure=lambda result: say(problem_line(result)),
            )
            check_space(ahead.told, context.output)
            journal.planned(run_id, todo.total())
        name_unknown(context, journal)
        drop_rejected(journal)
    except _Stopped:
        return None
    finish_moves(journal)
    return run_id, todo, ahead


def _work(
    context: Context, journal: Journal, stop: Stop, run_id: str, todo: Counter[Kind], progress: Progress
) -> Summary:
    jobs = _jobs(context, todo)
    halted: ColorizeError | None
    try:
        with _tmp_dir(context.output, run_id) as tmp_dir:
            executor = _executor(context, jobs, tmp_dir, progress)
            halted = Collector(context, journal, run_id, progress).collect(executor, stop)
    except ColorizeError as error:  # no worker comes up, or the journal cannot be written
        halted = error
    if halted is not None:
        with contextlib.suppress(OutputError):  # the first sentence says what is wrong
            journal.finish_run(run_id, halted.exit_code)
            if journal_path(context.output).exists():  # an OUTPUT that was removed is not made again
                write_manifest(journal, context.output)
        raise halted
    seconds = time.monotonic() - progress.began
    summary = _summary(context, journal, stop, progress.count, todo.total() - progress.count, seconds, jobs)
    journal.finish_run(run_id, summary.exit_code)
    keep_copy(journal)
    if not stop.at_once:
        write_manifest(journal, context.output)
    return summary


def _jobs(context: Context, todo: Counter[Kind]) -> int:
    if context.settings.executor == "serial":
        return 0
    jobs = wished_jobs(context.settings, context.net)
    many = any(treated_as(kind, context.settings) in IN_PIECES for kind in todo)  # one item feeds them all
    return jobs if many else max(1, min(jobs, todo.total()))


def _executor(context: Context, jobs: int, tmp_dir: Path, progress: Progress) -> Executor:
    def on_crash(suspects: int) -> None:
        progress.say(f"A worker process died; {suspects} pictures that were in flight are tried again one by one.")

    job = context.job(tmp_dir)
    return Loky(job, jobs, on_crash=on_crash) if jobs else Serial(job)


@contextlib.contextmanager
def _tmp_dir(output: Path, run_id: str) -> Iterator[Path]:
    """Make this run's folder for unfinished files; those of dead runs go, so their orphans cannot publish."""
    folder = f"{FOLDER}/tmp"
    inside.remove_tree(output, folder)
    mine = output / folder / run_id
    try:
        with inside.opened(output, f"{folder}/{run_id}", make=True):
            pass
    except OSError as error:
        raise OutputError(f"{mine} cannot be made: {error.strerror}.") from None
    try:
        yield mine
    finally:
        inside.remove_tree(output, f"{folder}/{run_id}")  # `tmp` stays: its time says when this run ended


def _summary(
    context: Context,
    journal: Journal,
    stop: Stop,
    worked: int = 0,
    left: int = 0,
    seconds: float = 0.0,
    jobs: int = 0,
) -> Summary:
    counts = journal.counts()
    code = exit_code(counts, stop.code)
    engine, output, doubtful = str(context.engine), context.output, journal.doubtful()
    return Summary(counts, worked, left, seconds, engine, jobs, output, code, stop.requested, doubtful)


def _announce(sentence: str) -> None:
    # Not through the bar: a signal may come in the middle of its drawing, and it holds a lock then.
    with contextlib.suppress(OSError):
        os.write(2, f"\n{sentence}\n".encode())

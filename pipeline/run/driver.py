"""The driver of a run: lock, plan, work, manifest. It alone writes the journal."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

from pipeline import __version__
from pipeline.archive import refused
from pipeline.archive.begin import begin
from pipeline.archive.database import journal_path
from pipeline.archive.decision import Decision
from pipeline.archive.discover import Folder, discover, refuse_filled
from pipeline.archive.hints import HintBook, written_hints
from pipeline.archive.journal import Journal
from pipeline.archive.manifest import check_manifest, is_drawn, note_change, note_drawn, write_manifest
from pipeline.archive.moves import finish_moves, foresee_moves
from pipeline.archive.names import Naming
from pipeline.archive.own import FOLDER, resolved
from pipeline.archive.places import check_places
from pipeline.archive.plan import Plan
from pipeline.archive.prune import drop_rejected
from pipeline.archive.recover import check_lost, keep_copy, keep_fuller_manifest
from pipeline.archive.runs import input_spelling
from pipeline.archive.shard import Shard, refuse_other_share
from pipeline.archive.state import remarks, take_back
from pipeline.archive.taking import taking
from pipeline.archive.wishes import Wishes
from pipeline.ground import inside, shelf
from pipeline.ground.errors import ColorizeError, OutputError, SettingsError
from pipeline.ground.files import words
from pipeline.ground.items import Kind, Result
from pipeline.ground.settings import Settings, treated_as
from pipeline.media.photo.caption import Caption, check_caption
from pipeline.media.photo.credentials import certificate_of
from pipeline.media.reels import MISSING
from pipeline.media.table import IN_PIECES, WORKABLE, suffix
from pipeline.run.capacity import wished_jobs
from pipeline.run.collect import Collector
from pipeline.run.context import Context
from pipeline.run.engine import settle, settled_for
from pipeline.run.executors.executor import Executor
from pipeline.run.executors.fleets import check_executor, on_fleet
from pipeline.run.executors.loky import Loky
from pipeline.run.executors.serial import Serial
from pipeline.run.forecast import Foreteller, check_space, start_line
from pipeline.run.on_color_list import read_list
from pipeline.run.progress import Progress, show_progress
from pipeline.run.rehearsal import Rehearsal, doubles_of
from pipeline.run.report import Anew
from pipeline.run.said import name_unknown
from pipeline.run.signals import Stop, stop_on_signals
from pipeline.run.summary import Summary, exit_code
from pipeline.run.voice import Begun, Voice

_OF_A_RUN: Final = 2  # rows that a run writes of itself when it begins


def _check(output: Path, settings: Settings) -> None:
    """Raise `SettingsError` where settings that name files, or say more than a word, cannot be."""
    far = shelf.of(output) is not None
    if far and settings.keep_times:
        raise SettingsError(f"keep_times: {shelf.name(output)} has times of its own, which cannot be set.")
    if far and settings.series != "off":
        raise SettingsError(f"series = {settings.series!r}: OUTPUT has to lie on a file system, not in a storage.")
    check_caption(Caption(settings.caption, settings.caption_font))
    certificate_of(settings.certificate, settings.certificate_key)
    Shard.parse(settings.shard)
    check_executor(settings)


def list_archive(inputs: Sequence[Path], output: Path, settings: Settings) -> Iterator[Decision]:
    """Say what `run_archive` would do and why, item by item; nothing is written into OUTPUT.

    Raises:
        InputError, OutputError, ModelError: as `run_archive`.
    """
    output = resolved(output)
    _check(output, settings)
    listed, hints = read_list(settings.on_color_list), HintBook(written_hints(output))
    net, choice = settle(settings)
    roots = check_places(inputs, output)
    with Journal.rehearsal(output) as journal, closing(Rehearsal()) as rehearsal:
        foresee_moves(journal)
        engine = settled_for(journal, choice, settings)
        ahead = Foreteller(settings, journal.film_speed())
        context = Context(inputs, output, roots, settings, net, engine, listed, refused.known(journal), hints=hints)
        with journal.transaction():
            run_id, _ = _write(context, journal, rehearsal.keeping(ahead.plan(iter(_plan(context, journal)))))
        yield from rehearsal.told(doubles_of(context, journal, run_id))
    check_space(ahead.told, output)


def run_archive(
    inputs: Sequence[Path],
    output: Path,
    settings: Settings,
    *,
    bar: bool | None = None,
    quiet: bool = False,
    voice: Voice | None = None,
) -> Summary:
    """Colorize an archive, or what is left of it.

    Args:
        inputs: folders and files, only ever read.
        output: folder to fill.
        settings: what was asked for; "auto" is settled here.
        bar: see `show_progress`.
        quiet: errors only.
        voice: whom sentences, outcomes and the end of planning are told; None: stderr alone.

    Raises:
        SettingsError: the list of single items, or a file of hints, cannot be read or makes no sense.
        ModelError: before anything is written, when no usable net is there.
        InputError: an INPUT cannot be read at all.
        OutputError: OUTPUT cannot be written, or the disk is full; what is finished stays.
        LockedError: another run has OUTPUT.
    """
    voice = voice or Voice()
    output = resolved(output)
    _check(output, settings)
    listed, hints = read_list(settings.on_color_list), HintBook(written_hints(output))
    net, choice = settle(settings)
    roots = check_places(inputs, output)  # before OUTPUT is made: a mistyped command leaves nothing behind
    refuse_filled(roots)
    check_manifest(output)
    check_lost(output)
    first = not journal_path(output).exists()
    with taking(output), Journal(output) as journal, stop_on_signals(voice.interrupt) as stop:
        for line in (*remarks(output, first=first), *take_back(output, lambda place: bool(journal.owners(place)))):
            voice.say(line)
        drawn = is_drawn(journal, output, bom=settings.manifest_bom)
        kept = None if drawn else keep_fuller_manifest(journal, output)
        if kept is not None:
            voice.say(f"The manifest has rows that the journal does not know: it is kept as {kept}.")
        engine = settled_for(journal, choice, settings)
        refusal = refused.learn(journal)
        if refusal and not quiet and shelf.of(output) is None:
            voice.say(refusal.sentence())
        context = Context(inputs, output, roots, settings, net, engine, listed, refusal, voice=voice, hints=hints)
        begun = _begin(context, journal, stop, quiet=quiet)
        if begun is None:
            return replace(_summary(context, journal, stop), planned=False)
        run_id, todo, ahead = begun
        if ahead.told and not quiet:
            voice.say(start_line(ahead.told, _jobs(context, todo), output, measured=ahead.measured))
        voice.tell(Begun(todo.total(), str(engine), output))
        with show_progress(todo.total(), bar=bar, quiet=quiet or not todo, voice=voice) as progress:
            return _work(context, journal, stop, run_id, todo, progress)


def _plan(context: Context, journal: Journal) -> Plan:
    settings = context.settings
    shard = Shard.parse(settings.shard)
    refuse_other_share(journal, shard)
    context.hints.complete_by(context.own.completed)
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
        series=settings.series == "folder",
        listed=context.fingerprints_of_listed,
        hints=context.hints,
        source_of=context.source_of,
    )
    naming = Naming(lambda kind, own: suffix(kind, own, settings), context.refused)
    return Plan(_counting_junk(shard.of_folders(folders), context.junk), naming, journal, wishes)


def _counting_junk(folders: Iterator[Folder], junk: Counter[str]) -> Iterator[Folder]:
    for folder in folders:
        junk.update(folder.junk)
        yield folder


class _Stopped(Exception):
    """A signal came while the plan was drawn: nothing is written."""


def _until_stopped(plan: Iterable[Decision], stop: Stop) -> Iterator[Decision]:
    for decision in plan:
        if stop.requested:
            raise _Stopped
        yield decision


def _telling(plan: Iterable[Decision], voice: Voice) -> Iterator[Decision]:
    """Say, when the plan is drawn, how many finished outputs are made anew because of other settings."""
    anew = Anew()
    for decision in plan:
        anew.see(decision)
        yield decision
    for line in anew.lines():
        voice.say(line)


def _begin(
    context: Context, journal: Journal, stop: Stop, *, quiet: bool
) -> tuple[str, Counter[Kind], Foreteller] | None:
    """Write the plan into the journal; return the run's id and what is to be done, or None if it was stopped.

    Raises:
        OutputError: the disk cannot hold the films; nothing was written.
    """
    finish_moves(journal)  # of a run that was killed
    plan = _plan(context, journal)
    ahead = Foreteller(context.settings, journal.film_speed())
    try:
        with journal.transaction(durable=True):
            before = journal.db.total_changes
            decisions = ahead.plan(_until_stopped(plan if quiet else _telling(plan, context.voice), stop))
            run_id, todo = _write(context, journal, decisions, lambda result: _tell(context, journal, result))
            for then in plan.moved():
                journal.move_inputs(then, input_spelling(context.inputs))
            check_space(ahead.told, context.output)
            journal.planned(run_id, todo.total())
            if journal.db.total_changes - before > _OF_A_RUN:
                note_change(journal)
        name_unknown(context, journal)
    except _Stopped:
        return None
    finish_moves(journal)
    for place, why in drop_rejected(journal):
        context.voice.say(f"{place} is not wanted, by a hint, and cannot be removed: {why}.")
    return run_id, todo, ahead


def _write(
    context: Context,
    journal: Journal,
    decisions: Iterable[Decision],
    on_failure: Callable[[Result], None] = lambda result: None,
) -> tuple[str, Counter[Kind]]:
    """Write that a run begins, and what was decided; return its id, and what is to be done."""
    engine = context.engine
    run_id = journal.start_run(
        inputs=context.inputs,
        settings=asdict(context.settings) | {"engine": engine.name, "precision": engine.precision},
        fingerprint=context.fingerprint(Kind.PHOTO),
        version=__version__,
    )
    return run_id, begin(decisions, journal, run_id=run_id, fingerprint=context.fingerprint, on_failure=on_failure)


def _tell(context: Context, journal: Journal, result: Result) -> None:
    context.note_failure(journal, result)
    context.voice.fail(result)


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
                keep_copy(journal)
                write_manifest(journal, context.output, bom=context.bom)
        raise halted
    seconds = time.monotonic() - progress.began
    summary = _summary(context, journal, stop, progress.count, todo.total() - progress.count, seconds, jobs)
    journal.finish_run(run_id, summary.exit_code)
    keep_copy(journal)
    if not stop.at_once and not is_drawn(journal, context.output, bom=context.bom):
        write_manifest(journal, context.output, bom=context.bom)
        note_drawn(journal, context.output, bom=context.bom)
    return summary


def _jobs(context: Context, todo: Counter[Kind]) -> int:
    if context.settings.executor == "serial":
        return 0
    if context.settings.cluster:
        return context.settings.jobs if isinstance(context.settings.jobs, int) else 1  # nobody knows, who may come
    jobs = wished_jobs(context.settings, context.net)
    many = any(treated_as(kind, context.settings) in IN_PIECES for kind in todo)  # one item feeds them all
    return jobs if many else max(1, min(jobs, todo.total()))


def _executor(context: Context, jobs: int, tmp_dir: Path, progress: Progress) -> Executor:
    def on_crash(suspects: int) -> None:
        progress.say(f"A worker process died; {suspects} pictures that were in flight are tried again one by one.")

    job = context.job(tmp_dir, max(1, jobs))
    if not jobs:
        return Serial(job)
    if context.settings.executor == "loky":
        return Loky(job, jobs, on_crash=on_crash)
    return on_fleet(job, jobs, context.inputs, progress.say)


@contextlib.contextmanager
def _tmp_dir(output: Path, run_id: str) -> Iterator[Path]:
    """Make this run's folder for unfinished files; those of dead runs go, so their orphans cannot publish."""
    folder = f"{FOLDER}/tmp"
    mine = output / folder / run_id
    try:
        inside.withdraw(output, folder)
    except OSError as error:
        raise OutputError(f"{output / folder} of an earlier run cannot be removed: {words(error)}.") from None
    try:
        with inside.opened(output, f"{folder}/{run_id}", make=True):
            pass
    except OSError as error:
        raise OutputError(f"{mine} cannot be made: {words(error)}.") from None
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
    untold = journal.untold_problems() - len(context.told_again)
    code = exit_code(counts, stop.code, news=untold > 0 or context.settings.strict)
    engine, output, doubtful = str(context.engine), context.output, journal.doubtful()
    junk = dict(context.junk.most_common())
    return Summary(counts, worked, left, seconds, engine, jobs, output, code, stop.requested, doubtful, junk, untold)

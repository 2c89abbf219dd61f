"""The driver of a run: lock, plan, feed, collect, manifest. It alone writes the journal."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path

from pipeline.archive.discover import Found, discover
from pipeline.archive.journal import FOLDER, Journal, journal_path
from pipeline.archive.lock import hold
from pipeline.archive.manifest import check_manifest, write_manifest
from pipeline.archive.names import output_names
from pipeline.archive.places import check_places
from pipeline.archive.plan import Item, Plan, begin, plan, remove_superseded
from pipeline.archive.spelling import escape
from pipeline.errors import ColorizeError, ExitCode, InputError, OutputError
from pipeline.nets.spec import NetSpec
from pipeline.run import crew
from pipeline.run.capacity import automatic_jobs
from pipeline.run.engine import settle_engine
from pipeline.run.progress import Progress, show_progress
from pipeline.run.signals import Stop, stop_on_signals
from pipeline.settings import Settings, fingerprint
from pipeline.work import Job, Outcome, Task

MANIFEST_EVERY = 60.0  # seconds

NO_FILMS = "a film: this version colorizes photographs only"


@dataclass(frozen=True, slots=True)
class Summary:
    """What came of a run.

    Attributes:
        counts: items of OUTPUT by status, earlier runs' included.
        worked: items that got an outcome from a worker in this run.
        left: items that were to be done and have no outcome: the run was stopped.
        seconds: from the first item's start to the last one's end.
        engine: such as "opencv/float32".
        jobs: worker processes; 0 for the serial executor.
        output: OUTPUT.
        exit_code: of the command.
        stopped: a signal ended the run.
    """

    counts: dict[str, int]
    worked: int
    left: int
    seconds: float
    engine: str
    jobs: int
    output: Path
    exit_code: ExitCode
    stopped: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of a dry run; `action` as in `archive.plan.Item`."""

    key: str
    kind: str
    action: str
    why: str
    output: str


@dataclass(frozen=True, slots=True)
class Listing:
    """What a run would do."""

    items: list[Listed]


def list_archive(inputs: Sequence[Path], output: Path, settings: Settings) -> Listing:
    """Say what `run_archive` would do and why; nothing is written into OUTPUT.

    Raises:
        InputError, OutputError, ModelError: as `run_archive`.
    """
    settings, net = settle_engine(settings, output)
    with contextlib.ExitStack() as stack:
        journal = None
        if journal_path(output).exists():
            journal = stack.enter_context(Journal(output, read_only=True))
        drawn = _plan(inputs, output, settings, net, journal, Stop())
    items = []
    for item in drawn.items:
        place = item.names.output if item.names and item.action == "todo" else ""
        items.append(Listed(item.found.key, item.found.kind, item.action, item.why, escape(place)))
    return Listing(items)


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
        ModelError: before anything is written, when no usable net is there.
        InputError: an INPUT cannot be read at all.
        OutputError: OUTPUT cannot be written, or the disk is full; what is finished stays.
        LockedError: another run has OUTPUT.
    """
    settings, net = settle_engine(settings, output)
    check_places(inputs, output)  # before OUTPUT is made: a mistyped command leaves nothing behind
    check_manifest(output)
    with hold(output), Journal(output) as journal, stop_on_signals(_announce) as stop:
        drawn = _plan(inputs, output, settings, net, journal, stop)
        if stop.requested:
            return _summary(journal, output, settings, 0, 0, 0.0, 0, stop)
        return _Night(inputs, output, settings, net, journal, stop).work(drawn, bar=bar, quiet=quiet)


def _announce(sentence: str) -> None:
    # Not through the bar: a signal may come in the middle of its drawing, and it holds a lock then.
    with contextlib.suppress(OSError):
        os.write(2, f"\n{sentence}\n".encode())


def _plan(
    inputs: Sequence[Path], output: Path, settings: Settings, net: NetSpec, journal: Journal | None, stop: Stop
) -> Plan:
    known = journal.kind_if_unchanged if journal else None
    walk = discover(inputs, output, follow_symlinks=settings.follow_symlinks, exclude=settings.exclude, known=known)
    found: list[Found] = []
    for each in walk:
        if stop.requested:
            return Plan()
        found.append(each)
    drawn = plan(
        found,
        output_names(found, f".{settings.format}"),
        journal,
        fingerprint=_fingerprint(settings, net),
        output=output,
        inputs=inputs,
        verify=settings.verify,
        retry_failed=settings.retry_failed,
    )
    drawn.items = [_without_films(item) for item in drawn.items]
    return drawn


def _without_films(item: Item) -> Item:
    if item.found.kind != "film" or item.action != "todo":
        return item
    found = item.found
    outcome = Outcome(found.key, "unsupported", reason=NO_FILMS, source_size=found.size, source_mtime_ns=found.mtime_ns)
    return replace(item, action="record", why=f"unsupported: {NO_FILMS}", outcome=outcome)


def _label(settings: Settings) -> str:
    return f"{settings.engine}/{settings.precision}"


def _fingerprint(settings: Settings, net: NetSpec) -> str:
    return fingerprint(settings, model_sha256=net.sha256, engine_label=_label(settings))


class _Night:
    """One run at work: what all its steps need."""

    def __init__(
        self, inputs: Sequence[Path], output: Path, settings: Settings, net: NetSpec, journal: Journal, stop: Stop
    ) -> None:
        self.inputs, self.output, self.settings, self.net = inputs, output, settings, net
        self.journal, self.stop = journal, stop
        self.fingerprint = _fingerprint(settings, net)
        self.manifest_at = time.monotonic()

    def work(self, drawn: Plan, *, bar: bool | None, quiet: bool) -> Summary:
        todo = {item.found.key: item for item in drawn.todo()}
        run_id = self.journal.start_run(
            inputs=self.inputs,
            settings=asdict(self.settings),
            fingerprint=self.fingerprint,
            version=version("colorize"),
            planned=len(todo),
        )
        begin(drawn, self.journal, run_id=run_id, fingerprint=self.fingerprint)
        jobs = self._jobs(len(todo))
        worked, seconds = 0, 0.0
        with self._tmp_dir(run_id) as tmp_dir, show_progress(len(todo), bar=bar, quiet=quiet or not todo) as progress:
            for item in drawn.items:
                if item.outcome is not None and item.outcome.status == "failed":
                    _say_problem(progress, item.outcome)
            job = Job(self.settings, self.net, tmp_dir, os.getpid())
            try:
                halted = self._collect(todo, self._outcomes(todo, job, jobs, progress), run_id, progress)
            except ColorizeError as error:  # no worker comes up, or the journal cannot be written
                halted = error
            worked, seconds = progress.count, time.monotonic() - progress.began
        if halted is not None:
            with contextlib.suppress(OutputError):  # the first sentence says what is wrong
                self.journal.finish_run(run_id, halted.exit_code)
                if journal_path(self.output).exists():  # an OUTPUT that was removed is not made again
                    write_manifest(self.journal, self.output)
            raise halted
        summary = _summary(
            self.journal, self.output, self.settings, worked, len(todo) - worked, seconds, jobs, self.stop
        )
        self.journal.finish_run(run_id, summary.exit_code)
        if not self.stop.at_once:
            write_manifest(self.journal, self.output)
        return summary

    def _jobs(self, todo: int) -> int:
        if self.settings.executor == "serial":
            return 0
        wanted = self.settings.jobs
        jobs = wanted if isinstance(wanted, int) else automatic_jobs(self.net.path.stat().st_size)
        return max(1, min(jobs, todo))

    @contextlib.contextmanager
    def _tmp_dir(self, run_id: str) -> Iterator[Path]:
        """Make this run's folder for unfinished files; those of dead runs go, so their orphans cannot publish."""
        folder = self.output / FOLDER / "tmp"
        shutil.rmtree(folder, ignore_errors=True)
        mine = folder / run_id
        try:
            mine.mkdir(parents=True)
        except OSError as error:
            raise OutputError(f"{mine} cannot be made: {error.strerror}.") from None
        try:
            yield mine
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _outcomes(self, todo: dict[str, Item], job: Job, jobs: int, progress: Progress) -> Generator[Outcome]:
        tasks = (self._task(item) for item in todo.values())
        if jobs == 0:
            return crew.serial(tasks, job, self.stop)

        def on_crash(suspects: int) -> None:
            progress.say(f"A worker process died; {suspects} pictures that were in flight are tried again one by one.")

        return crew.loky(tasks, job, self.stop, jobs=jobs, on_crash=on_crash)

    def _task(self, item: Item) -> Task:
        assert item.names is not None, "photos have names"
        return Task(
            key=item.found.key,
            source=item.found.source,
            output=self.output / item.names.output,
            copy_output=self.output / item.names.copy_output,
        )

    def _collect(
        self, todo: dict[str, Item], outcomes: Generator[Outcome], run_id: str, progress: Progress
    ) -> ColorizeError | None:
        """Record each outcome as it comes; return what ended the run early, if anything did."""
        halted: ColorizeError | None = None
        with contextlib.closing(outcomes):
            for outcome in outcomes:
                halt = outcome.halt or (self._input_gone() if outcome.status == "vanished" else None)
                if halt is not None:
                    halted = halted or halt
                    self.stop.code = self.stop.code or halted.exit_code  # nothing more is begun
                    continue
                item = todo[outcome.key]
                self.journal.record(outcome, kind=item.found.kind, fingerprint=self.fingerprint, run_id=run_id)
                remove_superseded(item, outcome, self.output)
                problem = outcome.status in ("failed", "crashed")
                if problem:
                    _say_problem(progress, outcome)
                progress.step(problem=problem)
                self._manifest_when_due()
        return halted

    def _input_gone(self) -> ColorizeError | None:
        """Tell a file that went from a disk that did: then the other ten thousand have not vanished."""
        for path in self.inputs:
            try:
                gone = path.is_dir() and not any(path.iterdir())
            except OSError:
                gone = True
            if gone or not path.exists():
                return InputError(f"{path} is gone, or empty all of a sudden: bring it back and run again.")
        return None

    def _manifest_when_due(self) -> None:
        if time.monotonic() - self.manifest_at >= MANIFEST_EVERY:
            write_manifest(self.journal, self.output)
            self.manifest_at = time.monotonic()


def _say_problem(progress: Progress, outcome: Outcome) -> None:
    progress.say(f"{outcome.status}: {outcome.key}: {outcome.reason}")


def _summary(
    journal: Journal, output: Path, settings: Settings, worked: int, left: int, seconds: float, jobs: int, stop: Stop
) -> Summary:
    counts = journal.counts()
    problems = counts.get("failed", 0) + counts.get("crashed", 0)
    code = stop.code if stop.code is not None else ExitCode.SOME_FAILED if problems else ExitCode.OK
    return Summary(counts, worked, left, seconds, _label(settings), jobs, output, ExitCode(code), stop.requested)

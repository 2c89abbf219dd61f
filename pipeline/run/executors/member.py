"""What runs in the workers of a cluster: looks at its host, gets ready for a run, does units."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import stat
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pipeline import __version__
from pipeline.archive.state import reached
from pipeline.ground import heap, shelf
from pipeline.ground.errors import ColorizeError, ModelError, OutputError
from pipeline.ground.files import replacing, words
from pipeline.ground.gather import TEST_PREFIX
from pipeline.ground.homes import user_cache
from pipeline.ground.items import Answer, Halt, Unit
from pipeline.ground.storage import Origin
from pipeline.media.medium import Job
from pipeline.media.own_net import OwnNet
from pipeline.nets.content import content, digest, read_file
from pipeline.nets.engines.catalogue import library, package_version
from pipeline.nets.spec import NetSpec
from pipeline.run.capacity import budget_of
from pipeline.run.executors import lease as leases
from pipeline.run.executors.child import be_hurt
from pipeline.run.worker import Worker

_KEPT_NETS: Final = 8  # beside those of a run: a net that is being trained is another one each day


class Stranger(Exception):
    """A unit for a lease that this process does not know: it took the place of one that died."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a worker is asked when it joins a run.

    Attributes:
        job: the run's, its folder is the lease.
        roots: INPUTs, absolute.
        variables: of the environment, which tests set.
    """

    job: Job
    roots: tuple[Path, ...]
    variables: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Report:
    """What a worker found on its host.

    Attributes:
        host: its name.
        version: of this program there, and of the engine's package.
        problem: why it cannot work, as the second half of a sentence; empty: it can.
        memory: bytes that all workers on this host may take; None: not known.
        lacks: hashes of the job's nets whose files are not there.
    """

    host: str
    version: tuple[str, str]
    problem: str = ""
    memory: int | None = None
    lacks: frozenset[str] = frozenset()


def versions(job: Job) -> tuple[str, str]:
    """Return the version of this program, and that of the engine's package; empty where it is not installed."""
    return __version__, package_version(library(job.engine.name))


def variables_of_tests() -> Mapping[str, str]:
    """Return what tests have set in this process's environment."""
    return {name: value for name, value in os.environ.items() if name.startswith(TEST_PREFIX)}


# What a process is ready for: by lease, since several runs may share a cluster. Units are done one at a time, however
# many threads the engine has: what a decoder says of damage is heard for the whole process.
_ready: dict[Path, Worker] = {}
_turn = threading.Lock()


def look(ticket: Ticket) -> Report:
    """Look whether this host sees what the driver sees; never raises."""
    for name in variables_of_tests():
        del os.environ[name]
    os.environ.update(ticket.variables)
    for lease in [each for each in _ready if not each.is_dir()]:  # of runs whose driver was killed
        del _ready[lease]
    job = ticket.job
    report = Report(socket.gethostname(), versions(job))
    problem = _unseen(ticket)
    if problem:
        return replace(report, problem=problem)
    lacks = frozenset(net.sha256 for net in job.nets if _net_here(net) is None)
    return replace(report, memory=budget_of(job.settings), lacks=lacks)


def shared_by_all(job: Job) -> str:
    """Return what must be a folder of all workers, as the end of a sentence."""
    if job.shelf is None:
        return "OUTPUT must be a folder that all workers share"
    return "the state folder must be one that all workers share; --state names it"


def _unseen(ticket: Ticket) -> str:
    lease = ticket.job.tmp_dir
    try:
        leases.answer(lease)
    except OSError as error:
        return f"cannot write and read {lease} ({words(error)}): {shared_by_all(ticket.job)}"
    shelf.stand(ticket.job.output, ticket.job.shelf)
    if problem := reached(ticket.job.output):
        return problem
    for root in ticket.roots:
        far = isinstance(root, Origin)
        try:
            if stat.S_ISDIR(root.stat().st_mode) and not far and next(iter(os.scandir(root)), None) is None:
                return f"finds {root} empty: INPUT must be a folder that all workers see"
        except OSError as error:
            wanted = "each worker needs access to it" if far else "INPUT must be a folder that all workers see"
            return f"cannot read {root} ({words(error)}): {wanted}"
        except ColorizeError as error:
            return f"cannot read {root}: {str(error).rstrip('.')}"
    return ""


def enter(job: Job, weights: Path) -> str:
    """Load the net, from this host's own files or from where the driver laid them; return why not, or nothing."""
    try:
        net, own = _at_hand(job.net, weights), tuple(_own_at_hand(each, weights) for each in job.own)
        _forget_all_but(net.sha256, *(each.spec.sha256 for each in own if each.spec))
        heap.keep()
        with _turn:
            _ready[job.tmp_dir] = Worker(replace(job, net=net, own=own))
    except ColorizeError as error:
        return f"cannot load the net: {error}"
    except OSError as error:
        return f"cannot keep the net: {words(error)}"
    except Exception as error:
        return f"cannot load the net: {type(error).__name__}: {error}"
    return ""


def _kept(net: NetSpec) -> NetSpec:
    """Return a net whose files lie in this user's cache, under its hash; they need not be there."""
    folder = user_cache() / "weights" / net.sha256
    suffixes = [path.suffix if path else "" for path in (net.path, net.prototxt, net.points)]
    first, prototxt, points = (folder / f"{number}{suffix}" for number, suffix in enumerate(suffixes))
    return replace(net, path=first, prototxt=net.prototxt and prototxt, points=net.points and points)


def _net_here(net: NetSpec) -> NetSpec | None:
    """Return the net with paths at which its files, with its hash, are on this host."""
    for spec in (net, _kept(net)):
        try:
            content(spec)
        except ModelError:
            continue
        if spec is not net:
            with contextlib.suppress(OSError):
                os.utime(spec.path.parent)
        return spec
    return None


def _at_hand(net: NetSpec, weights: Path) -> NetSpec:
    """Return a net whose files are on this host, brought there if need be; raises `OSError`, `ModelError`."""
    return _net_here(net) or _fetched(net, weights / net.sha256)


def _own_at_hand(own: OwnNet, weights: Path) -> OwnNet:
    """Return the net of single pictures as it is on this host; what is wrong with it they say, and they alone."""
    try:
        return replace(own, spec=own.spec and _at_hand(own.spec, weights))
    except ModelError as error:
        return OwnNet(own.model, problem=str(error))
    except OSError as error:
        return OwnNet(own.model, problem=f"It cannot be kept on {socket.gethostname()}: {words(error)}.")


def _fetched(net: NetSpec, laid: Path) -> NetSpec:
    """Bring a net's files into this user's cache; raises `OSError`, `ModelError`."""
    kept = _kept(net)
    paths = [path for path in (kept.path, kept.prototxt, kept.points) if path is not None]
    found = [read_file(laid / str(number)) for number in range(len(paths))]
    if digest(net.form, *found) != net.sha256:
        raise ModelError("its files arrived damaged.")
    kept.path.parent.mkdir(parents=True, exist_ok=True)
    for path, data in zip(paths, found, strict=True):
        with replacing(path) as file:
            file.write(data)
    return kept


def _forget_all_but(*needed: str) -> None:
    """Remove from this user's cache nets that were brought there and that no run has asked for lately."""
    with contextlib.suppress(OSError):
        folders = [each for each in (user_cache() / "weights").iterdir() if each.name not in needed]
        for old in sorted(folders, key=lambda each: each.stat().st_mtime)[:-_KEPT_NETS]:
            shutil.rmtree(old, ignore_errors=True)


def do(lease: Path, number: int, unit: Unit) -> Answer:
    """Do a unit, which the driver knows by its number.

    Raises:
        Stranger: this process is not ready for that, or its lease was taken away.
    """
    with _turn:
        worker = _ready.get(lease)
        if worker is None:
            raise Stranger
        try:
            leases.begin(lease, number)
        except FileNotFoundError:
            raise Stranger from None
        except OSError as error:
            return Halt(OutputError(f"The output cannot be written: {words(error)}."))
        be_hurt(unit)
        return worker.do(unit)


def leave(lease: Path) -> None:
    """Forget a run: its net takes memory."""
    with _turn:
        _ready.pop(lease, None)


def absolute(job: Job, roots: Sequence[Path | Origin]) -> tuple[Job, tuple[Path | Origin, ...]]:
    """Return a job and INPUTs whose paths mean the same in any working folder."""
    settings, net = job.settings, job.net
    settings = replace(
        settings,
        certificate=_absolute(settings.certificate),
        certificate_key=_absolute(settings.certificate_key),
        caption_font=_absolute(settings.caption_font),
    )
    own = tuple(replace(each, spec=each.spec and _found_anywhere(each.spec)) for each in job.own)
    output, tmp_dir = Path(_absolute(job.output)), Path(_absolute(job.tmp_dir))
    made = replace(job, settings=settings, net=_found_anywhere(net), output=output, tmp_dir=tmp_dir, own=own)
    return made, tuple(root if isinstance(root, Origin) else Path(_absolute(root)) for root in roots)


def _found_anywhere(net: NetSpec) -> NetSpec:
    return replace(
        net,
        path=Path(_absolute(net.path)),
        prototxt=net.prototxt and Path(_absolute(net.prototxt)),
        points=net.points and Path(_absolute(net.points)),
    )


def _absolute(path: Path | str) -> str:
    return os.path.abspath(path) if str(path) else ""  # noqa: PTH100 - it follows no link

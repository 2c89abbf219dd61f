"""The workers of a cluster as a run knows them: who has joined, what each has in hand, who was lost."""

from __future__ import annotations

import contextlib
import itertools
import queue
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from pipeline.ground.errors import ClusterError, ModelError, OutputError
from pipeline.ground.items import Unit
from pipeline.media.medium import Job
from pipeline.nets.spec import NetSpec
from pipeline.run.capacity import shared
from pipeline.run.executors import member as on_worker
from pipeline.run.executors.fleet import Fleet, Lost, Member
from pipeline.run.executors.lease import Leases
from pipeline.run.executors.member import Report, Ticket

# Units in the hands of a worker: one at work, one waiting, so that none idles while the driver writes.
LOOK_AHEAD: Final = 2

# So many workers may die before they are ready, one after the other, until the run ends: no picture is to blame then.
STILLBORN: Final = 3

_GOODBYE: Final = 2.0  # seconds


@dataclass(eq=False, slots=True)
class Flight:
    """A unit on its way.

    Attributes:
        unit: it.
        blames: workers that have died at it.
        host: where the last of them was; empty: none was.
        solo: nothing waits behind it, since it is to be alone on its host.
        deadline: of the clock of `Remote`; None as long as it waits.
        number: nobody else has it.
    """

    unit: Unit
    blames: int = 0
    host: str = ""
    solo: bool = False
    deadline: float | None = None
    number: int = field(default_factory=itertools.count().__next__)


@dataclass(eq=False, slots=True)
class Hand:
    """One worker.

    Attributes:
        member: it, as the fleet knows it.
        lease: its folder for unfinished files.
        report: what it has found; None until then.
        ready: its net is loaded.
        proven: it has answered a unit.
        gone: it was lost, or is not used any more.
        flying: its units, the first at work.
    """

    member: Member
    lease: Path
    report: Report | None = None
    ready: bool = False
    proven: bool = False
    gone: bool = False
    flying: deque[Flight] = field(default_factory=deque)

    @property
    def host(self) -> str:
        """Where it is, for a sentence."""
        known = self.report.host if self.report else ""
        return f"{known} ({self.member.host})" if known and known != self.member.host else self.member.host

    @property
    def has_room(self) -> bool:
        """Whether it may be given a unit more."""
        solo = any(flight.solo for flight in self.flying)
        return self.ready and not self.gone and not solo and len(self.flying) < LOOK_AHEAD


class Crew:
    """Greets workers, sends them units, and notices who is lost."""

    def __init__(
        self, fleet: Fleet, job: Job, roots: Sequence[Path], say: Callable[[str], None], most: int | None = None
    ) -> None:
        """Take a fleet, the job with INPUTs, whom sentences are told, and how many workers are used at most."""
        self._job, self._roots = on_worker.absolute(job, roots)
        self._versions = on_worker.versions(self._job)
        self.leases = Leases(self._job.output, self._job.tmp_dir)
        self._fleet, self._say, self._most = fleet, say, most
        self.hands: dict[str, Hand] = {}
        self.free: dict[Hand, None] = {}  # those with room, in the order in which they had it
        self._landed: queue.SimpleQueue[tuple[Hand, Flight | None, Future[Any]]] = queue.SimpleQueue()
        self._done_with: set[str] = set()  # members that are not used (any more)
        self._told: set[str] = set()
        self._stillborn = 0
        self.flying = 0  # units in their hands

    @property
    def greeting(self) -> int:
        """How many are here that are not ready yet."""
        return sum(not hand.ready for hand in self.hands.values())

    @property
    def place(self) -> str:
        """Where the workers are, for a sentence."""
        return self._fleet.place

    def welcome(self) -> list[Hand]:
        """Greet workers that are new; return those that have gone, their units still in hand.

        Raises:
            ClusterError: the engine is gone.
            OutputError: no folder can be made for them.
        """
        members = self._fleet.members()
        for name, found in members.items():
            if name in self.hands or name in self._done_with:
                continue
            if self._most is not None and len(self.hands) >= self._most:
                break
            hand = self.hands[name] = Hand(found, self.leases.grant())
            job = replace(self._job, tmp_dir=hand.lease)
            self._ask(hand, "greet", on_worker.look, Ticket(job, self._roots, on_worker.variables_of_tests()))
        return [hand for name, hand in list(self.hands.items()) if name not in members]

    def _ask(self, hand: Hand, label: str, function: Callable[..., Any], *arguments: Any) -> None:
        self._watch(hand, None, self._fleet.call(hand.member.name, label, function, *arguments))

    def _watch(self, hand: Hand, flight: Flight | None, future: Future[Any]) -> None:
        future.add_done_callback(lambda done: self._landed.put((hand, flight, done)))

    def send(self, hand: Hand, flight: Flight) -> None:
        """Give a worker a unit."""
        hand.flying.append(flight)
        self.flying += 1
        if not hand.has_room:
            self.free.pop(hand, None)
        unit = replace(flight.unit, source=flight.unit.source.absolute())
        label = f"{unit.verb} {unit.key}"
        call = self._fleet.call(hand.member.name, label, on_worker.do, hand.lease, flight.number, unit)
        self._watch(hand, flight, call)

    def landed(self, seconds: float, *, strict: bool = False) -> Iterator[tuple[Hand, Flight, Future[Any]]]:
        """Wait a moment for answers; answers to greetings are dealt with here.

        Args:
            seconds: to wait at most.
            strict: a worker that cannot work ends the run, instead of being left out.

        Raises:
            ClusterError: `strict`, and one cannot; or workers die before they are ready.
        """
        found = self._next(seconds)
        while found is not None:
            hand, flight, future = found
            if not hand.gone:
                if flight is None:
                    self._greeted(hand, future, strict=strict)
                else:
                    yield hand, flight, future
            found = self._next(0)

    def _next(self, seconds: float) -> tuple[Hand, Flight | None, Future[Any]] | None:
        with contextlib.suppress(queue.Empty):
            return self._landed.get(timeout=seconds) if seconds else self._landed.get_nowait()
        return None

    def has_landed(self, hand: Hand, flight: Flight) -> None:
        """Take a unit that was answered from a worker's hands."""
        hand.flying.remove(flight)
        self.flying -= 1
        hand.proven = True
        if hand.has_room:
            self.free[hand] = None

    def _greeted(self, hand: Hand, future: Future[Any], *, strict: bool) -> None:
        error = future.exception()
        if isinstance(error, Lost):
            self.give_up(hand)
            self._stillborn += 1
            if self._stillborn >= STILLBORN:
                raise ClusterError(
                    f"The worker processes of {self.place} die before they take a picture (out of memory, or killed by "
                    f"something), the last one on {hand.host}."
                )
        elif error is not None:
            self.dismiss(hand, f"cannot run this program ({type(error).__name__}: {error})", strict=strict)
        elif hand.report is None:
            self._reported(hand, future.result(), strict=strict)
        elif future.result():
            self.dismiss(hand, future.result(), strict=strict)
        else:
            self._stillborn = 0
            hand.ready = True
            self.free[hand] = None

    def _reported(self, hand: Hand, report: Report, *, strict: bool) -> None:
        hand.report = report
        ours = self._versions
        if report.version[0] != ours[0]:
            problem = f"has version {report.version[0]} of this program, and this machine {ours[0]}"
        elif not report.problem and not self.leases.is_answered(hand.lease):
            wanted = on_worker.shared_by_all(self._job)
            problem = f"writes {hand.lease}, but not where this machine reads it: {wanted}"
        else:
            problem = report.problem
        if problem:
            self.dismiss(hand, problem, strict=strict)
            return
        if report.version[1] != ours[1]:
            self._once(
                f"{hand.host} has {self._job.engine.name} {report.version[1] or 'of no version'}, this machine "
                f"{ours[1]}: outputs may differ in their last bits by where they were made."
            )
        for net in self._job.nets:
            if net.sha256 in report.lacks:
                self._lay_out(net)
        job = replace(self._job, tmp_dir=hand.lease, memory=self._memory(hand, report))
        self._ask(hand, "load", on_worker.enter, job, self.leases.weights)

    def _lay_out(self, net: NetSpec) -> None:
        try:
            self.leases.lay_out(net)
        except ModelError:
            if net is self._job.net:
                raise
            # A picture's own net that went: that picture fails, and says it.

    def _memory(self, hand: Hand, report: Report) -> Any:
        beside = Counter(each.member.host for each in self.hands.values())[hand.member.host]
        memory = shared(report.memory, self._job.settings, self._job.net, max(1, beside))
        own = shared(hand.member.limit, self._job.settings, self._job.net, 1) if hand.member.limit else memory
        return replace(memory, share=min(memory.share, own.share), whole=min(memory.whole, own.whole))

    def at_work(self, hand: Hand) -> Flight | None:
        """Return what a worker has begun and not answered, by its own note; what stands before it, it has finished."""
        number = self.leases.at(hand.lease)
        return next((flight for flight in hand.flying if flight.number == number), None)

    def give_up(self, hand: Hand, *, end: bool = False) -> None:
        """Use a worker no more, and see that it publishes nothing more; `end`: it is busy, and is to be ended."""
        hand.gone = True
        self.flying -= len(hand.flying)
        self.hands.pop(hand.member.name, None)
        self.free.pop(hand, None)
        self._done_with.add(hand.member.name)
        self.leases.revoke(hand.lease)
        if end:
            self._fleet.end(hand.member.name)

    def dismiss(self, hand: Hand, problem: str, *, strict: bool = False) -> None:
        """Use a worker no more that cannot do its work; raises `ClusterError` if `strict`."""
        self.give_up(hand)
        sentence = f"The worker on {hand.host} {problem}."
        if strict:
            raise ClusterError(sentence)
        self._once(f"{sentence} It is left out.")

    def name_late(self) -> None:
        """Say, when all is done, which workers were still trying whether they can work: they may be of no use."""
        for hand in self.hands.values():
            if hand.report is None:
                self._once(
                    f"The worker on {hand.host} has done nothing: when all else was done it was still trying whether "
                    "it reaches INPUT and OUTPUT. See whether it does before the next run."
                )

    def _once(self, sentence: str) -> None:
        if sentence not in self._told:
            self._told.add(sentence)
            self._say(sentence)

    def close(self) -> None:
        """Let all go: those that still have a unit are ended and can publish it no more, the others forget the run."""
        goodbyes = []
        for hand in list(self.hands.values()):
            if hand.flying:
                with contextlib.suppress(OutputError):  # the run's own folder goes next
                    self.give_up(hand, end=True)
            elif hand.ready:
                goodbyes.append(self._fleet.call(hand.member.name, "leave", on_worker.leave, hand.lease))
        wait_for(goodbyes, timeout=_GOODBYE)
        self._fleet.close()

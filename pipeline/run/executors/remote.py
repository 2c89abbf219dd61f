"""Units in workers of a cluster that come and go, and what happens when one of them dies, hangs or loses its disk."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from pipeline.ground.errors import Cause, ClusterError, ColorizeError, ModelError, OutputError
from pipeline.ground.items import Answer, Halt, Result, Seen, Status, Unit
from pipeline.media.medium import Job
from pipeline.run import limits
from pipeline.run.executors.crew import LOOK_AHEAD, Crew, Flight, Hand
from pipeline.run.executors.executor import TOGETHER, Take, crashed
from pipeline.run.executors.fleet import Fleet, Lost
from pipeline.run.executors.member import Stranger
from pipeline.run.signals import Stop
from pipeline.run.worker import failure

# How often the driver looks whether a signal came while all workers are busy, in seconds.
GLANCE: Final = 0.25

# How long those that are there at the start have to get ready before the others begin without them, in seconds.
MUSTER: Final = 20.0

# How long a run waits where no worker is, at the start or because all have gone, in seconds.
PATIENCE: Final = 300.0
SAY_AFTER: Final = 5.0


class Remote:
    """Implements `Executor`.

    What was in the hands of a lost worker is done by others. The unit that was at work there is blamed, goes to another
    host where there is one, and ends as `crashed` when a second worker is lost at it.
    """

    def __init__(
        self,
        job: Job,
        fleet: Callable[[], Fleet],
        roots: Sequence[Path],
        *,
        say: Callable[[str], None] = lambda sentence: None,
        most: int | None = None,
    ) -> None:
        """Take the job, what opens the fleet, INPUTs, whom sentences are told, how many workers are used at most."""
        self._job, self._fleet, self._roots, self._say, self._most = job, fleet, roots, say, most
        self._round: _Round | None = None

    @property
    def at_hand(self) -> int:
        """See `Executor.at_hand`."""
        return self._round.at_hand if self._round else 0

    def answers(self, take: Take, stop: Stop) -> Generator[tuple[Unit, Answer]]:
        """See `Executor.answers`; also raises `ClusterError`."""
        first = take()
        if first is None:  # nothing is opened
            return
        crew = Crew(self._fleet(), self._job, self._roots, self._say, self._most)
        try:
            self._round = _Round(crew, self._job, take, stop, self._say)
            yield from self._round.answers(first)
            if not stop.requested:
                crew.name_late()
        finally:
            crew.close()


class _Round:
    """One run of units through a crew."""

    def __init__(self, crew: Crew, job: Job, take: Take, stop: Stop, say: Callable[[str], None]) -> None:
        self._crew, self._job, self._take, self._stop, self._say = crew, job, take, stop, say
        self._clock = limits.Awake()
        self._held = deque[Flight]()  # taken, and in nobody's hands
        self._again = deque[Flight]()  # blamed for a lost worker: to be tried on another host
        self._alone: dict[str, Flight] = {}  # by host, what is to have its memory for itself
        self._patience = limits.Patience(self._clock)
        self._empty_since: float | None = None
        self._waiting_said = False
        self.at_hand = 0  # see `Executor.at_hand`

    def answers(self, first: Unit) -> Generator[tuple[Unit, Answer]]:
        self._held.append(Flight(first))
        self._muster()
        looked = float("-inf")
        while not self._stop.at_once and not self._patience.is_over(self._stop):
            if self._clock.now() - looked > GLANCE:  # of thousands of workers, not after each answer
                looked = self._clock.now()
                yield from self._late()
                for hand in self._crew.welcome():
                    yield from self._lost(hand)
            self._feed()
            if not self._crew.flying and (self._stop.requested or not self._is_more()):
                return
            self._be_patient()
            yield from self._landed()

    def _muster(self) -> None:
        began = self._clock.now()
        while not self._stop.requested:
            self._crew.welcome()
            for _ in self._crew.landed(GLANCE, strict=True):
                pass
            if self._crew.free and (not self._crew.greeting or self._clock.now() - began > MUSTER):
                return
            self._be_patient()

    def _be_patient(self) -> None:
        """Wait for workers where there is none, but not for ever."""
        now = self._clock.now()
        if self._stop.requested or any(hand.ready for hand in self._crew.hands.values()):
            self._empty_since, self._waiting_said = None, False
            return
        self._empty_since = now if self._empty_since is None else self._empty_since
        waited = now - self._empty_since
        if waited > PATIENCE:
            raise ClusterError(
                f"No worker of {self._crew.place} can be had for {waited:.0f} s; the same command goes on."
            )
        if waited > SAY_AFTER and not self._waiting_said:
            self._waiting_said = True
            busy = f" ({self._crew.greeting} are getting ready)" if self._crew.greeting else ""
            self._say(f"Waiting for a worker of {self._crew.place}{busy}.")

    def _is_more(self) -> bool:
        if not (self._held or self._again or self._alone):
            unit = self._take()
            if unit is not None:
                self._held.append(Flight(unit))
        return bool(self._held or self._again or self._alone)

    # Who gets what.

    def _feed(self) -> None:
        for depth in range(LOOK_AHEAD):  # all have one before any has two
            for hand in [hand for hand in self._crew.free if len(hand.flying) <= depth]:
                if self._stop.requested:
                    return
                flight = self._for(hand)
                if flight is not None:
                    self._crew.send(hand, flight)
                    self._lift(hand)

    def _for(self, hand: Hand) -> Flight | None:
        if hand.member.host in self._alone:
            return self._alone_for(hand)
        if self._again and (suspect := self._suspect_for(hand)) is not None:
            return suspect
        flight = self._held.popleft() if self._held else self._taken()
        if flight is not None and flight.unit.alone:
            flight.solo = True
            self._alone[hand.member.host] = flight
            return self._alone_for(hand)
        return flight

    def _taken(self) -> Flight | None:
        unit = self._take()
        return None if unit is None else Flight(unit)

    def _alone_for(self, hand: Hand) -> Flight | None:
        """Return what is to have a host's memory for itself, once all there are idle; it stays noted until it lands."""
        flight = self._alone[hand.member.host]
        beside = [each for each in self._crew.hands.values() if each.member.host == hand.member.host]
        return None if any(each.flying for each in beside) else flight

    def _suspect_for(self, hand: Hand) -> Flight | None:
        hosts = {each.member.host for each in self._crew.hands.values() if each.ready}
        for flight in self._again:
            if flight.host != hand.member.host or hosts <= {flight.host}:
                self._again.remove(flight)
                return flight
        return None

    def _lift(self, hand: Hand) -> None:
        """Let the time of the unit that is at work begin."""
        if hand.flying and hand.flying[0].deadline is None:
            start = 0.0 if hand.proven else limits.START
            head = hand.flying[0]
            head.deadline = self._clock.now() + start + limits.limit(head.unit, self._job.settings)

    # What comes back.

    def _landed(self) -> Iterator[tuple[Unit, Answer]]:
        answered = deque[tuple[Unit, Answer]]()
        try:
            for found in self._crew.landed(GLANCE):
                answered.extend(self._answered(*found))
                if len(answered) >= TOGETHER:
                    yield from self._given(answered)
        except ColorizeError:
            yield from self._given(answered)
            raise
        yield from self._given(answered)

    def _given(self, answered: deque[tuple[Unit, Answer]]) -> Iterator[tuple[Unit, Answer]]:
        while answered:
            self.at_hand = len(answered) - 1
            yield answered.popleft()

    def _answered(self, hand: Hand, flight: Flight, future: Future[Any]) -> Iterator[tuple[Unit, Answer]]:
        error = future.exception()
        if isinstance(error, Lost | Stranger):
            yield from self._lost(hand)
            return
        self._crew.has_landed(hand, flight)
        self._lift(hand)
        if self._alone.get(hand.member.host) is flight:
            del self._alone[hand.member.host]
        answer = _answer(flight.unit, future)
        if self._is_of_its_host(hand, flight, answer):
            self._crew.dismiss(hand, f"has lost what it works on ({_words(answer)})")
            self._come_back([replace(flight, blames=flight.blames + 1, host=hand.member.host), *hand.flying])
        else:
            yield flight.unit, answer

    def _lost(self, hand: Hand) -> Iterator[tuple[Unit, Answer]]:
        """Give a worker up, blame the unit at work, and let others do what it had in hand."""
        guilty = self._crew.at_work(hand)
        self._crew.give_up(hand)
        self._free_host(hand)
        if guilty is not None:
            guilty.blames += 1
            guilty.host = hand.member.host
        if guilty is not None and guilty.blames > 1:
            yield guilty.unit, crashed(guilty.unit)
        elif guilty is not None and not self._stop.requested:
            self._say(f"A worker on {hand.host} was lost; what it was working on is tried once more elsewhere.")
        self._come_back([flight for flight in hand.flying if flight.blames <= 1])

    def _free_host(self, hand: Hand) -> None:
        flight = self._alone.get(hand.member.host)
        others = any(each.member.host == hand.member.host for each in self._crew.hands.values())
        if flight is not None and (flight in hand.flying or not others):
            del self._alone[hand.member.host]
            if flight not in hand.flying:
                self._held.append(flight)

    def _come_back(self, flights: Sequence[Flight]) -> None:
        for flight in flights:
            flight.deadline, flight.solo = None, False
            (self._again if flight.blames and not flight.unit.alone else self._held).append(flight)

    def _is_of_its_host(self, hand: Hand, flight: Flight, answer: Answer) -> bool:
        """Tell a fault of one host, whose disk or net is gone, from one that all would meet."""
        if flight.blames or not any(each.ready and each is not hand for each in self._crew.hands.values()):
            return False
        if isinstance(answer, Halt):
            if isinstance(answer.error, OutputError):
                return self._crew.leases.can_write()
            return isinstance(answer.error, ModelError)
        if isinstance(answer, Result) and (answer.status is Status.VANISHED or answer.cause is Cause.FOLDER_GONE):
            return flight.unit.source.exists()
        return False

    def _late(self) -> Iterator[tuple[Unit, Answer]]:
        now = self._clock.now()
        for hand in list(self._crew.hands.values()):
            if not hand.flying or hand.flying[0].deadline is None or hand.flying[0].deadline > now:
                continue
            late = self._crew.at_work(hand) or hand.flying[0]
            if late.deadline is None:  # what was before it is done: its answer alone does not come
                late.deadline = now + limits.limit(late.unit, self._job.settings)
            if late.deadline <= now:
                self._crew.give_up(hand, end=True)
                self._free_host(hand)
                self._come_back([flight for flight in hand.flying if flight is not late])
                yield late.unit, limits.too_long(late.unit, self._job.settings)


def _answer(unit: Unit, future: Future[Any]) -> Answer:
    error = future.exception()
    if isinstance(error, Exception):
        return failure(unit.key, error, Seen())
    answer: Answer = future.result()
    return answer


def _words(answer: Answer) -> str:
    return str(answer.error).rstrip(".") if isinstance(answer, Halt) else getattr(answer, "reason", "")

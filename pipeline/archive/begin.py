"""The plan's decisions written into the journal, before any work begins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from pipeline.archive.decision import Action, Decision
from pipeline.archive.journal import Journal
from pipeline.archive.moves import arrange, follow, inherit
from pipeline.archive.schema import Claim
from pipeline.ground.errors import Cause
from pipeline.ground.items import Kind, Result, Status


def begin(
    plan: Iterable[Decision],
    journal: Journal,
    *,
    run_id: str,
    fingerprint: Callable[[Kind, str], str],
    on_failure: Callable[[Result], None],
) -> Counter[Kind]:
    """Record what the plan settles, and claim the names of all that is to be done; inside a transaction of the caller.

    The claims are on the disk before any work begins: after a power cut a finished file without a row is known as
    ours.

    Args:
        plan: taken one by one; nothing is kept.
        journal: open to write.
        run_id: of this run.
        fingerprint: of this run's settings, by kind and key.
        on_failure: told of each item that fails without a worker, before that is recorded.

    Returns:
        How many items are to be done, by kind.
    """
    todo: Counter[Kind] = Counter()
    held: dict[str, Kind] = {}
    begun = journal.left()[0] > 0
    for decision in plan:
        found, names = decision.found, decision.names
        kind = found.kind or Kind.OTHER
        if begun and found.path and decision.action in (Action.DONE, Action.KEEP):
            journal.settle(found.key)
        if not found.path and found.key in held and decision.action in (Action.MARK, Action.KEEP):
            todo[held.pop(found.key)] -= 1
            journal.keep(found.key)
        if decision.action is Action.FORGET:
            journal.forget([found.key])
        elif decision.action is Action.MOVE and decision.result is not None:
            todo[follow(journal, found.key, decision.result)] -= 1
        elif decision.action is Action.RENEW and decision.result is not None:
            inherit(journal, found.key, decision.result.key)
        elif decision.action is Action.MARK and decision.result is not None:
            journal.mark(found.key, decision.result.status, decision.result.reason, decision.result.cause)
        elif decision.adopt is not None:
            journal.unmark(found.key)
            times = (found.size, found.mtime_ns, decision.adopt)
            journal.adopt(found.key, times, fingerprint=fingerprint(kind, found.key), run_id=run_id)
        elif decision.result is not None:
            if decision.result.status is Status.FAILED:
                on_failure(decision.result)
            if decision.result.cause is Cause.IN_THE_WAY and journal.withdraw(found.key, run_id):
                todo[kind] -= 1
            journal.put(decision.result, kind=kind, fingerprint=fingerprint(kind, found.key), run_id=run_id)
        elif decision.action in (Action.TODO, Action.HOLD) and names is not None:
            claim = Claim(
                found.key, kind, names.output, names.copy_output, found.size, found.mtime_ns, stood=decision.stood
            )
            journal.claim(claim, run_id=run_id)
            todo[kind] += 1
            if decision.action is Action.HOLD:
                held[found.key] = kind
    arrange(journal)
    journal.dispossess(run_id)
    return todo

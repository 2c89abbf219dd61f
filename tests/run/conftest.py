"""What the tests of runs share: clusters, and a count of what workers did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from pipeline.ground.items import Unit, Verb
from pipeline.run.worker import Worker
from tests.run import clusters
from tests.run.executor_bench import ON_CLUSTERS


@pytest.fixture(scope="session")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """Give the address of a cluster of an executor's, begun once; empty for those that need none."""
    found: dict[str, str] = {}
    with ExitStack() as stack:

        def address(executor: str) -> str:
            if executor not in found:
                begin = clusters.BEGIN[executor]
                found[executor] = stack.enter_context(begin(str(tmp_path_factory.mktemp(executor))))
            return found[executor]

        yield lambda executor: address(executor) if executor in ON_CLUSTERS else ""


@pytest.fixture
def verbs(monkeypatch: pytest.MonkeyPatch) -> Counter[Verb]:
    """How many units of each verb a worker did."""
    done: Counter[Verb] = Counter()
    do = Worker.do

    def counted(self: Worker, unit: Unit) -> object:
        done[unit.verb] += 1
        return do(self, unit)

    monkeypatch.setattr(Worker, "do", counted)
    return done

"""The whole main job over ten pictures, on a disk that fails at the n-th call: none lost, nothing wrong in silence."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.disk.disk import FAULTS, Disk, Fault


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory, tiny_net: Path, user_cache: Path) -> Iterator[Disk]:
    made = Disk(tmp_path_factory.mktemp("faults"), tiny_net, user_cache)
    yield made
    made.close()


def test_calls_of_every_room_are_met(disk: Disk) -> None:
    """The harness sees what it is to disturb: sources, outputs, unfinished files and SQLite's."""
    met = {disk.survives(FAULTS[0], nth).what for nth in (3, disk.calls(FAULTS[0]) // 2)}
    assert all(met)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_few_faults(disk: Disk, fault: Fault) -> None:
    calls = disk.calls(fault)
    assert calls > 300
    for nth in random.Random(calls).sample(range(1, calls + 1), 2):
        disk.survives(fault, nth)


@pytest.mark.soak
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_at_every_call(disk: Disk, fault: Fault) -> None:
    calls, codes, bad = disk.calls(fault), Counter[int](), list[str]()
    for nth in range(1, calls + 1):
        try:
            codes[disk.survives(fault, nth).code] += 1
        except AssertionError as error:
            bad.append(f"{nth}: {error}")
    print(f"{fault.name}: {calls} calls, exit codes {dict(codes)}")
    assert not bad, "\n".join(bad)

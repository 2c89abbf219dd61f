"""What a worker keeps between two pictures it does not have to be given anew."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pipeline.ground import heap

FAULTS = """
import resource, sys
import numpy as np
from pipeline.ground import heap
if sys.argv[1] == "kept" and not heap.keep():
    sys.exit(9)
def picture():
    parts = [np.ones(7 << 20, np.uint8) for _ in range(3)]
for _ in range(3):
    picture()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    picture()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _faults(how: str) -> int:
    run = subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=False)
    if run.returncode == 9:
        pytest.skip("the allocator of this system is not glibc's")
    assert run.returncode == 0, run.stderr
    return int(run.stdout)


def test_buffers_that_were_freed_are_used_again_without_a_page_fault() -> None:
    assert _faults("kept") < 100 <= _faults("left")


def test_giving_back_never_fails() -> None:
    heap.give_back()

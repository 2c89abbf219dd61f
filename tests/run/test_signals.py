"""The first signal asks, the second insists."""

from __future__ import annotations

import os
import signal

import pytest

from pipeline.ground.errors import ExitCode
from pipeline.run.signals import stop_on_signals


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, ExitCode.SIGINT), (signal.SIGTERM, ExitCode.SIGTERM)])
def test_first_asks_second_insists(number: int, code: ExitCode) -> None:
    before = signal.getsignal(number)
    said: list[str] = []
    with stop_on_signals(said.append) as stop:
        assert not stop.requested
        os.kill(os.getpid(), number)
        assert stop.requested
        assert not stop.at_once
        assert stop.code == code
        os.kill(os.getpid(), number)
        assert stop.at_once
    assert len(said) == 1
    assert signal.getsignal(number) is before

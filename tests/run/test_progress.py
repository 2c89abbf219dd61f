"""The plain lines of a run without a terminal."""

from __future__ import annotations

import pytest

from pipeline.run.progress import Progress, duration, show_progress


def test_a_line_each_minute_and_no_more(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    progress = Progress(total=600, clock=lambda: now[0])
    for second in range(130):
        now[0] = float(second)
        progress.step(problem=second == 5)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("61 of 600 done, 1 failed, 1.0 pictures/s, about 9 min left")


def test_quiet_still_says_errors(capsys: pytest.CaptureFixture[str]) -> None:
    with show_progress(3, quiet=True) as progress:
        progress.say("a.jpg: truncated")
        progress.step(problem=True)
    assert capsys.readouterr().err == "a.jpg: truncated\n"


@pytest.mark.parametrize(("seconds", "words"), [(4, "4 s"), (89, "89 s"), (720, "12 min"), (11100, "3 h 05 min")])
def test_duration_as_a_person_says_it(seconds: float, words: str) -> None:
    assert duration(seconds) == words

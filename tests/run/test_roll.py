"""Who is there of a fleet, and what becomes of the calls to those that are lost."""

from __future__ import annotations

import pytest

from pipeline.run.executors.fleet import Lost, Member
from pipeline.run.executors.roll import Roll


def test_open_calls_of_who_leaves_are_lost_and_the_finished_ones_are_not() -> None:
    roll = Roll()
    roll.expect("one")
    roll.join(Member("one", "here"))
    open_, back = roll.begin("one"), roll.begin("one")
    back.set_result(3)
    roll.finish("one", back)
    roll.leave("one")
    assert back.result(timeout=0) == 3
    with pytest.raises(Lost):
        open_.result(timeout=0)
    assert roll.members() == {}


def test_a_call_to_who_is_not_there_is_lost_at_once() -> None:
    roll = Roll()
    with pytest.raises(Lost):
        roll.begin("nobody").result(timeout=0)


def test_who_is_lost_before_it_came_up_does_not_join() -> None:
    roll = Roll()
    roll.expect("one")
    early = roll.begin("one")
    roll.leave("one")
    roll.join(Member("one", "here"))
    assert roll.members() == {}
    assert isinstance(early.exception(timeout=0), Lost)


def test_an_answer_that_comes_as_its_worker_leaves_is_kept() -> None:
    roll = Roll()
    roll.expect("one")
    call = roll.begin("one")
    call.set_result("done")
    roll.leave("one")
    assert call.result(timeout=0) == "done"

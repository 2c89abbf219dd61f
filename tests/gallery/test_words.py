"""Names and numbers on a page: nothing steers, nothing is markup."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ground.errors import Cause
from pipeline.web.gallery.words import ADVICE, escaped, link, script, shown


@given(st.text())
def test_a_script_is_ascii_without_markup_and_says_the_same(text: str) -> None:
    made = script([text])
    assert made.isascii()
    assert not set("<>&") & set(made)
    assert json.loads(made) == [text]


@given(st.text(st.characters(codec="utf-8")))
def test_escaped_text_holds_no_markup_and_nothing_that_steers(text: str) -> None:
    made = escaped(text)
    assert not set("<>\"'") & set(made)
    assert not [each for each in made if ord(each) < 32 or each in "\u202a\u202b\u202c\u202d\u202e\u2028\u2029\u200f"]


def test_what_steers_is_shown_by_its_code() -> None:
    assert shown("a\u202egpj.exe\n") == "a\\u202egpj.exe\\u000a"
    assert shown("Müller 二.jpg") == "Müller 二.jpg"


def test_figures_that_are_none_never_reach_a_page() -> None:
    with pytest.raises(ValueError):
        script([float("nan")])


def test_links_are_bytes() -> None:
    assert link("a b/#1?%.jpg") == "a%20b/%231%3F%25.jpg"
    assert link(os.fsdecode(b"caf\xe9")) == "caf%E9"
    assert link("javascript:alert(1)") == "javascript%3Aalert%281%29"


def test_every_cause_has_its_advice() -> None:
    assert set(Cause) - {Cause.NONE} == set(ADVICE)

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.archive.spelling import escape, fold, readable, unescape

raw_names = st.binary(min_size=1, max_size=12).map(os.fsdecode)
tricky = st.lists(st.sampled_from([b"\\", b"x", b"e9", b"\xe9", b"\xc3\xa9", b"a", b"\n"]), max_size=8).map(
    lambda parts: os.fsdecode(b"".join(parts))
)


@given(raw_names | tricky)
def test_every_path_is_spelled_in_utf8_and_comes_back(path: str) -> None:
    spelled = escape(path)
    assert spelled.encode("utf-8").decode("utf-8") == spelled
    assert unescape(spelled) == path


def test_a_usual_name_stays_as_it_is() -> None:
    assert escape("Straße\\alt\n1.jpg") == "Straße\\alt\n1.jpg"


def test_a_byte_and_its_spelling_are_two_names() -> None:
    assert escape(os.fsdecode(b"caf\xe9.jpg")) == r"caf\xe9.jpg"
    assert escape(r"caf\xe9.jpg") == r"caf\\xe9.jpg"


def test_names_that_some_file_system_confuses_fold_alike() -> None:
    assert fold("E\u0301TE\u0301.JPG") == fold("été.jpg")
    assert fold("Straße") == fold("STRASSE")
    assert fold("a.jpg") != fold("b.jpg")


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("Müller 東京", "Müller 東京"),
        (os.fsdecode(b"caf\xe9"), r"caf\xe9"),
        ("\ud800ä\udce9", "\\ud800ä\\udce9"),
        (r"\xe9", r"\xe9"),
    ],
)
def test_what_is_told_can_be_read_by_whoever_takes_utf_8(text: str, seen: str) -> None:
    assert readable(text) == seen
    assert readable(text).encode("utf-8")

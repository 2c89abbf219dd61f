"""The shape of the house: few arrows between rooms, small files, short functions, and a page that tells the truth."""

from __future__ import annotations

import re
from statistics import median

import pytest

pytest.importorskip("grimp", reason="comes with import-linter; extra: dev")

from tools.house import CHECKOUT, SOURCES, arrows, lines_of_files, lines_of_functions

PAGE = (CHECKOUT / "docs" / "architecture.md").read_text(encoding="utf-8")
WALKS = PAGE.partition("## Three walks")[2]
MOST_ARROWS = 31  # 36 when the house was one of files; one more wants a reason


def test_arrows_between_rooms_do_not_become_more() -> None:
    found = arrows()
    assert len(found) <= MOST_ARROWS, found
    assert len({one for one, _ in found}) > 7, "so many rooms import something"


def test_files_and_functions_stay_small() -> None:
    files, functions = lines_of_files(), lines_of_functions()
    assert {name: lines for name, lines in files.items() if lines > 400} == {}
    assert len(functions) > 1000
    assert median(functions.values()) <= 10


def rows() -> dict[str, str]:
    """From a room to what the page says it knows."""
    return dict(re.findall(r"^\| `(\w+)/` \| (.*) \|$", PAGE, re.MULTILINE))


def is_in(room: str, name: str) -> bool:
    """Whether a room has a file or folder of that name, or the name is another room's, or a package's beside it."""
    known = name in rows() or (CHECKOUT / name).is_dir()
    return known or any((CHECKOUT / "pipeline" / room).rglob(f"{name}*"))


def test_the_page_has_a_row_for_each_room() -> None:
    folders = {path.parent.name for path in (CHECKOUT / "pipeline").glob("*/__init__.py")}
    assert rows().keys() == folders


def test_what_the_rows_name_is_in_its_room() -> None:
    named = [(room, name) for room, text in rows().items() for name in re.findall(r"`(\w+)/?`", text)]
    assert len(named) > 40
    assert [each for each in named if not is_in(*each)] == []


def test_what_is_to_be_added_has_its_place() -> None:
    """The table of CONTRIBUTING.md names files that are there, and in the last of them before it each name it says."""
    text = (CHECKOUT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## Where to add")[2]
    named = re.findall(r"`([\w./]+/[\w.]*|\w+\.toml)`", text.partition("\n## ")[0])
    assert len(named) > 15
    assert [name for name in named if not (CHECKOUT / name).exists()] == []


def test_the_walks_go_through_code_that_is_there() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    steps = re.findall(r"`([\w.]+)(?:\([^`]*\))?`", WALKS)
    assert len(steps) > 30
    assert [step for step in steps if not re.search(rf"\b{step.rpartition('.')[2]}\b", code)] == []


def test_the_page_is_one_page_with_one_picture_and_walks_of_ten_lines() -> None:
    assert PAGE.count("```") == 2
    walks = re.split(r"\n\n(?=\*\*)", WALKS.strip())
    assert [len(walk.splitlines()) <= 10 for walk in walks] == [True] * 3

from __future__ import annotations

import os
import posixpath
import random
import unicodedata
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.archive.discover import Folder, Found
from pipeline.archive.names import Names, Naming
from pipeline.archive.spelling import escape
from pipeline.ground.items import Kind


def name(*places: str, suffix: str = ".jpg") -> dict[str, str]:
    """The output of each place."""
    return {key: names.output for key, names in both(*places, suffix=suffix).items()}


def both(*places: str, suffix: str = ".jpg") -> dict[str, Names]:
    naming = Naming(lambda kind, own: ".mp4" if kind is Kind.FILM else suffix)
    names: dict[str, Names] = {}
    for folder in tree(places):
        names |= naming.names(folder)
    return names


def tree(places: Sequence[str]) -> list[Folder]:
    """The folders of an archive, each before those in it."""
    folders = {"": Folder("")}
    for place in places:
        above = ""
        for part in place.split("/")[:-1]:
            inside = posixpath.join(above, part)
            if inside not in folders:
                folders[above].folders.append(part)
                folders[inside] = Folder(inside)
            above = inside
        kind = Kind.FILM if place.endswith(".avi") else Kind.PHOTO
        folders[above].files.append(Found(place, place, escape(place), kind))
    return list(folders.values())


def same_file(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def test_mirrors_folders_and_changes_the_suffix() -> None:
    assert name("a/b/1.tif", "a/1.JPG", "2") == {"a/b/1.tif": "a/b/1.jpg", "a/1.JPG": "a/1.jpg", "2": "2.jpg"}
    assert both("a/b/1.tif")["a/b/1.tif"].copy_output == "a/b/1.tif"


def test_equal_stems_keep_their_own_suffixes() -> None:
    names = both("a.jpg", "a.png", "b.jpg", suffix=".png")
    assert names["a.jpg"] == Names("a.jpg.png", "a.jpg")
    assert names["a.png"] == Names("a.png.png", "a.png")
    assert names["b.jpg"] == Names("b.png", "b.jpg")


def test_photo_and_film_of_one_stem_do_not_meet() -> None:
    assert name("a.jpg", "a.avi") == {"a.jpg": "a.jpg", "a.avi": "a.mp4"}


def test_dates_and_titles_are_no_suffixes() -> None:
    names = name("Oma 12.5.1931", "Mr. Smith", "scan.001", "scan.002")
    assert list(names.values()) == ["Oma 12.5.1931.jpg", "Mr. Smith.jpg", "scan.001.jpg", "scan.002.jpg"]


@pytest.mark.parametrize(
    "places",
    [
        ("a.jpg", "A.jpg"),
        ("a.jpg", "A.JPG", "a.Jpg"),
        ("é.jpg", "e\u0301.jpg"),
        ("straße.jpg", "STRASSE.jpg"),
        ("a.jpg", "a.png", "a.png.jpg"),
        ("a.jpg", "a.png", "a.png.jpg", "a.png.jpg.jpg", "a.jpg.jpg"),
        ("x.png", "x.jpg/1.png"),
        ("x.png", "X.JPG/1.png", "x.png.jpg/1.png"),
        ("Box/1.jpg", "box/1.jpg"),
        ("Box/1.jpg", "box/2.jpg", "BOX/deep/1.jpg"),
        ("é/1.jpg", "e\u0301/1.jpg"),
        ("manifest.csv", "a.png"),
        ("manifest.csv/1.jpg", "MANIFEST.CSV"),
        (".colorize/1.jpg", ".Colorize/1.jpg"),
        ("n" * 251 + ".jpg", "n" * 251 + ".png", "n" * 255),
        ("ü" * 125 + ".jpg", "ü" * 124 + "u.tiff", "ü" * 127),
        (os.fsdecode(b"\xe9.jpg"), r"\xe9.jpg", os.fsdecode(b"\xe9.png")),
    ],
)
def test_nothing_meets(places: tuple[str, ...]) -> None:
    check(list(places), ".jpg")


def test_a_tag_comes_from_the_name_alone() -> None:
    alone = name("A.jpg", "a.jpg")
    assert name("A.jpg", "a.jpg", "b.jpg", "B.jpg")["a.jpg"] == alone["a.jpg"]


part = st.text(st.sampled_from("aAéE\u0301ßSs.j~ "), min_size=1, max_size=4).filter(lambda text: text.strip("."))
ending = st.sampled_from(["", ".jpg", ".JPG", ".png", ".jpg.png", ".png.jpg", ".jpg.jpg", ".avi"])
place = st.builds(
    lambda folders, stem, end: posixpath.join(*folders, stem + end), st.lists(part, max_size=2), part, ending
)


@given(st.lists(place, unique=True, max_size=12), st.sampled_from([".jpg", ".png"]))
def test_any_archive(places: list[str], suffix: str) -> None:
    folders = {posixpath.dirname(each) for each in places}
    above = {posixpath.dirname(folder) for folder in folders} | folders
    check([each for each in places if each not in above], suffix)


def check(places: list[str], suffix: str) -> None:
    names = both(*places, suffix=suffix)
    assert len(names) == len(places)
    shuffled = random.Random(1).sample(places, len(places))
    assert both(*shuffled, suffix=suffix) == names
    taken = {"manifest.csv": "", ".colorize": ""}
    folder_spellings: dict[str, str] = {}
    for key, each in names.items():
        for path in {each.output, each.copy_output}:
            assert taken.setdefault(same_file(path), key) == key, path
            assert all(0 < len(os.fsencode(one)) <= 255 for one in path.split("/"))
            folder = posixpath.dirname(path)
            while folder:
                assert folder_spellings.setdefault(same_file(folder), folder) == folder
                folder = posixpath.dirname(folder)
    assert not set(folder_spellings) & set(taken)
    sources = {posixpath.dirname(each) for each in places}
    targets = {posixpath.dirname(each.output) for each in names.values()}
    assert len(targets) == len(sources)

"""What a person says of single pictures: files of hints, what the plan makes of them, decisions of a page."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.archive.hinting import import_decisions, merge_decisions
from pipeline.archive.hints import HintBook, entries_of, written_hints
from pipeline.archive.journal import Journal
from pipeline.archive.prune import drop_rejected
from pipeline.ground.errors import InputError, OutputError, SettingsError
from pipeline.ground.hints import NO_HINTS, Hints, Stroke, hints_of
from pipeline.ground.items import Kind

if TYPE_CHECKING:
    from tests.archive.conftest import Archive

BLUE = {"x": 0.4, "y": 0.25, "color": "#3a5f8a"}
POINT = 'points = [{ x = 0.4, y = 0.25, color = "#3a5f8a" }]\n'


def test_an_entry_becomes_hints() -> None:
    entry = {
        "decision": "approved",
        "saturation": 1,
        "warmth": -0.5,
        "quality": 80,
        "points": [BLUE],
        "strokes": [{"path": [[0, 0], [1, 1]], "color": "#FFFFFF", "reach": 2}],
        "grey": [[[0, 0], [1, 0], [1, 1]]],
        "note": "coat",
        "rating": 5,
        "sha256": "a" * 64,
    }
    first = Stroke((0x3A, 0x5F, 0x8A), ((0.4, 0.25),))
    second = Stroke((255, 255, 255), ((0, 0), (1, 1)), 2)
    corner = (((0, 0), (1, 0), (1, 1)),)
    assert hints_of(entry, "x") == Hints("approved", 1.0, -0.5, 80, (first, second), corner, "a" * 64)
    assert hints_of({}, "x") == NO_HINTS


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"points": [BLUE | {"x": 1.2}]}, r"points: \[1.2, 0.25\] is outside of the picture"),
        ({"points": [BLUE | {"y": -0.1}]}, "outside of the picture"),
        ({"points": [BLUE | {"x": True}]}, "outside of the picture"),
        ({"points": [BLUE | {"x": float("nan")}]}, "outside of the picture"),
        ({"points": [BLUE | {"color": "blue"}]}, '"blue" is not a colour such as "#3a5f8a"'),
        ({"points": [BLUE | {"color": "#3a5f8g"}]}, "is not a colour"),
        ({"points": [BLUE | {"size": 3}]}, "does not have x, y, color"),
        ({"points": [{"x": 0.5}]}, "does not have x, y, color"),
        ({"points": BLUE}, "is not a list"),
        ({"points": [BLUE] * 101}, "is not a list of 0 to 100"),
        ({"strokes": [{"path": [], "color": "#ffffff"}]}, "is not a list of 1 to"),
        ({"grey": [[[0, 0], [1, 1]]]}, "is not a list of 3 to"),
        ({"grey": [[[0, 0], [1, 1], [0, 2]]]}, "outside of the picture"),
        ({"saturation": 4}, "saturation: 4 is not a number from 0 to 3"),
        ({"warmth": "warm"}, '"warm" is not a number from -1 to 1'),
        ({"quality": 90.5}, "is not a whole number from 1 to 100"),
        ({"decision": "aproved"}, "is not approved, rejected or left-grey"),
        ({"colour": "#ffffff"}, 'there is no hint "colour"'),
        ({"point": []}, 'Did you mean "points"'),
        ({"model": ""}, "is not the name of a model, nor the path of its file"),
        ({"model": 7}, "7 is not the name of a model"),
        ({"model": "nets/own.onnx"}, "give the whole path of a file"),
        ({"points": [BLUE | {"x": float("inf")}]}, "outside of the picture"),
        ({"saturation": float("nan")}, "is not a number from 0 to 3"),
        ({"saturation": -1}, "-1 is not a number from 0 to 3"),
        ({"quality": -5}, "-5 is not a whole number from 1 to 100"),
        ({"sha256": "12"}, "is not a sha256"),
    ],
)
def test_what_makes_no_sense_is_one_sentence_that_says_where(entry: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        hints_of(entry, 'hints.toml, "a.jpg"')
    sentence = str(caught.value)
    assert sentence.startswith('hints.toml, "a.jpg": ')
    assert "\n" not in sentence
    assert len(sentence) < 250


def test_only_what_changes_bytes_is_in_the_mark() -> None:
    assert Hints("approved", sha256="a").mark == Hints("rejected").mark == ""
    entries: list[dict[str, Any]] = [
        {"saturation": 0.0}, {"saturation": 1.0}, {"warmth": 0.1}, {"quality": 95}, {"decision": "left-grey"},
        {"points": [BLUE]}, {"points": [BLUE | {"reach": 2}]}, {"points": [BLUE, BLUE]},
        {"strokes": [{"path": [[0, 0]], "color": "#3a5f8a"}]}, {"grey": [[[0, 0], [1, 0], [1, 1]]]},
        {"palette": "vivid"}, {"model": "vivid"}, {"model": "/a/net.onnx"}, {"model": "vivid", "palette": "vivid"},
    ]  # fmt: skip
    marks = [hints_of(entry, "x").mark for entry in entries]
    assert len({"", *marks}) == len(entries) + 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('["a.jpg"\n', "is not valid TOML"),
        ('["a.jpg"]\n["a.jpg"]\n', "is not valid TOML"),
        ("saturation = 1\n", '"saturation" stands outside of an entry'),
        ('["sha256:12"]\n', '"sha256:12" is not sha256: and 64 digits'),
        ('["a.jpg"]\nsaturation = 9\n', '"a.jpg": saturation: 9 is not a number'),
        ('["a.jpg"]\nwarmth = nan\n', '"a.jpg": warmth: NaN is not a number'),
        ('["a.jpg"]\nwarmth = 0\nwarmth = 1\n', "is not valid TOML"),
        ("x = " + 5000 * "[", "brackets in too many brackets"),
    ],
)
def test_a_broken_file_is_one_sentence_and_nothing_is_lost(archive: Archive, text: str, said: str) -> None:
    archive.put("1.jpg")
    archive.run()
    archive.put("2.jpg")
    archive.put("hints.toml", text.encode())
    with pytest.raises(SettingsError, match=said):
        archive.run()
    assert archive.statuses() == {"1.jpg": "done"}
    with pytest.raises(SettingsError, match=said):
        entries_of(text.encode(), "hints.toml")


def test_the_example_of_the_docs_is_one() -> None:
    page = (Path(__file__).parents[2] / "docs" / "hints.md").read_text(encoding="utf-8")
    entries = entries_of(page.split("```toml\n")[1].split("```")[0].encode(), "docs/hints.md")
    assert len(entries) == 4
    assert {hints_of(entry, name).decision for name, entry in entries.items()} == {"", "approved", "left-grey"}


def test_a_file_that_is_not_utf_8_is_said() -> None:
    with pytest.raises(SettingsError, match="is not valid TOML"):
        entries_of(b'["\xe9.jpg"]\n', "hints.toml")


def test_a_pipe_or_a_disk_that_fails_is_no_archive_without_hints(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "hints.toml")
    with pytest.raises(OutputError, match="is a pipe or a device, and no file"):
        written_hints(tmp_path)


def test_a_link_is_not_followed_out_of_output(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text('["a.jpg"]\n')
    (tmp_path / "hints.toml").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match="a symbolic link is in the way"):
        written_hints(tmp_path)


def test_changed_hints_redo_that_picture_alone(archive: Archive) -> None:
    for name in ("1.jpg", "box/2.jpg", "box/3.jpg"):
        archive.put(name)
    archive.run()
    hints = archive.put("box/hints.toml", b'["2.jpg"]\n' + POINT.encode())
    book = HintBook()
    assert archive.why(hints=book) == {
        "1.jpg": ("done", "done before"),
        "box/2.jpg": ("todo", "hints changed"),
        "box/3.jpg": ("done", "done before"),
        "box/hints.toml": ("record", "skipped: hints of the pictures here, which were read"),
    }
    assert book.mark("box/2.jpg", Kind.PHOTO)
    assert book.mark("box/2.jpg", Kind.FILM) == "", "points are not for films"
    assert book.unused() == []
    hints.write_text('["2.jpg"]\nnote = "nice"\n')
    assert archive.counts(hints=HintBook()) == {"done": 3, "record": 1}


def hinted(archive: Archive, text: str) -> HintBook:
    return HintBook(entries_of(text.encode(), "hints.toml"))


def run(archive: Archive, text: str, **options: Any) -> list[str]:
    """Run with these hints; return what was made."""
    archive.made.clear()
    book = hinted(archive, text)
    archive.run(hints=book, marks=book, **options)
    with Journal(archive.output) as journal:
        drop_rejected(journal)
    return archive.made


def test_hints_that_were_used_are_known_by_their_mark(archive: Archive) -> None:
    archive.put("1.jpg")
    archive.put("2.jpg")
    run(archive, "")
    assert run(archive, f'["1.jpg"]\n{POINT}') == ["1.jpg"]
    assert run(archive, f'["1.jpg"]\n{POINT}') == []
    with Journal(archive.output, read_only=True) as journal:
        rows = {row.key: row.hints_sha256 for row in journal.rows()}
    assert rows == {"1.jpg": hints_of({"points": [BLUE]}, "x").mark, "2.jpg": ""}
    assert run(archive, "") == ["1.jpg"]


def test_films_take_no_hints_and_are_not_done_again_for_them(archive: Archive) -> None:
    archive.put("reel.mkv", b"\x1aE\xdf\xa3")
    films = {"workable": frozenset({Kind.PHOTO, Kind.FILM})}
    assert run(archive, "", **films) == ["reel.mkv"]
    assert run(archive, f'["reel.mkv"]\n{POINT}', **films) == []
    approved = '["reel.mkv"]\ndecision = "approved"\n'
    assert run(archive, approved, fingerprint="f2", **films) == [], "an approval is no hint"


def test_what_was_approved_is_never_done_again(archive: Archive) -> None:
    path = archive.put("1.jpg")
    archive.put("2.jpg")
    run(archive, "")
    approved = hinted(archive, '["1.jpg"]\ndecision = "approved"\n')
    assert archive.why(hints=approved, fingerprint="f2")["1.jpg"] == ("done", "approved, though settings changed")
    assert run(archive, '["1.jpg"]\ndecision = "approved"\n', fingerprint="f2") == ["2.jpg"]
    path.write_bytes(b"\xff\xd8\xff\xe0 another")
    assert run(archive, '["1.jpg"]\ndecision = "approved"\n', fingerprint="f2") == []
    # Hints that came with the approval are put to the picture first.
    assert run(archive, f'["1.jpg"]\ndecision = "approved"\n{POINT}', fingerprint="f2") == ["1.jpg"]
    assert run(archive, f'["1.jpg"]\ndecision = "approved"\n{POINT}', fingerprint="f3") == ["2.jpg"]
    (archive.output / "1.jpg").unlink()
    assert run(archive, f'["1.jpg"]\ndecision = "approved"\n{POINT}', fingerprint="f3") == ["1.jpg"]


def test_what_is_rejected_goes_and_comes_back_with_the_hint(archive: Archive) -> None:
    archive.put("1.jpg")
    archive.put("2.jpg")
    archive.put("3.jpg")
    run(archive, '["2.jpg"]\ndecision = "rejected"\n')
    assert archive.statuses() == {"1.jpg": "done", "2.jpg": "rejected", "3.jpg": "done"}
    (archive.output / "3.jpg").write_bytes(b"retouched by hand")
    both = "".join(f'["{number}.jpg"]\ndecision = "rejected"\n' for number in (1, 2, 3))
    assert run(archive, both) == []
    assert set(archive.statuses().values()) == {"rejected"}
    assert not (archive.output / "1.jpg").exists()
    assert (archive.output / "3.jpg").read_bytes() == b"retouched by hand"
    (archive.output / "3.jpg").unlink()
    assert sorted(run(archive, "")) == ["1.jpg", "2.jpg", "3.jpg"]


def test_pictures_are_found_by_their_contents_too(archive: Archive) -> None:
    archive.put("1.jpg")
    archive.put("2.jpg", b"\xff\xd8\xff\xe0 other")
    run(archive, "")
    with Journal(archive.output, read_only=True) as journal:
        digests = {row.key: row.source_sha256 for row in journal.rows()}
    assert run(archive, f'["sha256:{digests["1.jpg"]}"]\nsaturation = 0.5\n') == ["1.jpg"]
    # A path and the sha256 of another picture: that one is meant no more.
    book = hinted(archive, f'["2.jpg"]\nsha256 = "{digests["1.jpg"]}"\nsaturation = 0.5\n')
    assert archive.why(hints=book)["2.jpg"] == ("done", "done before")
    assert list(book.notes()) == ["2.jpg: its hints are not used, their sha256 is another picture's."]


def test_hints_follow_a_source_that_was_renamed(archive: Archive) -> None:
    path = archive.put("1.jpg", b"\xff\xd8\xff\xe0 the one")
    run(archive, "")
    with Journal(archive.output, read_only=True) as journal:
        row = journal.row("1.jpg")
    assert row is not None
    text = f'["1.jpg"]\nsha256 = "{row.source_sha256}"\n{POINT}'
    assert run(archive, text) == ["1.jpg"]
    path.rename(path.with_name("9.jpg"))
    assert run(archive, text) == []
    assert run(archive, text) == []
    assert archive.statuses() == {"9.jpg": "done"}


def test_output_goes_before_input_key_by_key(archive: Archive) -> None:
    archive.put("1.jpg")
    archive.put("hints.toml", b'["1.jpg"]\nsaturation = 0.5\nwarmth = 0.5\n')
    book = hinted(archive, '["1.jpg"]\nwarmth = -0.5\n["2.jpg"]\nwarmth = 1\n')
    archive.plan(hints=book)
    assert book.of("1.jpg") == Hints(saturation=0.5, warmth=-0.5)
    assert book.unused() == ["2.jpg"]


def decisions(*pictures: dict[str, Any]) -> dict[str, Any]:
    return {"format": "colorize-decisions", "version": 1, "pictures": list(pictures)}


def test_decisions_are_merged_and_what_was_written_by_hand_stays(archive: Archive, tmp_path: Path) -> None:
    for name in ("1.jpg", "2.jpg", 'odd "name".jpg'):
        archive.put(name, b"\xff\xd8\xff\xe0" + name.encode())
    archive.run()
    hints = archive.output / "hints.toml"
    hints.write_text('# mine\n["1.jpg"]\nwarmth = 0.2  # a little\ndecision = "rejected"\n')
    file = tmp_path / "decisions.json"
    nothing = {"decision": None, "rating": None, "points": [], "saturation": None, "note": ""}
    said = decisions(
        nothing | {"key": "1.jpg", "points": [BLUE], "sha256": ""},
        nothing | {"key": 'odd "name".jpg', "decision": "approved", "rating": 5},
        nothing | {"key": "nobody.jpg", "decision": "rejected"},
        nothing | {"key": "2.jpg", "decision": "rejected", "sha256": "0" * 64},
    )
    file.write_text(json.dumps(said))
    came = import_decisions(file, archive.output)
    assert (came.taken, came.unchanged, list(came.unknown)) == (2, 0, ["nobody.jpg"])
    assert (list(came.others), list(came.undone)) == (["2.jpg"], ["1.jpg"])
    text = hints.read_text()
    assert text.startswith('# mine\n["1.jpg"]\nwarmth = 0.2  # a little\n')
    entries = written_hints(archive.output)
    assert set(entries) == {"1.jpg", 'odd "name".jpg'}
    assert hints_of(entries["1.jpg"], "x").strokes == (Stroke((0x3A, 0x5F, 0x8A), ((0.4, 0.25),)),)
    assert hints_of(entries["1.jpg"], "x").decision == ""
    assert len(entries["1.jpg"]["sha256"]) == 64
    again = import_decisions(file, archive.output)
    assert (again.taken, again.unchanged) == (0, 2)
    assert hints.read_text() == text


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ([], "is not a file of decisions"),
        ({"format": "other", "version": 1, "pictures": []}, "is not a file of decisions"),
        (decisions() | {"version": 2}, "of version 2; this program knows version 1"),
        (decisions({"decision": "approved"}), 'picture 1: there is no "key"'),
        (decisions({"key": "1.jpg", "colour": 1}), 'there is no "colour"'),
        (decisions({"key": "1.jpg"}, {"key": "1.jpg", "points": [BLUE | {"x": 2}]}), "picture 2 .*outside of the pic"),
        (decisions({"key": "1.jpg", "decision": "maybe"}), "is not approved"),
    ],
)
def test_decisions_that_make_no_sense_change_nothing(archive: Archive, said: Any, sentence: str) -> None:
    archive.put("1.jpg")
    archive.run()
    with pytest.raises(SettingsError, match=sentence):
        merge_decisions(said, archive.output, "decisions.json")
    assert not (archive.output / "hints.toml").exists()


def test_hints_that_are_broken_are_not_written_over(archive: Archive) -> None:
    archive.put("1.jpg")
    archive.run()
    hints = archive.output / "hints.toml"
    hints.write_text("broken")
    with pytest.raises(SettingsError, match="is not valid TOML"):
        merge_decisions(decisions({"key": "1.jpg", "decision": "approved"}), archive.output, "d")
    assert hints.read_text() == "broken"


def test_what_cannot_be_read_or_written_is_said(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        import_decisions(tmp_path / "nothing.json", archive.output)
    file = tmp_path / "d.json"
    file.write_text("{")
    with pytest.raises(SettingsError, match="is not valid JSON"):
        import_decisions(file, archive.output)
    file.write_text(json.dumps(decisions({"key": "1.jpg", "rating": 3})))
    with pytest.raises(OutputError):
        import_decisions(file, tmp_path / "no output")
    assert not (tmp_path / "no output").exists()

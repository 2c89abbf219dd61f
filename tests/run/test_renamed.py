"""Sources that change their names between two nights: what was made of them, and what people decided, goes along."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.archive.prune import prune, reject
from pipeline.ground import inside
from pipeline.ground.errors import OutputError
from pipeline.ground.items import Verb
from pipeline.run import driver
from tests.conftest import sha256
from tests.run.stories import Killed, Story, a_night_old, exchange, killed_at


@pytest.fixture
def story(tmp_path: Path, tiny_net: Path) -> Story:
    return a_night_old(tmp_path, tiny_net, 5)


def shift(story: Story, by: int = 1) -> None:
    """1 becomes 2, 2 becomes 3, and so on; or the other way, where the first goes."""
    names = sorted(story.scans.iterdir(), key=lambda path: int(path.stem), reverse=by > 0)
    if by < 0:
        names.pop(0).unlink()
    for path in names:
        path.rename(path.with_name(f"{int(path.stem) + by}.jpg"))


def test_an_output_deleted_in_the_night_of_a_rename_is_made_again(story: Story) -> None:
    (story.scans / "1.jpg").rename(story.scans / "one.jpg")
    story.output("1.jpg").unlink()
    assert story.night().worked == 1
    assert story.statuses()["one.jpg"] == "done"
    assert story.output("one.jpg").is_file()


def test_or_is_rejected_where_that_is_what_deleting_means(story: Story) -> None:
    story.settings = replace(story.settings, deleted_outputs="rejected")
    story.unwanted.add(sha256(story.scans / "1.jpg"))
    (story.scans / "1.jpg").rename(story.scans / "one.jpg")
    story.output("1.jpg").unlink()
    assert story.night().worked == 0
    assert story.statuses()["one.jpg"] == "rejected"


@pytest.mark.parametrize("retouched", [False, True])
def test_two_sources_exchange_their_names(story: Story, verbs: Counter[Verb], retouched: bool) -> None:
    made = {number: story.output(f"{number}.jpg").read_bytes() for number in (1, 2)}
    if retouched:
        made[1] = story.edit("1.jpg")
    exchange(story.scans / "1.jpg", story.scans / "2.jpg")
    assert story.night().worked == 0
    assert not verbs
    assert (story.output("2.jpg").read_bytes(), story.output("1.jpg").read_bytes()) == (made[1], made[2])
    assert story.statuses()["2.jpg"] == ("edited" if retouched else "done")


@pytest.mark.parametrize("edited", ["", "1.jpg", "3.jpg", "5.jpg"])
@pytest.mark.parametrize("by", [1, -1])
def test_a_series_is_shifted(story: Story, by: int, edited: str) -> None:
    made = {key: story.output(key).read_bytes() for key in story.sources()}
    if edited:
        made[edited] = story.edit(edited)
    shift(story, by)
    story.night()
    for number in range(1, 6):
        now = f"{number + by}.jpg"
        if (story.scans / now).exists() and not (by < 0 and edited == "1.jpg"):
            assert story.output(now).read_bytes() == made[f"{number}.jpg"]


def test_what_somebody_made_of_a_source_that_is_gone_stays_though_another_has_its_name(story: Story) -> None:
    edited = story.edit("1.jpg")
    shift(story, -1)
    story.night()
    row = story.rows()["1.jpg"]
    assert story.output("1.jpg").read_bytes() == edited
    assert (row["status"], row["reason"].rpartition("; ")[2]) == ("edited", "another source has its name now")


@pytest.mark.parametrize("moment", range(2, 16))
def test_a_kill_in_between_loses_nothing(story: Story, moment: int, monkeypatch: pytest.MonkeyPatch) -> None:
    story.edit("3.jpg")
    exchange(story.scans / "1.jpg", story.scans / "2.jpg")
    exchange(story.scans / "2.jpg", story.scans / "3.jpg")
    (story.scans / "4.jpg").rename(story.scans / "six.jpg")
    with killed_at(moment, monkeypatch), contextlib.suppress(Killed):
        story.night()
    assert story.night().worked == 0


def test_what_is_rejected_stays_so_under_another_name(story: Story) -> None:
    story.unwanted.add(sha256(story.scans / "1.jpg"))
    assert reject(story.colour, [Path("1.jpg")]).taken == ["1.jpg"]
    story.night()
    (story.scans / "1.jpg").rename(story.scans / "one.jpg")
    assert story.night().worked == 0
    assert story.statuses() == dict.fromkeys(("2.jpg", "3.jpg", "4.jpg", "5.jpg"), "done") | {"one.jpg": "rejected"}
    story.put("1.jpg")
    assert story.night().worked == 1
    exchange(story.scans / "one.jpg", story.scans / "2.jpg")
    assert story.night().worked == 0
    assert (story.statuses()["2.jpg"], story.statuses()["one.jpg"]) == ("rejected", "done")


def test_what_is_rejected_goes_and_comes_back(story: Story) -> None:
    story.unwanted.add(sha256(story.scans / "1.jpg"))
    reject(story.colour, [Path("1.jpg")])
    (story.scans / "1.jpg").rename(story.folder / "away.jpg")
    story.night()
    assert story.statuses()["1.jpg"] == "gone"
    (story.folder / "away.jpg").rename(story.scans / "1.jpg")
    assert story.night().worked == 0
    assert story.statuses()["1.jpg"] == "rejected"
    (story.scans / "1.jpg").unlink()
    story.night()
    assert prune(story.colour) == (0, 1, [])
    assert "1.jpg" not in story.rows()


def test_a_double_of_what_is_rejected_is_wanted(story: Story) -> None:
    reject(story.colour, [Path("1.jpg")])
    shutil.copyfile(story.scans / "1.jpg", story.scans / "double.jpg")
    story.unwanted.add(sha256(story.scans / "1.jpg"))
    assert story.night().worked == 1
    assert (story.statuses()["1.jpg"], story.statuses()["double.jpg"]) == ("rejected", "done")


@pytest.mark.parametrize("format", ["keep", "png"])
def test_somebody_s_work_is_edited_at_once_and_keeps_its_suffix(story: Story, format: str) -> None:
    edited = story.edit("1.jpg")
    (story.scans / "1.jpg").rename(story.scans / "one.jpg")
    story.settings = replace(story.settings, format=format)
    story.night()
    assert story.rows()["one.jpg"]["status"] == "edited"
    assert story.rows()["one.jpg"]["output"] == "one.jpg"
    assert story.output("one.jpg").read_bytes() == edited


def test_a_suffix_that_is_spelled_otherwise(story: Story, verbs: Counter[Verb]) -> None:
    edited = story.edit("1.jpg")
    for number, suffix in enumerate((".JPG", ".jpeg", ".Jpg"), 1):
        (story.scans / f"{number}.jpg").rename(story.scans / f"{number}{suffix}")
    assert story.night().worked == 0
    assert story.output("1.JPG").read_bytes() == edited
    story.settings = replace(story.settings, format="jpg")
    story.night()
    (story.scans / "1.JPG").rename(story.scans / "1.jpeg")
    story.night()
    assert story.output("1.jpeg").read_bytes() == edited


def test_what_somebody_made_of_what_is_gone_is_in_the_way_of_another(story: Story) -> None:
    story.settings = replace(story.settings, format="jpg")
    story.night()
    edited = story.edit("1.jpg")
    (story.scans / "1.jpg").unlink()
    story.night()
    story.put("1.jpeg")
    assert story.night().exit_code == 3
    assert story.problems() == [("1.jpeg", "what somebody has made of 1.jpg is in the way: 1.jpg")]
    assert (story.colour / "1.jpg").read_bytes() == edited
    assert story.statuses()["1.jpeg"] == "failed"


def test_a_name_of_which_only_the_case_changes(story: Story, verbs: Counter[Verb]) -> None:
    verbs.clear()
    story.put("Mixed.jpg")
    story.night()
    (story.scans / "Mixed.jpg").rename(story.scans / "mIXED.jpg")
    verbs.clear()
    assert story.night().worked == 0
    assert (story.output("mIXED.jpg").name, verbs) == ("mIXED.jpg", Counter())


def test_doubles_that_move_together_keep_what_each_has(story: Story) -> None:
    (story.scans / "box").mkdir()
    for name in ("a.jpg", "b.jpg"):
        shutil.copy2(story.scans / "1.jpg", story.scans / "box" / name)
    story.night()
    story.unwanted.add(sha256(story.scans / "1.jpg"))
    reject(story.colour, [Path("box/b.jpg")])
    (story.scans / "box").rename(story.scans / "crate")
    assert story.night().worked == 0
    assert (story.statuses()["crate/a.jpg"], story.statuses()["crate/b.jpg"]) == ("done", "rejected")


def test_a_broken_source_in_place_of_another_does_not_cost_what_somebody_made(story: Story) -> None:
    edited = story.edit("1.jpg")
    (story.scans / "1.jpg").write_bytes(b"no picture at all")
    story.night()
    assert story.output("1.jpg").read_bytes() == edited
    os.utime(story.scans / "2.jpg", ns=(1, 1))
    assert story.night().worked == 0


@pytest.mark.parametrize("other", [b"no picture at all", b"%PDF-1.4", b""])
def test_what_somebody_made_outlives_a_source_that_is_broken_for_a_while(story: Story, other: bytes) -> None:
    edited, whole = story.edit("1.jpg"), (story.scans / "1.jpg").read_bytes()
    (story.scans / "1.jpg").write_bytes(other)
    story.run()
    assert story.statuses()["1.jpg"] == "edited"
    story.put("1.jpg").write_bytes(whole[:-1])
    story.run()
    assert (story.colour / "1.jpg").read_bytes() == edited


@pytest.mark.parametrize("other", [b"no picture at all", b"%PDF-1.4", b""])
def test_what_somebody_made_of_what_was_left_by_a_source_that_broke(story: Story, other: bytes) -> None:
    whole = (story.scans / "1.jpg").read_bytes()
    (story.scans / "1.jpg").write_bytes(other)
    story.run()
    assert story.statuses()["1.jpg"] in ("failed", "unsupported")
    (story.colour / "1.jpg").write_bytes(b"retouched meanwhile")
    (story.scans / "1.jpg").write_bytes(whole)
    story.run()
    assert (story.colour / "1.jpg").read_bytes() == b"retouched meanwhile"
    assert "is in the way" in story.rows()["1.jpg"]["reason"]
    story.run(replace_edited=True)
    assert story.statuses()["1.jpg"] == "done"


def test_of_one_size_and_time_verify_sees_it(story: Story) -> None:
    for number in (1, 2):
        os.utime(story.scans / f"{number}.jpg", ns=(0, 10**18))
    story.night()
    exchange(story.scans / "1.jpg", story.scans / "2.jpg")
    story.run(verify=True)
    assert story.night().worked == 0


def test_names_are_exchanged_while_the_archive_moves_to_another_disk(story: Story) -> None:
    edited = story.edit("3.jpg")
    exchange(story.scans / "1.jpg", story.scans / "2.jpg")
    exchange(story.scans / "3.jpg", story.scans / "4.jpg")
    for number in range(6, 12):
        story.put(f"{number}.jpg")
    elsewhere = story.folder / "disk"
    elsewhere.mkdir()
    story.scans.rename(elsewhere / "scans")
    story.folder, output = elsewhere, story.colour
    output.rename(story.colour)
    assert story.run().exit_code == 0
    story.check(story.run())
    assert (story.colour / "3.jpg").read_bytes() == edited


def test_names_are_exchanged_between_two_inputs(story: Story) -> None:
    inputs = [story.folder / "one", story.folder / "two"]
    for folder in inputs:
        shutil.copytree(story.scans, folder)
        (folder / "1.jpg").write_bytes((folder / "1.jpg").read_bytes()[:-1] + folder.name[:1].encode())
    colour = story.folder / "of both"
    assert driver.run_archive(inputs, colour, story.settings, quiet=True).worked == 10
    made = (colour / "one" / "1.jpg").read_bytes()
    exchange(inputs[0] / "1.jpg", inputs[1] / "2.jpg")
    assert driver.run_archive(inputs, colour, story.settings, quiet=True).worked == 0
    assert (colour / "two" / "2.jpg").read_bytes() == made


def test_a_double_is_not_taken_from_an_output_that_is_about_to_go(story: Story) -> None:
    story.output("1.jpg").unlink()
    exchange(story.scans / "1.jpg", story.scans / "2.jpg")
    shutil.copy2(story.scans / "1.jpg", story.scans / "again.jpg")
    assert story.night().worked == 2
    assert set(story.statuses().values()) == {"done"}


def test_other_settings_in_the_night_of_an_exchange(story: Story) -> None:
    edited = story.edit("1.jpg")
    exchange(story.scans / "1.jpg", story.scans / "2.jpg")
    shift(story)
    story.settings = replace(story.settings, palette="plain", executor="loky", jobs=2)
    assert story.night().worked == 4
    assert story.output("3.jpg").read_bytes() == edited
    exchange(story.scans / "3.jpg", story.scans / "4.jpg")
    story.settings = replace(story.settings, replace_edited=True)
    story.edited.clear()
    assert story.night().worked == 2


def test_a_name_that_nobody_else_may_have_is_not_taken(story: Story) -> None:
    exchange(story.scans / "1.jpg", story.scans / "2.jpg")
    (story.scans / "3.jpg").rename(story.scans / "other.jpg")
    (story.colour / "other.jpg").write_bytes(b"of somebody else")
    assert story.run().exit_code == 3
    assert story.rows()["other.jpg"]["reason"].startswith("a file that this program did not write is in the way")
    assert (story.colour / "other.jpg").read_bytes() == b"of somebody else"
    assert (story.statuses()["3.jpg"], (story.colour / "3.jpg").is_file()) == ("gone", True)


def test_an_output_that_cannot_get_its_name_ends_the_run_before_another_takes_its_old_one(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    edited = story.edit("1.jpg")
    (story.scans / "1.jpg").rename(story.scans / "one.jpg")
    story.put("1.jpg")

    def refuse(root: Path, place: str, to: str) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(inside, "move", refuse)
        with pytest.raises(OutputError, match=r"1\.jpg cannot be renamed to one\.jpg: permission denied"):
            story.run()
    assert (story.colour / "1.jpg").read_bytes() == edited
    assert story.night().worked == 1
    assert story.output("one.jpg").read_bytes() == edited


def test_and_stays_where_it_is_where_nobody_needs_that(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    edited = story.edit("1.jpg")
    (story.scans / "1.jpg").rename(story.scans / "one.jpg")

    def refuse(root: Path, place: str, to: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(inside, "move", refuse)
    story.night()
    assert (story.rows()["one.jpg"]["output"], story.rows()["one.jpg"]["status"]) == ("1.jpg", "edited")
    assert (story.colour / "1.jpg").read_bytes() == edited

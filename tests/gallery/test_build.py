"""What a gallery is made of, what is made anew, and what is left alone."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import cv2
import pytest

from pipeline.archive.journal import Journal
from pipeline.ground.errors import LockedError, OutputError, SettingsError
from pipeline.ground.files import Room
from pipeline.ground.items import Kind, Status
from pipeline.web.gallery import build, data, studio
from pipeline.web.gallery.facts import Facts
from pipeline.web.gallery.items import File
from pipeline.web.gallery.studio import DIED, Desk, Task, make_missing
from tests.conftest import in_colour, sha256, write_tiff
from tests.gallery.conftest import ODD, Night, write_film

CALL = re.compile(r"Gallery\.(\w+)\((.*)\);\s*", re.DOTALL)


def calls(folder: Path, name: str) -> list[Any]:
    """What the scripts of one kind hand over, in their order."""
    found = sorted((folder / "data").glob(f"*/{name}*.js"), key=lambda path: int(re.sub(r"\D", "", path.stem) or 0))
    return [json.loads(f"[{CALL.fullmatch(path.read_text('ascii'))[2]}]")[-1] for path in found]


def column(folder: Path, name: str) -> list[Any]:
    return [value for page in calls(folder, "rows") for value in page[name]]


def details(folder: Path) -> list[dict[str, Any]]:
    return [each for page in calls(folder, "more") for each in page]


def state(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(p): (p.stat().st_size, p.stat().st_mtime_ns) for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_gallery_shows_every_item_with_both_its_pictures(night: Night) -> None:
    night.done("a.jpg", 1)
    night.done("box/b.png", 2)
    night.failed("c.jpg")
    made = night.gallery()
    assert (made.items, made.made, made.unseen) == (3, 4, 1)
    assert made.page.read_text("utf-8").count("<script src=") == 2
    assert column(night.output / "gallery", "key") == ["a.jpg", "box/b.png", "c.jpg"]
    before, after = (column(night.output / "gallery", side) for side in ("before", "after"))
    assert [bool(each) for each in before] == [True, True, False]
    assert [bool(each) for each in after] == [True, True, False]
    grey, colour = (cv2.imread(str(night.output / "gallery" / "thumbs" / names[0])) for names in (before, after))
    assert grey.shape == colour.shape == (60, 80, 3)
    assert grey.std(axis=2).max() < 2 < colour.std(axis=2).max()


def test_what_failed_says_why_and_what_to_do(night: Night) -> None:
    night.failed("c.jpg")
    night.gallery()
    (page,), (more,) = calls(night.output / "gallery", "rows"), details(night.output / "gallery")
    assert page["reasons"][page["reason"][0]].startswith("truncated")
    assert "Copy it again" in more["advice"]
    assert data.STATUSES[page["status"][0]] == "failed"


def test_nothing_is_made_twice_and_nothing_but_the_gallery_is_written(night: Night) -> None:
    night.done("a.jpg", 1)
    night.done("b.jpg", 2)
    before = state(night.source) | {path: value for path, value in state(night.output).items() if "journal" not in path}
    night.gallery()
    thumbs = state(night.output / "gallery" / "thumbs")
    assert len(thumbs) == 4
    assert night.gallery().made == 0
    assert state(night.output / "gallery" / "thumbs") == thumbs
    now = state(night.source) | state(night.output)
    assert {path: value for path, value in now.items() if path in before} == before
    fresh = {str(Path(path).relative_to(night.output)) for path in set(now) - set(before)}
    assert all(path.startswith(("gallery/", ".colorize/")) for path in fresh)
    assert not (night.output / ".colorize" / "gallery" / "tmp").exists()


def test_an_output_that_somebody_changed_gets_another_thumbnail_and_the_old_one_goes(night: Night) -> None:
    night.done("a.jpg", 1)
    night.gallery()
    (old,) = column(night.output / "gallery", "after")
    (night.output / "a.jpg").write_bytes(cv2.imencode(".jpg", in_colour(30, 40))[1].tobytes())
    assert night.gallery().made == 1
    (new,) = column(night.output / "gallery", "after")
    assert new != old
    assert not (night.output / "gallery" / "thumbs" / old).exists()
    assert cv2.imread(str(night.output / "gallery" / "thumbs" / new)).shape == (30, 40, 3)


def test_a_thumbnail_that_was_lost_is_made_again(night: Night) -> None:
    night.done("a.jpg", 1)
    night.gallery()
    (name,) = column(night.output / "gallery", "after")
    (night.output / "gallery" / "thumbs" / name).unlink()
    assert night.gallery().made == 1
    assert (night.output / "gallery" / "thumbs" / name).exists()


def test_facts_that_are_damaged_cost_work_and_nothing_else(night: Night) -> None:
    night.done("a.jpg", 1)
    night.gallery()
    (night.output / ".colorize" / "gallery" / "facts.json").write_text('{"version": 1, "facts": [')
    assert night.gallery().made == 2


def test_originals_that_are_not_there_leave_the_outputs(night: Night) -> None:
    night.done("a.jpg", 1)
    night.source.rename(night.source.with_name("away"))
    made = night.gallery()
    assert (made.items, made.made, made.unseen) == (1, 1, 0)
    assert column(night.output / "gallery", "before") == [""]
    assert details(night.output / "gallery")[0]["before"] is None


def test_names_are_text_and_links_are_encoded(night: Night) -> None:
    night.done(ODD, 1)
    page = night.gallery().page
    raw = [each.read_text("ascii") for each in (night.output / "gallery" / "data").glob("*/*.js")]
    assert column(night.output / "gallery", "key") == [ODD]
    assert not [text for text in raw if re.search("[<>&]", text)]
    (more,) = details(night.output / "gallery")
    assert more["after"]["url"] == (
        "../%3Cimg%20src%3Dx%20onerror%3Dalert%281%29%3E/a%22b%27c%20%26amp%3B%20%E2%80%AEgpj.x%0A%2350%25%3F.jpg"
    )
    assert more["before"]["url"].startswith("file:///")
    assert "%0A%2350%25%3F.jpg" in more["before"]["url"]
    statistics = page.with_name("statistics.html").read_text("utf-8")
    assert "<img" not in statistics
    assert "&lt;img src=x" in statistics
    assert "\u202e" not in statistics


def test_a_name_that_is_not_utf8_is_linked_by_its_bytes(night: Night) -> None:
    night.done("plain.jpg", 1)
    name = os.fsdecode(b"caf\xe9.jpg")
    try:
        (night.output / name).write_bytes((night.output / "plain.jpg").read_bytes())
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    (night.source / name).write_bytes((night.source / "plain.jpg").read_bytes())
    with Journal(night.output) as journal:
        journal.db.execute("UPDATE items SET key = ?, output = ?", (r"caf\xe9.jpg", r"caf\xe9.jpg"))
    night.gallery()
    (more,) = details(night.output / "gallery")
    assert more["after"]["url"] == "../caf%E9.jpg"
    assert more["before"]["url"].endswith("/caf%E9.jpg")


def test_what_no_browser_shows_gets_a_large_picture_too(night: Night) -> None:
    night.done("a.tif", 1, size=(60, 400))
    assert night.gallery(view=360).made == 4
    (more,) = details(night.output / "gallery")
    assert not more["after"]["own"]
    assert cv2.imread(str(night.output / "gallery" / "thumbs" / more["after"]["view"])).shape[1] == 360
    night.gallery(view=0)
    assert details(night.output / "gallery")[0]["after"]["view"] == ""
    assert len(state(night.output / "gallery" / "thumbs")) == 2


def test_films_have_a_poster_that_is_not_black_and_a_loop(night: Night) -> None:
    write_film(night.source / "reel.avi")
    (night.output / "reel.avi").write_bytes((night.source / "reel.avi").read_bytes())
    night.record("reel.avi", Status.DONE, place="reel.avi", kind=Kind.FILM)
    night.gallery()
    (name,) = column(night.output / "gallery", "after")
    assert column(night.output / "gallery", "film") == [2]
    thumbs = night.output / "gallery" / "thumbs"
    assert cv2.imread(str(thumbs / name)).mean() > 50
    assert (thumbs / name).with_suffix(".webp").read_bytes()[:4] == b"RIFF"


def test_pages_of_data_hold_all_items_in_order(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "ROWS", 4)
    monkeypatch.setattr(build, "MORE", 3)
    for number in range(10):
        night.failed(f"{number}.jpg")
    night.gallery()
    assert [len(page["key"]) for page in calls(night.output / "gallery", "rows")] == [4, 4, 2]
    assert [len(page) for page in calls(night.output / "gallery", "more")] == [3, 3, 3, 1]
    assert column(night.output / "gallery", "key") == [f"{number}.jpg" for number in range(10)]
    (about,) = calls(night.output / "gallery", "about")
    assert (about["total"], about["rows"], about["more"]) == (10, 4, 3)
    assert about["statuses"] == {"failed": 10}


def test_an_archive_without_items_has_a_page(night: Night) -> None:
    with Journal(night.output) as journal:
        journal.start_run(inputs=[night.source], settings={}, fingerprint="f", version="0")
    assert night.gallery().items == 0


def test_one_file_holds_all_of_it_and_lets_only_its_own_scripts_work(night: Night) -> None:
    night.done(ODD, 1)
    night.done("b.tif", 2)
    made = night.gallery(single=True)
    assert made.page == night.output / "gallery.html"
    text = made.page.read_text("utf-8")
    assert made.bytes == len(text.encode())
    assert text.count("data:image/jpeg;base64,") >= 4
    assert "'unsafe-inline'" not in text
    assert text.count("'sha256-") == text.count("<script>") + text.count("<style>")
    assert "src=x onerror=alert(1)>" not in text
    assert not (night.output / "gallery").exists()
    assert night.gallery(single=True).items == 2


def test_one_file_has_its_limits_which_are_said(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    night.done("a.jpg", 1)
    night.done("b.jpg", 2)
    monkeypatch.setattr(build, "SINGLE_ITEMS", 1)
    with pytest.raises(SettingsError, match="up to 1 items, and this archive has 2"):
        night.gallery(single=True)
    monkeypatch.setattr(build, "SINGLE_ITEMS", 2)
    monkeypatch.setattr(build, "SINGLE_BYTES", 1000)
    with pytest.raises(SettingsError, match="One file would hold"):
        night.gallery(single=True)
    assert not (night.output / "gallery.html").exists()


def test_a_folder_that_is_not_ours_is_left_alone(night: Night) -> None:
    night.done("a.jpg", 1)
    (night.output / "gallery").mkdir()
    (night.output / "gallery" / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="was not made by `colorize gallery`"):
        night.gallery()
    assert state(night.output / "gallery").keys() == {str(night.output / "gallery" / "mine.txt")}
    assert night.gallery(name="look").page == night.output / "look" / "index.html"


def test_a_page_that_is_not_ours_is_left_alone(night: Night) -> None:
    night.done("a.jpg", 1)
    (night.output / "gallery.html").write_text("mine")
    with pytest.raises(OutputError, match="was not made by"):
        night.gallery(single=True)
    assert (night.output / "gallery.html").read_text() == "mine"


@pytest.mark.parametrize(
    "name", ["gallery", "gallery/thumbs", "gallery/data", ".colorize/gallery", ".colorize/gallery.lock"]
)
def test_no_link_is_written_through(night: Night, name: str, tmp_path: Path) -> None:
    night.done("a.jpg", 1)
    if "/" in name and name.startswith("gallery"):
        night.gallery()
        for file in (night.output / name).rglob("*.*"):
            file.unlink()
        (night.output / ".colorize" / "gallery" / "facts.json").unlink()
        (night.output / name).rename(tmp_path / "aside")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (night.output / name).symlink_to(elsewhere)
    with pytest.raises(OutputError, match="symbolic link"):
        night.gallery()
    assert list(elsewhere.iterdir()) == []


def test_an_output_exchanged_for_a_link_is_not_followed(night: Night, tmp_path: Path) -> None:
    night.done("a.jpg", 1)
    (night.output / "a.jpg").rename(tmp_path / "secret.jpg")
    (night.output / "a.jpg").symlink_to(tmp_path / "secret.jpg")
    night.gallery()
    assert column(night.output / "gallery", "after") == [""]


def test_the_archives_own_folder_of_that_name_is_no_gallery(night: Night) -> None:
    night.done("gallery/a.jpg", 1)
    with pytest.raises(SettingsError, match="--name"):
        night.gallery()
    assert night.gallery(name="look").items == 1


@pytest.mark.parametrize("name", ["", "..", "a/b", "../x", ".colorize", ".hidden", "manifest.csv", "a\0b"])
def test_a_name_that_leads_elsewhere_is_refused(night: Night, name: str) -> None:
    night.done("a.jpg", 1)
    with pytest.raises(SettingsError):
        night.gallery(name=name)


def test_two_calls_do_not_meet(night: Night) -> None:
    from pipeline.web.gallery.place import held

    night.done("a.jpg", 1)
    with held(night.output, "gallery", ()), pytest.raises(LockedError, match="Another"):
        night.gallery()


class Deadly(File):
    """Ends the process that takes it, as a decoder's crash would."""

    def __reduce__(self) -> Any:
        return os._exit, (1,)


def test_a_file_that_kills_its_decoder_takes_nothing_else_along(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studio, "_CHUNK", 2)  # what was in hand when it died is looked at again one by one
    for number in range(40):
        night.done(f"{number:02d}.jpg", number)
    (night.output / "tmp").mkdir()
    desk = Desk(Room(night.output, night.output / "tmp"), "thumbs", 100.0)
    (night.output / ".colorize" / "gallery").mkdir()
    files = [File(path, path.name, 1, film=False) for path in sorted(night.source.iterdir())]
    tasks = [Task(f"aa/{file.digest}", file, 64) for file in files]
    tasks[20] = Task("aa/deadly", Deadly(files[0].path, "", 1, film=False), 64)
    facts, counted = Facts(), list[int]()
    make_missing(tasks, facts, desk, 2, counted.append)
    assert sum(counted) == 40
    assert facts.known["aa/deadly"].problem == DIED
    assert sum(bool(fact.width) for fact in facts.known.values()) == 39
    assert Facts.read(night.output).known == facts.known


def test_a_gallery_is_no_source(night: Night, tmp_path: Path) -> None:
    from pipeline.archive.discover import discover
    from pipeline.archive.places import check_places

    night.done("a.jpg", 1)
    night.gallery()
    scans = tmp_path / "scans"
    scans.mkdir()
    (night.output / "gallery").rename(scans / "taken along")
    write_tiff(scans / "b.tif", in_colour())
    found = [
        each for folder in discover(check_places([scans], tmp_path / "new"), tmp_path / "new") for each in folder.files
    ]
    assert {each.key: each.reason.partition(":")[0] for each in found} == {
        "b.tif": "",
        "taken along/": "filled by this program",
    }


def test_no_journal_no_gallery(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="holds no journal"):
        build.make_gallery(tmp_path, build.Options())


def test_source_hash_is_the_manifests(night: Night) -> None:
    night.done("a.jpg", 1)
    night.gallery()
    assert details(night.output / "gallery")[0]["sha256"] == sha256(night.source / "a.jpg")

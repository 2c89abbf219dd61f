"""The page in a browser, opened from the disk, with real clicks and keys; skipped where there is none."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.ground.items import Kind, Status
from pipeline.web.gallery import data
from tests.conftest import sha256
from tests.gallery.conftest import ODD, Night, write_film

pytest.importorskip("selenium", reason="drives a browser; extra: dev")
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.gallery.browser import AXE, Page, browser, needs_browser

if TYPE_CHECKING:
    from selenium import webdriver

pytestmark = needs_browser

PICTURES = 60


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Night:
    folder = tmp_path_factory.mktemp("night")
    (folder / "in").mkdir()
    (folder / "out").mkdir()
    night = Night(folder / "in", folder / "out")
    for number in range(PICTURES):
        night.done(f"box {number // 20}/{number:03d}.jpg", number, size=(60 + number, 80))
    night.done(ODD, 7)
    night.done("large.png", 3, size=(1500, 2000))
    night.done("sheet.tif", 4)
    night.failed("broken.jpg")
    return night


@pytest.fixture(scope="module")
def driver() -> Iterator[webdriver.Chrome]:
    with browser() as found:
        yield found


@pytest.fixture
def page(archive: Night, driver: webdriver.Chrome, tmp_path: Path) -> Iterator[Page]:
    made = archive.gallery()
    behaviour = {"behavior": "allow", "downloadPath": str(tmp_path)}
    driver.execute_cdp_cmd("Browser.setDownloadBehavior", behaviour)
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    driver.set_window_size(1200, 900)
    found = Page(driver, made.page, tmp_path).open()
    found.js("localStorage.clear()")
    yield found.open()
    assert found.complaints() == []


def test_pictures_come_and_only_those_that_are_seen_are_in_the_page(page: Page) -> None:
    assert page.text("count") == f"{PICTURES + 4} items"
    page.until(lambda: page.js("return [...document.querySelectorAll('#grid img[src]')].every(e => e.naturalWidth)"))
    assert len(page.tiles()) < PICTURES
    page.press(Keys.TAB)
    page.js("Grid.focus(0)")
    page.press(Keys.END)
    assert page.current() == page.listed()[-1]
    assert page.js("return scrollY") > 500


def test_arrows_go_through_the_grid(page: Page) -> None:
    keys = page.listed()
    page.js("Grid.focus(0)")
    page.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert page.current() == keys[2]
    tops = page.js("return [...document.querySelectorAll('#grid li')].map(e => e.getBoundingClientRect().top)")
    columns = tops.count(tops[0])
    page.press(Keys.ARROW_DOWN)
    assert page.current() == keys[2 + columns]
    page.press(Keys.ARROW_UP, Keys.ARROW_LEFT)
    assert page.current() == keys[1]


def test_space_flips_a_tile(page: Page) -> None:
    page.js("Grid.focus(1)")
    first = page.tiles()[1].find_element(By.TAG_NAME, "img").get_attribute("src")
    page.press(" ")
    assert page.tiles()[1].find_element(By.TAG_NAME, "img").get_attribute("src") != first
    assert not page.js("return document.getElementById('viewer').open")
    page.press(" ")
    assert page.tiles()[1].find_element(By.TAG_NAME, "img").get_attribute("src") == first


def test_a_name_is_never_markup(page: Page) -> None:
    page.choose("search", "onerror")
    page.until(lambda: page.listed() == [ODD])
    assert page.js("return document.querySelectorAll('img[src=x]').length") == 0
    page.enter()
    assert page.text("viewer-title") == "<img src=x onerror=alert(1)>/a\"b'c &amp; \\u202egpj.x\\u000a#50%?.jpg"
    assert page.js("return [...document.querySelectorAll('#sheet img')].map(e => e.naturalWidth)") == [80, 80]


def test_filters_find_what_they_say(page: Page) -> None:
    page.choose("status", "problems")
    assert page.listed() == ["broken.jpg"]
    assert "truncated" in page.tiles()[0].text
    page.choose("status", "")
    page.choose("folder", "box 1")
    page.until(lambda: len(page.listed()) == 20)
    assert all(key.startswith("box 1/") for key in page.listed())
    page.choose("folder", "box")
    page.until(lambda: page.listed() == [])
    assert "Nothing is like that" in page.text("note")


def test_sorting_and_turning_the_order_round(page: Page) -> None:
    page.choose("sort", "size")
    assert page.listed()[:2] == ["large.png", "box 2/059.jpg"]
    page.part("order").click()
    assert page.listed()[-1] == "large.png"
    page.choose("sort", "key")
    assert page.listed() == sorted(page.listed(), reverse=True)
    page.part("order").click()


def test_doubt_is_there_to_sort_and_filter_by_where_the_journal_knows_it(
    page: Page, archive: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not page.part("doubt-part").is_displayed()
    doubts = {"box 0/003.jpg": 91.5, "box 1/030.jpg": 55.0, "sheet.tif": 7.0}
    monkeypatch.setattr(data, "doubt_of", lambda row: doubts.get(row.key))
    archive.gallery()
    page.open()
    page.choose("sort", "doubt")
    assert page.listed()[:3] == list(doubts)
    page.part("doubt").clear()
    page.part("doubt").send_keys("50")
    page.until(lambda: page.listed() == list(doubts)[:2])
    assert "doubt 92" in page.tiles()[0].text


def test_the_slider_shows_before_on_one_side_and_after_on_the_other(page: Page) -> None:
    page.enter(5)
    clip = "return document.querySelector('#sheet .before').style.clipPath"
    page.js("const s = document.getElementById('slide'); s.value = 25; s.dispatchEvent(new Event('input'))")
    assert page.js(clip) == "inset(0px 75% 0px 0px)"
    stage = page.part("sheet")
    ActionChains(page.driver).move_to_element_with_offset(stage, round(stage.size["width"] * 0.3), 0).click().perform()
    assert float(page.js("return document.getElementById('slide').value")) == pytest.approx(80, abs=2)
    page.press(" ")
    assert page.js(clip) == "inset(0px 0% 0px 0px)"
    assert page.part("flip").get_attribute("aria-pressed") == "true"
    page.press(" ")
    assert page.js(clip) == "inset(0px 100% 0px 0px)"


def test_zoom_shows_real_pixels_and_moves(page: Page) -> None:
    page.choose("search", "large")
    page.until(lambda: page.listed() == ["large.png"])
    page.enter()
    assert page.js("return document.getElementById('sheet').offsetWidth") < 1000
    page.press("z")
    assert page.js("return document.getElementById('sheet').offsetWidth * devicePixelRatio") == 2000
    assert page.js("return document.querySelector('#sheet .after').naturalWidth") == 2000
    before = page.js("return document.getElementById('stage').scrollLeft")
    ActionChains(page.driver).key_down(Keys.SHIFT).send_keys(Keys.ARROW_RIGHT).key_up(Keys.SHIFT).perform()
    assert page.until(lambda: page.js("return document.getElementById('stage').scrollLeft") > before)
    page.press("z")
    assert page.js("return document.getElementById('sheet').offsetWidth") < 1000


def test_arrows_and_escape_in_the_viewer(page: Page) -> None:
    keys = page.listed()
    page.enter(0)
    page.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT)
    page.until(lambda: page.text("viewer-place").startswith("2 of"))
    page.press(Keys.ESCAPE)
    page.until(lambda: page.current() == keys[1])


def test_a_problem_is_said_in_words(page: Page) -> None:
    page.choose("status", "failed")
    page.enter()
    assert page.text("problem").startswith("Truncated: the file ends before the picture does. Copy it again")


def test_what_the_browser_cannot_show_is_shown_all_the_same(page: Page) -> None:
    page.choose("search", "sheet.tif")
    page.until(lambda: page.listed() == ["sheet.tif"])
    page.enter()
    found = page.js(
        "return [...document.querySelectorAll('#sheet img')].map(e => [e.src.split('/').at(-3), e.naturalWidth])"
    )
    assert found == [["thumbs", 80], ["thumbs", 80]]


def test_an_original_that_is_gone_since_gives_way_to_the_outputs_luma(page: Page, archive: Night) -> None:
    source = archive.source / "large.png"
    source.rename(source.with_suffix(".aside"))
    try:
        page.choose("search", "large")
        page.until(lambda: page.listed() == ["large.png"])
        page.tiles()[0].click()
        page.until(lambda: page.js("return document.querySelector('#sheet .before')?.naturalWidth"))
        # The thumbnail of the original is still at hand.
        assert page.js("return document.querySelector('#sheet .before').naturalWidth") == 320
    finally:
        source.with_suffix(".aside").rename(source)
    assert ["large.png" in each for each in page.complaints()] == [True]


def test_decisions_are_kept_and_downloaded_as_the_contract_says(page: Page, archive: Night) -> None:
    keys = page.listed()
    page.js("Grid.focus(2)")
    page.press("4", Keys.ARROW_RIGHT, "x", Keys.ARROW_RIGHT, "a", Keys.ARROW_RIGHT, "g", "u")
    page.js("Grid.focus(0)")
    page.enter(0)
    page.choose("colour", "#3a5f8a")
    page.part("point").click()
    page.put_point(0.75, 0.25)
    page.press("p")
    page.part("saturation").send_keys("0.8" + Keys.TAB)
    page.part("remark").send_keys('x 1 "her coat was blue" <b>')
    assert len(page.driver.find_elements(By.CSS_SELECTOR, "#points li")) == 2
    page.open()  # it is all there after the page was left
    found = page.decisions()
    assert (found["format"], found["version"]) == ("colorize-decisions", 1)
    pictures = {each["key"]: each for each in found["pictures"]}
    assert set(pictures) == {keys[0], keys[2], keys[3], keys[4]}
    plain = {"points": [], "saturation": None, "warmth": None, "note": ""}
    assert pictures[keys[2]] == plain | {
        "key": keys[2], "sha256": sha256(archive.source / keys[2]), "decision": None, "rating": 4,
    }  # fmt: skip
    assert (pictures[keys[3]]["decision"], pictures[keys[4]]["decision"]) == ("rejected", "approved")
    said = pictures[keys[0]]
    assert list(said) == ["key", "sha256", "decision", "rating", "points", "saturation", "warmth", "note"]
    assert said["sha256"] == sha256(archive.source / keys[0])
    assert (said["saturation"], said["note"]) == (0.8, 'x 1 "her coat was blue" <b>')
    assert [each["color"] for each in said["points"]] == ["#3a5f8a"] * 2
    assert said["points"][0]["x"] == pytest.approx(0.75, abs=0.01)
    assert said["points"][0]["y"] == pytest.approx(0.25, abs=0.02)
    assert said["points"][1]["x"] == pytest.approx(0.5, abs=0.01)


def test_what_was_decided_is_found_again(page: Page) -> None:
    keys = page.listed()
    page.js("Grid.focus(3)")
    page.press("x")
    assert "✕" in page.tiles()[3].text
    page.choose("decided", "rejected")
    assert page.listed() == [keys[3]]
    page.press("x")  # the same key takes it back
    page.choose("decided", "")
    assert "✕" not in page.tiles()[3].text


def test_help_and_search_are_a_key_away(page: Page) -> None:
    page.js("Grid.focus(0)")
    page.press("?")
    assert page.js("return document.getElementById('help').open")
    page.press(Keys.ESCAPE)
    page.press("/")
    assert page.js("return document.activeElement.id") == "search"
    page.press("x", "1")
    assert page.js("return Decisions.count()") == 0


def test_nothing_is_asked_of_any_host(page: Page) -> None:
    page.enter(0)
    asked = [json.loads(each["message"])["message"] for each in page.driver.get_log("performance")]
    urls = [each["params"]["request"]["url"] for each in asked if each["method"] == "Network.requestWillBeSent"]
    assert urls
    assert {url.partition(":")[0] for url in urls} <= {"file", "data", "about", "blob"}
    blocked = page.driver.execute_async_script(
        "const done = arguments[0]; addEventListener('securitypolicyviolation', e => done(e.effectiveDirective));"
        "new Image().src = 'http://127.0.0.1:9/x.png'; setTimeout(() => done('nothing'), 2000)"
    )
    assert blocked == "img-src"
    page.complaints()


def test_a_telephone_has_all_of_it_in_its_width(page: Page) -> None:
    page.driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    )
    try:
        page.open()
        assert page.js("return document.documentElement.scrollWidth") <= 360
        assert not page.part("status").is_displayed()
        page.part("fewer").click()
        assert page.part("status").is_displayed()
        page.enter(0)
        assert page.js("return document.getElementById('viewer').scrollWidth") <= 360
        assert page.js("return document.getElementById('sheet').offsetHeight") > 100
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_light_and_dark(page: Page) -> None:
    def ground(scheme: str) -> str:
        feature = {"name": "prefers-color-scheme", "value": scheme}
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        return str(page.js("return getComputedStyle(document.body).backgroundColor"))

    assert ground("light") == "rgb(245, 244, 240)"
    assert ground("dark") == "rgb(22, 21, 20)"


def test_a_film_plays(archive: Night, page: Page) -> None:
    film = write_film(archive.source / "reel.avi")
    shutil.copy(film, archive.output / "reel.avi")
    archive.record("reel.avi", Status.DONE, place="reel.avi", kind=Kind.FILM)
    archive.gallery()
    page.open()
    page.choose("search", "reel")
    page.until(lambda: page.listed() == ["reel.avi"])
    ActionChains(page.driver).move_to_element(page.tiles()[0]).perform()
    page.until(lambda: page.js("return document.querySelector('#grid .tile img').src.endsWith('.webp')"))
    ActionChains(page.driver).move_to_element(page.part("title")).perform()
    page.until(lambda: page.js("return document.querySelector('#grid .tile img').src.endsWith('.jpg')"))


def test_one_file_works_too(archive: Night, page: Page) -> None:
    alone = page.downloads / "alone.html"
    shutil.copy(archive.gallery(single=True).page, alone)
    other = Page(page.driver, alone, page.downloads).open()
    other.until(lambda: other.js("return [...document.querySelectorAll('#grid img[src]')].every(e => e.naturalWidth)"))
    other.enter(0)
    assert other.js("return document.querySelectorAll('#sheet img')[0].src.slice(0, 10)") == "data:image"
    assert other.js("return document.querySelectorAll('#statistics svg').length") >= 2


@pytest.mark.skipif(AXE is None, reason="needs axe-core; extra: dev")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_fault(page: Page, scheme: str) -> None:
    feature = {"name": "prefers-color-scheme", "value": scheme}
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    page.js("Grid.focus(2)")
    page.press("x", "3")
    assert page.faults() == []
    page.enter(2)
    page.press("p")
    assert page.faults() == []
    page.press(Keys.ESCAPE)
    page.press("?")
    assert page.faults() == []
    page.driver.get(page.address.replace("index.html", "statistics.html"))
    assert page.faults() == []
    page.open()

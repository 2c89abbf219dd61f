"""The click path of a morning, in a browser, on a page that is served; skipped where there is none."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.review.conftest import Archive, serve
from tests.review.test_compare import call

pytest.importorskip("selenium", reason="drives a browser; extra: dev")
from selenium.webdriver.common.keys import Keys

from pipeline.archive.hinting import import_decisions
from pipeline.web.gallery.build import Options, make_gallery
from tests.gallery.browser import AXE, Page, browser, needs_browser

pytestmark = needs_browser

# The colour, red green blue, of the picture "after" at fractions of its width and height.
COLOUR = """
const image = document.querySelector('#sheet img.after'), canvas = document.createElement('canvas');
[canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
const context = canvas.getContext('2d');
context.drawImage(image, 0, 0);
return [...context.getImageData(arguments[0] * canvas.width, arguments[1] * canvas.height, 1, 1).data].slice(0, 3);
"""


def test_a_morning(archive: Archive, tmp_path: Path) -> None:
    times = {path: path.stat().st_mtime_ns for path in archive.output.rglob("box/*")}

    def hints() -> dict[str, dict[str, object]]:
        path = archive.output / "hints.toml"
        return tomllib.loads(path.read_text("utf-8")) if path.exists() else {}

    with serve(archive.output) as served, browser() as driver:
        page = Page(driver, served.address, tmp_path).open()
        assert page.part("download").is_displayed() is False
        page.choose("sort", "doubt")
        doubts = page.js("return Grid.items().map(item => Items.get(item, 'doubt') ?? -1)")
        assert doubts == sorted(doubts, reverse=True)
        assert len(set(doubts)) > 1
        worst = page.listed()[0]
        page.js("Grid.focus(0)")
        page.press(Keys.SPACE)
        assert page.js("return document.activeElement.querySelector('.which').textContent") == "before"
        page.press("x", "1")
        page.until(lambda: hints().get(worst) and hints()[worst].get("rating") == 1)
        assert hints()[worst]["decision"] == "rejected"
        page.control("z")
        page.control("z")
        page.until(lambda: worst not in hints())
        page.control("y")
        page.until(lambda: worst in hints())
        page.part("undo").click()
        page.until(lambda: worst not in hints())

        page.enter(page.listed().index("box/coat.jpg"))
        before = page.js(COLOUR, 0.5, 0.6)
        page.choose("colour", "#3a5f8a")
        page.part("point").click()
        page.put_point(0.5, 0.6)
        page.until(lambda: "preview" in page.text("shown"))
        page.until(lambda: page.js("return document.querySelector('#sheet img.after').naturalWidth"))
        red, _, blue = page.js(COLOUR, 0.5, 0.6)
        assert blue - red > 20 > before[2] - before[0], (before, red, blue)
        assert len(hints()["box/coat.jpg"]["points"]) == 1  # type: ignore[arg-type]
        if AXE is not None:
            assert page.faults() == []
        page.press(Keys.ESCAPE)

        assert archive.run().worked == 1
        page.js("window.before = true")
        page.part("anew").click()
        page.until(lambda: page.js("return !window.before && typeof Gallery === 'object' && Gallery.ready"), 60)
        page.enter(page.listed().index("box/coat.jpg"))
        page.until(lambda: page.js("return document.querySelector('#sheet img.after').complete"))
        page.until(lambda: "preview" not in page.text("shown"))
        after = page.js(COLOUR, 0.5, 0.6)
        assert max(abs(one - other) for one, other in zip(after, (red, _, blue), strict=True)) < 12
        assert page.complaints() == []
    changed = [path.name for path, time in times.items() if path.stat().st_mtime_ns != time]
    assert changed == ["coat.jpg"]


def test_decisions_of_a_page_on_the_disk_go_into_the_hints(archive: Archive, tmp_path: Path) -> None:
    times = {path: path.stat().st_mtime_ns for path in archive.output.rglob("box/*")}
    made = make_gallery(archive.output, Options(workers=1))
    with browser() as driver:
        driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
        page = Page(driver, made.page, tmp_path).open()
        assert page.address.startswith("file://")
        page.enter(page.listed().index("box/coat.jpg"))
        page.choose("colour", "#3a5f8a")
        page.part("point").click()
        page.put_point(0.5, 0.6)
        page.choose("remark", "her coat was blue")
        page.press(Keys.ESCAPE)
        page.js("Grid.focus(arguments[0])", page.listed().index("box/more.png"))
        page.press("x", "2")
        decided = page.decisions()
        assert page.complaints() == []
    assert {each["key"] for each in decided["pictures"]} == {"box/coat.jpg", "box/more.png"}
    came = import_decisions(tmp_path / "colorize-decisions.json", archive.output)
    assert (came.taken, came.unknown, came.others) == (2, [], [])
    said = tomllib.loads((archive.output / "hints.toml").read_text("utf-8"))
    assert said["box/coat.jpg"]["note"] == "her coat was blue"
    assert [each["color"] for each in said["box/coat.jpg"]["points"]] == ["#3a5f8a"]
    assert (said["box/more.png"]["decision"], said["box/more.png"]["rating"]) == ("rejected", 2)
    assert archive.run().worked == 1
    assert not (archive.output / "box/more.png").exists()
    times.pop(archive.output / "box/more.png")
    assert [path.name for path, time in times.items() if path.stat().st_mtime_ns != time] == ["coat.jpg"]


@pytest.mark.skipif(AXE is None, reason="needs axe-core; extra: dev")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_fault_in_a_page_of_variants(archive: Archive, tmp_path: Path, scheme: str) -> None:
    look = tmp_path / "look.html"
    assert call(archive.source / "box/coat.jpg", "-s", look, "--side", 100).exception is None
    with browser() as driver:
        feature = {"name": "prefers-color-scheme", "value": scheme}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        driver.get(look.as_uri())
        assert Page(driver, look, tmp_path).faults() == []

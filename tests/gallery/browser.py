"""A browser that tests drive, and what a person does with the page; skipped where there is none."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

selenium = pytest.importorskip("selenium", reason="drives a browser; extra: dev")
from selenium import webdriver  # noqa: E402
from selenium.common.exceptions import WebDriverException  # noqa: E402
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.remote.webelement import WebElement  # noqa: E402

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CHROMEDRIVER = shutil.which("chromedriver")


def axe() -> Path | None:
    """axe-core, which finds faults of accessibility: a newer one that somebody has put somewhere, or the package's."""
    package = importlib.util.find_spec("axe_core_python")
    found = [Path(os.environ.get("COLORIZE_TEST_AXE", "-"))]
    found += [Path(package.origin).with_name("axe.min.js")] if package and package.origin else []
    return next((path for path in found if path.is_file()), None)


AXE = axe()
needs_browser = pytest.mark.skipif(not (CHROMIUM and CHROMEDRIVER), reason="needs Chromium and chromedriver")


class Page:
    """The page, and what a person does with it."""

    def __init__(self, driver: webdriver.Chrome, page: Path | str, downloads: Path) -> None:
        self.driver, self.downloads = driver, downloads
        self.address = page if isinstance(page, str) else page.absolute().as_uri()

    def open(self) -> Page:
        self.driver.get("about:blank")
        self.driver.get(self.address)
        self.until(lambda: self.js("return Gallery.ready"))
        return self

    def js(self, script: str, *values: Any) -> Any:
        return self.driver.execute_script(script, *values)

    def until(self, holds: Callable[[], Any], seconds: float = 60) -> Any:
        end = time.monotonic() + seconds
        while not (value := holds()):
            assert time.monotonic() < end, "it never came to hold"
            time.sleep(0.02)
        return value

    def part(self, name: str) -> WebElement:
        return self.driver.find_element(By.ID, name)

    def text(self, name: str) -> str:
        return self.js("return document.getElementById(arguments[0]).textContent", name)

    def tiles(self) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, "#grid .tile")

    def listed(self) -> list[str]:
        return self.js("return Grid.items().map(item => Items.get(item, 'key'))")

    def press(self, *keys: str) -> None:
        chain = ActionChains(self.driver)
        for key in keys:
            chain.send_keys(key)
        chain.perform()

    def control(self, key: str) -> None:
        ActionChains(self.driver).key_down(Keys.CONTROL).send_keys(key).key_up(Keys.CONTROL).perform()

    def choose(self, name: str, value: str) -> None:
        self.js(
            "const e = document.getElementById(arguments[0]); e.value = arguments[1];"
            "for (const name of ['input', 'change']) e.dispatchEvent(new Event(name, {bubbles: true}))",
            name,
            value,
        )

    def current(self) -> str:
        return self.js("return document.activeElement.dataset.key || ''")

    def enter(self, number: int = 0) -> None:
        self.tiles()[number].click()
        self.until(lambda: self.js("return document.getElementById('viewer').open"))
        self.until(lambda: self.js("return [...document.querySelectorAll('#sheet img')].every(e => e.complete)"))
        self.until(lambda: self.js("return document.getElementById('facts').childElementCount"))

    def decisions(self) -> dict[str, Any]:
        target = self.downloads / "colorize-decisions.json"
        target.unlink(missing_ok=True)
        self.js("document.getElementById('viewer').close()")
        self.part("download").click()
        self.until(lambda: target.exists() and target.stat().st_size)
        found: dict[str, Any] = json.loads(target.read_text("utf-8"))
        return found

    def complaints(self) -> list[str]:
        return [each["message"] for each in self.driver.get_log("browser")]

    def faults(self) -> list[str]:
        """What axe-core finds."""
        assert AXE is not None
        self.js(AXE.read_text("utf-8"))
        said = self.driver.execute_async_script(
            "const done = arguments[0]; axe.run(document, {preload: false}).then(r => done(r.violations))"
        )
        return [f"{each['id']}: {each['nodes'][0]['html']}" for each in said]

    def put_point(self, x: float, y: float) -> None:
        """Click on the picture at fractions of its width and height."""
        sheet = self.part("sheet")
        width, height = sheet.size["width"], sheet.size["height"]
        move = ActionChains(self.driver).move_to_element_with_offset
        move(sheet, round(width * (x - 0.5)), round(height * (y - 0.5))).click().perform()


@contextmanager
def browser() -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1200,900"):
        options.add_argument(flag)
    options.binary_location = str(CHROMIUM)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    try:
        driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(CHROMEDRIVER))
    except WebDriverException as error:
        pytest.skip(f"the browser does not start: {error.msg}")
    yield driver
    driver.quit()

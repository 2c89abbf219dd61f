"""Charts and figures: they show what was counted."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from pipeline.archive.journal import Journal
from pipeline.web.gallery.drawing import bars, nice, number, stacked
from pipeline.web.gallery.figures import Figures, Histogram
from pipeline.web.gallery.statistics import statistics_page
from tests.gallery.conftest import ODD, Night


def rectangles(svg: str) -> list[dict[str, str]]:
    return [each.attrib for each in ElementTree.fromstring(svg).iter("rect")]


def test_bars_are_as_tall_as_what_they_stand_for() -> None:
    drawn = rectangles(bars("speed", [("a", 5.0), ("b", 10.0), ("c", 0.0)], unit="x", height=200))
    assert [float(each["height"]) for each in drawn] == [100, 200, 0]
    assert all(float(each["y"]) + float(each["height"]) == pytest.approx(210) for each in drawn)


def test_nothing_to_draw_is_drawn_all_the_same() -> None:
    assert rectangles(bars("speed", [], unit="x")) == []
    assert rectangles(stacked("status", [("a", {})], ["done"])) == []


def test_stacked_bars_lie_beside_each_other_and_labels_are_text() -> None:
    drawn = stacked("status", [(ODD, {"failed": 1, "done": 3}), ("b", {"done": 2})], ["done", "failed"])
    first, second, third = rectangles(drawn)
    assert [first["class"], second["class"], third["class"]] == ["is-done", "is-failed", "is-done"]
    assert float(second["x"]) == pytest.approx(float(first["x"]) + float(first["width"]))
    assert float(first["width"]) == pytest.approx(3 * float(second["width"]))
    assert "\u202e" not in drawn


@pytest.mark.parametrize(
    ("amount", "top"), [(0, 1), (1, 1), (1.1, 2), (0.031, 0.04), (5600, 6000), (99, 100), (1e9, 1e9)]
)
def test_axes_end_at_round_numbers(amount: float, top: float) -> None:
    assert nice(amount) == pytest.approx(top)


def test_numbers_are_short() -> None:
    assert [number(each) for each in (0, 3, 1234.5, 2.345, 0.04)] == ["0", "3", "1,234", "2.35", "0.04"]


def test_a_histogram_counts_all_and_what_is_beyond_its_end_to_the_last() -> None:
    histogram = Histogram(5, 20)
    for value in (0, 4.9, 5, 19, 20, 300, -1):
        histogram.add(value)
    assert histogram.bars() == [("0", 3), ("5", 1), ("10", 0), ("15", 3)]


def test_folders_beyond_the_most_count_together() -> None:
    figures = Figures()
    for at in range(30):
        figures.folders[f"box {at:02d}"] = figures.folders.get("", type(figures.doubts.counts)())
        figures.folders[f"box {at:02d}"] = type(figures.doubts.counts)({"done": 30 - at})  # type: ignore[assignment]
    rows = dict(figures.by_folder())
    assert len(rows) == 25
    assert rows["and 6 others"] == {"done": 1 + 2 + 3 + 4 + 5 + 6}


def test_the_page_shows_the_night(night: Night) -> None:
    night.done("box/a.jpg", 1)
    night.done("b.jpg", 2, size=(120, 160))
    night.failed("box/c.jpg")
    text = night.gallery().page.with_name("statistics.html").read_text("utf-8")
    for words in ("Items a second", "Status by folder", "Colourfulness", "Biggest, in pixels", "Slowest"):
        assert words in text
    assert re.search(r'href="index.html#b.jpg">b.jpg</a> <span>0.0192 MP', text)
    assert "3 items in" in text
    assert text.index("#b.jpg") < text.index("#box%2Fa.jpg")
    assert re.search(r"<th scope=\"row\">box</th><td>1</td><td>1</td>", text)
    assert "script" not in text.lower()
    assert "http://" not in text
    assert "Doubt" not in text


def test_a_night_of_many_hours_has_few_bars(night: Night) -> None:
    night.failed("a.jpg")
    figures = Figures()
    figures.moments[night.run_id] = type(figures.doubts.counts)(  # type: ignore[assignment]
        {f"2026-01-01T{hour:02d}:{minute:02d}:00": 60 for hour in range(8) for minute in range(60)}
    )
    with Journal(night.output) as journal:
        journal.db.execute("UPDATE runs SET started_at = '2026-01-01T00:00:00.000+00:00'")
        page = statistics_page(figures, journal, night.output.name, "index.html")
    chart = re.search(r"<svg.*?</svg>", page, re.DOTALL)
    assert chart
    drawn = rectangles(chart[0])
    assert 20 < len(drawn) <= 60
    assert "28,800 items in 7:59:00" in page
    assert len({each["height"] for each in drawn[:-1]}) == 1

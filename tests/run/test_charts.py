"""Other charts are other colours: what they moved is made anew, whoever chose the palette, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import pytest

from pipeline.archive.hints import Entry
from pipeline.archive.journal import Journal
from pipeline.colour import palette
from pipeline.colour.palette import PALETTES, chart_digest
from pipeline.ground.settings import Settings
from pipeline.run import driver
from tests.conftest import landscape

NAMES = ("1.png", "2.png", "3.png")
Run = Callable[..., int]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run with settings; how many were worked on."""
    usual = Settings(palette="plain", engine="opencv", precision="float32", executor="serial")
    (tmp_path / "scans").mkdir()
    for number, name in enumerate(NAMES):
        cv2.imwrite(str(tmp_path / "scans" / name), landscape(number))

    def call(**changes: Any) -> int:
        settings = replace(usual, **changes)
        return driver.run_archive([tmp_path / "scans"], tmp_path / "colour", settings, quiet=True).worked

    return call


@pytest.fixture
def other_charts(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From the call on each chart is another one."""
    real = palette.chart
    return lambda: monkeypatch.setattr(palette, "chart", lambda name: real(name) / 2)


def say(tmp_path: Path, **told: Entry) -> None:
    """Write hints of pictures by the digit they are called."""
    lines = [
        f'["{name[-1]}.png"]\n' + "".join(f"{key} = {value!r}\n" for key, value in entry.items())
        for name, entry in told.items()
    ]
    (tmp_path / "colour").mkdir(exist_ok=True)
    (tmp_path / "colour" / "hints.toml").write_text("".join(lines))


def why(tmp_path: Path, **changes: Any) -> dict[str, str]:
    settings = Settings(engine="opencv", precision="float32", **changes)
    decisions = driver.list_archive([tmp_path / "scans"], tmp_path / "colour", settings)
    return {each.found.key: each.why for each in decisions if each.found.key in NAMES}


def made(tmp_path: Path) -> dict[str, str]:
    with Journal(tmp_path / "colour", read_only=True) as journal:
        return {row.key: row.output_sha256 for row in journal.rows() if row.key in NAMES}


def test_what_they_moved_is_made_anew_and_said_to_be(
    tmp_path: Path, run: Run, other_charts: Callable[[], None]
) -> None:
    assert run(palette="natural") == 3
    before = made(tmp_path)
    assert run(palette="natural") == 0
    other_charts()
    assert set(why(tmp_path, palette="natural").values()) == {"settings changed"}
    assert run(palette="natural") == 3
    assert not set(made(tmp_path).values()) & set(before.values())
    assert run(palette="natural") == 0


def test_under_plain_those_alone_that_have_a_palette_of_their_own(
    tmp_path: Path, run: Run, other_charts: Callable[[], None]
) -> None:
    approved = {"palette": "vivid", "decision": "approved"}
    say(tmp_path, of_1={"palette": "vivid"}, of_2=approved, of_3={"saturation": 0.5})
    assert run() == 3
    before = made(tmp_path)
    assert run() == 0
    other_charts()
    assert why(tmp_path, palette="plain") == {
        "1.png": "settings changed",
        "2.png": "approved, though settings changed",
        "3.png": "done before",
    }
    assert run() == 1
    after = made(tmp_path)
    assert {key for key in NAMES if after[key] != before[key]} == {"1.png"}
    assert run() == 0


def test_and_those_whose_own_net_is_moved_by_one(
    tmp_path: Path, run: Run, tiny_net: Path, other_charts: Callable[[], None]
) -> None:
    say(tmp_path, of_1={"model": "embedded"})
    usual = {"model": str(tiny_net), "palette": "natural"}  # this net does not say how sure it is: no chart
    assert run(**usual) == 3
    other_charts()
    assert run(**usual) == 1
    assert run(**usual) == 0


@pytest.mark.parametrize("change", [{"cast": 0.3}, {"calm": 0.1}, {"unsure_reds": (1.0,) * 7}, {"stretch": True}])
def test_the_numbers_beside_a_chart_count_as_it_does(change: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    before = chart_digest("natural")
    monkeypatch.setitem(PALETTES, "natural", replace(PALETTES["natural"], **change))
    assert chart_digest("natural") not in (before, "")


def test_numbers_for_other_nets_are_known_by_the_palettes_name() -> None:
    # No fingerprint holds them: who changes one raises FORMAT_VERSIONS with it.
    assert {
        name: (each.stretch, each.calm, each.cast, each.curve, each.gain, each.reds) for name, each in PALETTES.items()
    } == {
        "natural": (False, 0.7, 0.15, 0.2, 0.88, 1.0),
        "restrained": (True, 0.7, 0.15, 0.2, 0.88, 0.3),
        "vivid": (False, 0.7, 0.15, 0.2, 1.04, 1.0),
        "plain": (False, 0.0, 0.0, 0.0, 1.0, 1.0),
    }

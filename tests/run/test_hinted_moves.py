"""What hints say of pictures whose sources change their names: those by sha256 go along, those by path stay behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import sha256
from tests.run.stories import Story, a_night_old, exchange


@pytest.fixture
def story(tmp_path: Path, tiny_net: Path) -> Story:
    return a_night_old(tmp_path, tiny_net, 3)


def hint(story: Story, text: str) -> None:
    (story.colour / "hints.toml").write_text(text)


def plain(story: Story) -> dict[str, str]:
    """Which hints each output was made with: none, or the same as another's."""
    return {key: row["output_sha256"][:8] for key, row in story.rows().items()}


@pytest.mark.parametrize("by", ["key", "key and sha256", "sha256"])
@pytest.mark.parametrize("how", ["rename", "exchange"])
def test_hints_and_a_name_that_changes(story: Story, by: str, how: str) -> None:
    without = plain(story)
    digest = sha256(story.scans / "1.jpg")
    name = f"sha256:{digest}" if by == "sha256" else "1.jpg"
    also = f'sha256 = "{digest}"\n' if by == "key and sha256" else ""
    hint(story, f'["{name}"]\nsaturation = 0.0\n{also}')
    story.made.clear()
    assert story.night().worked == 1
    with_it = plain(story)["1.jpg"]
    assert with_it != without["1.jpg"]
    story.made.clear()
    if how == "rename":
        (story.scans / "1.jpg").rename(story.scans / "one.jpg")
    else:
        exchange(story.scans / "1.jpg", story.scans / "2.jpg")
    story.night()
    now = plain(story)["one.jpg" if how == "rename" else "2.jpg"]
    assert now == (without["1.jpg"] if by == "key" else with_it)
    if how == "exchange":
        assert (plain(story)["1.jpg"] == without["2.jpg"]) == (by != "key")


@pytest.mark.parametrize("by", ["key", "sha256"])
def test_a_rejection_by_hint_and_a_name_that_changes(story: Story, by: str) -> None:
    digest = sha256(story.scans / "1.jpg")
    story.unwanted.add(digest)
    hint(story, f'["{f"sha256:{digest}" if by == "sha256" else "1.jpg"}"]\ndecision = "rejected"\n')
    assert story.night().worked == 0
    (story.scans / "1.jpg").rename(story.scans / "one.jpg")
    assert story.night().worked == (by == "key")
    assert story.statuses()["one.jpg"] == ("done" if by == "key" else "rejected")
    (story.scans / "one.jpg").rename(story.scans / "1.jpg")
    assert story.night().worked == 0
    assert story.statuses()["1.jpg"] == "rejected"

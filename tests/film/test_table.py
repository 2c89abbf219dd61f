"""Sources against outputs, as another program sees them: ffprobe, where it is installed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

av = pytest.importorskip("av")

from tests.film.made import MADE, called, clip  # noqa: E402
from tests.film.test_whole import colored  # noqa: E402
from tools.film_table import PICTURE, facts, lines, probed, same_version  # noqa: E402

_PAGE = (Path(__file__).parents[2] / "docs" / "film.md").read_text(encoding="utf-8")

# What is said now and was not before, or cannot be the same: the reason.
_MAY_DIFFER: dict[str, dict[str, str]] = {
    "grey": {"pix_fmt": "colour needs chroma"},
    "odd size": {"pix_fmt": "yuvj444p is yuv444p of full range"},
    "gif": {"pix_fmt": "a palette has no luma", "color_range": "RGB has none"},
    "raw": {"r_frame_rate": "a raw stream counts fields"},
    "variable rate": {"r_frame_rate": "a guess, of ticks"},
}


def seconds_of(path: Path) -> float:
    return float(probed(path)["format"].get("duration", 0))


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not installed")
@pytest.mark.parametrize("name", MADE)
def test_another_program_sees_the_same_film(name: str, tmp_path: Path) -> None:
    source = clip(name, tmp_path)
    target, result = colored(source)
    before, after = facts(source), facts(target)
    may = _MAY_DIFFER.get(name, {})
    differ = {key: (before[key], after[key]) for key in before if before[key] != after[key]}
    said_now = {key for key in differ if before[key] in ("unknown", "progressive") and key in PICTURE}
    print(
        f"\n{name:<18} {source.suffix} -> {target.suffix} {after['frames']} frames, differs: {differ or 'in nothing'}"
    )
    assert set(differ) - set(may) - said_now == set()
    assert result.joined.lost == () or may
    if name not in ("raw", "large start"):  # which say nothing, or count from their clock's beginning
        assert seconds_of(target) == pytest.approx(seconds_of(source), abs=0.06)
    row = list(lines([(f"{called(name)}{source.suffix}", source, target)]))[2]
    if name != "gif" and same_version(_PAGE):  # a GIF is a picture in a run
        assert row in _PAGE.splitlines(), "make the table of docs/film.md anew"
    assert f"| {before['frames']} |" in row
    assert "**" in row or set(differ) <= said_now, row

"""The last looks: parts that do not decode are refused, and a finished film holds the packets of those that did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("av")

from pipeline.ground.errors import ItemError
from pipeline.media.film import check as looks
from pipeline.media.film.encoders import ENCODERS, available
from pipeline.media.film.options import FilmOptions
from pipeline.media.film.scan import scan
from pipeline.media.film.segment import piece
from tests.film.clips import FakeNet, scenes, write_clip
from tests.film.whole import colorize_film

PAIRS = [(name, kind) for name, there in available().items() if there for kind in ENCODERS[name].containers]


@pytest.mark.parametrize(("encoder", "container"), PAIRS)
def test_every_container_gives_back_the_packets_it_was_given(
    encoder: str, container: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the join would decode the film once more, alone."""
    found: list[Any] = []
    same = looks._of_the_same_packets

    def noted(*given: Any) -> Any:
        found.append(same(*given))
        return found[-1]

    monkeypatch.setattr(looks, "_of_the_same_packets", noted)
    source = write_clip(tmp_path / "a.mkv", scenes(14, 64, 48))
    options = FilmOptions(encoder=encoder, container=container)
    colorize_film(source, tmp_path / f"out.{container}", FakeNet(), options, length=7)
    assert [len(times) for times in found] == [14]


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for place in np.random.default_rng(3).integers(len(data) // 4, len(data) * 3 // 4, 30):
        data[int(place)] ^= 0x55
    path.write_bytes(data)


def test_a_part_that_does_not_decode_is_refused(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "a.mkv", scenes(12, 64, 48))
    index, part = scan(source), tmp_path / "part"
    piece(source, index, range(0, 12), FakeNet(), FilmOptions(), part)
    looks.check_part(part, index, 12)
    with pytest.raises(ItemError, match="holds 12 frames, not 13"):
        looks.check_part(part, index, 13)
    damage(part)
    with pytest.raises(ItemError, match="a part of the film"):
        looks.check_part(part, index, 12)


def test_other_packets_are_decoded_and_damaged_ones_refused(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "a.mkv", scenes(20, 64, 48))
    index, others = scan(source), looks.Written()
    looks.check(source, index, 0, others)  # none was written, so all is decoded
    damage(source)
    with pytest.raises(ItemError, match="does not decode"):
        looks.check(source, index, 0, others)

"""HEIC: read with the extra, named without it, tried again once it is there."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.ground.errors import Cause, ItemError
from pipeline.media.photo.decoders import HEIC, recognise
from pipeline.media.photo.metadata import gather
from pipeline.media.photo.read import read

SOURCE = Path(__file__).parent.parent / "fixtures" / "odd" / "hevc.heic"


def test_without_the_extra_its_name_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    with pytest.raises(
        ItemError, match=r"HEIC: `pip install 'colorize-archive\[heic\]'` brings what reads it"
    ) as caught:
        read(SOURCE, max_megapixels=1)
    assert caught.value.cause is Cause.LIBRARY


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
def test_cut_short(tmp_path: Path, share: float) -> None:
    pytest.importorskip("pi_heif")
    data = SOURCE.read_bytes()
    path = tmp_path / "a.heic"
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(ItemError, match=r"truncated|damaged"):
        read(path, max_megapixels=1)


def test_its_size_is_looked_at_first() -> None:
    pytest.importorskip("pi_heif")
    with pytest.raises(ItemError, match="too large: 96 x 72"):
        read(SOURCE, max_megapixels=0.001)


def test_ten_bits_stay_more_than_eight(monkeypatch: pytest.MonkeyPatch) -> None:
    """libheif gives 10 bits in 16 only where it is asked to; without an encoder here, the asking is what is held."""
    library = pytest.importorskip("pi_heif")
    asked: dict[str, Any] = {}
    opened = library.open_heif

    def open_heif(file: Any, **options: Any) -> Any:
        asked.update(options)
        return opened(file, **options)

    monkeypatch.setattr(library, "open_heif", open_heif)
    read(SOURCE, max_megapixels=1)
    assert asked == {"convert_hdr_to_8bit": False}


def test_metadata_is_read_without_a_word_of_loss() -> None:
    pytest.importorskip("pi_heif")
    read(SOURCE, max_megapixels=1)
    assert gather(SOURCE).lost == ()


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", "AVIF"),
        (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf", "AVIF"),
    ],
)
def test_what_a_container_calls_itself(head: bytes, name: str) -> None:
    found = recognise(head)
    assert found is not None
    assert found.name == name


def test_it_is_in_the_list() -> None:
    assert HEIC.order == ("libheif",)

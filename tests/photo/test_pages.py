"""Several pictures in one TIFF: which directories are pages, each read alone, and pages joined to one file."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from pipeline.ground import opened as disk
from pipeline.ground.errors import Cause, ItemError
from pipeline.media.photo import pages as pages_module
from pipeline.media.photo.pages import has_several_pages, join_pages, pages
from pipeline.media.photo.read import read
from pipeline.media.photo.write import encode
from tests.conftest import in_colour, landscape, pages_of, write_tiff

REDUCED, MASK, OF_SEVERAL, OLD = {254: 1}, {254: 4}, {254: 2}, {255: 2}


def test_all_directories_of_a_plain_file_are_pages(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", *[landscape(seed) for seed in range(5)])
    assert pages(path) == [0, 1, 2, 3, 4]
    assert has_several_pages(path)


def test_reduced_copies_and_masks_are_no_pages(tmp_path: Path) -> None:
    tags = [{}, REDUCED, OF_SEVERAL, MASK, {254: 3}, OLD, {254: 2}]
    path = write_tiff(tmp_path / "a.tif", *[landscape(seed) for seed in range(7)], tags=tags)
    assert pages(path) == [0, 2, 6]


def test_a_photograph_with_its_thumbnail_has_one_page(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", landscape(1), landscape(1, 15, 20), tags=[{}, REDUCED])
    assert not has_several_pages(path)
    path = write_tiff(tmp_path / "b.tif", landscape(1, 15, 20), landscape(1), tags=[REDUCED, {}])
    assert (pages(path), has_several_pages(path)) == ([1], False)


def test_a_bigtiff_has_pages_too(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    first, *rest = [Image.fromarray(landscape(seed)) for seed in range(3)]
    first.save(path, save_all=True, append_images=rest, big_tiff=True)
    assert path.read_bytes()[2] == 43
    assert pages(path) == [0, 1, 2]
    assert has_several_pages(path)


def test_a_chain_of_directories_that_bites_its_tail_ends(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", landscape(1), landscape(2))
    data = bytearray(path.read_bytes())
    at, *_ = struct.unpack_from("<I", data, 4)
    second = _next_at(data, at)
    struct.pack_into("<I", data, _next_at(data, struct.unpack_from("<I", data, second)[0]), at)
    path.write_bytes(data)
    assert pages(path) == [0, 1]


def _next_at(data: bytes, directory: int) -> int:
    return int(directory + 2 + 12 * struct.unpack_from("<H", data, directory)[0])


@pytest.mark.parametrize("content", [b"", b"II*\0", b"\xff\xd8\xff\xe0 a JPEG", b"II*\0\x08\0\0\0\xff\xff", b"text"])
def test_what_is_no_tiff_has_not_several_pages(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(content)
    assert not has_several_pages(path)


def test_damage_is_said_and_what_is_gone_is_gone(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", landscape(1), landscape(2))
    data = path.read_bytes()
    second = struct.unpack_from("<I", data, _next_at(data, struct.unpack_from("<I", data, 4)[0]))[0]
    path.write_bytes(data[: second + 20])
    with pytest.raises(ItemError, match="truncated") as caught:
        pages(path)
    assert caught.value.cause is Cause.DAMAGED
    assert has_several_pages(path), "or its first page would be done, and nobody would hear of the second"
    with pytest.raises(FileNotFoundError):
        pages(tmp_path / "gone.tif")


KINDS = {
    "grey": (lambda seed: landscape(seed), {}),
    "deflated": (lambda seed: landscape(seed), {"compression": "tiff_adobe_deflate"}),
    "bilevel": (lambda seed: landscape(seed) > 120, {"compression": "group4"}),
    "jpeg": (lambda seed: landscape(seed), {"compression": "jpeg", "quality": 95}),
    "colour": (lambda seed: np.roll(in_colour(), 9 * seed, axis=1)[:, :, ::-1], {"compression": "tiff_lzw"}),
    "16 bits": (lambda seed: landscape(seed).astype(np.uint16) * 257, {}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_page_reads_as_it_would_alone(tmp_path: Path, kind: str) -> None:
    make, options = KINDS[kind]
    together = write_tiff(tmp_path / "all.tif", *[make(seed) for seed in range(4)], **options)
    for number in range(4):
        alone = read(write_tiff(tmp_path / "one.tif", make(number), **options), max_megapixels=1)
        page = read(together, max_megapixels=1, page=number)
        np.testing.assert_array_equal(page.pixels, alone.pixels)
        assert (page.depth, page.alpha, page.note) == (alone.depth, None, "")


def test_pages_in_16_bit_colour_read_each_as_its_own(tmp_path: Path) -> None:
    made = [np.roll(in_colour(), 9 * seed, axis=1).astype(np.uint16) * 257 for seed in range(3)]
    cv2.imwritemulti(str(tmp_path / "a.tif"), made)
    for number, pixels in enumerate(made):
        page = read(tmp_path / "a.tif", max_megapixels=1, page=number)
        assert page.depth == 16
        np.testing.assert_array_equal(page.pixels, pixels)


def test_a_page_too_large_is_refused_by_its_own_size(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", landscape(1, 10, 10), landscape(2, 100, 100))
    assert read(path, max_megapixels=0.001, page=0).width == 10
    with pytest.raises(ItemError, match=r"too large: 100 x 100 is 0\.01 megapixels") as caught:
        read(path, max_megapixels=0.001, page=1)
    assert caught.value.cause is Cause.TOO_LARGE


def parts(folder: Path, count: int) -> tuple[list[np.ndarray], list[Path]]:
    made, paths = [], []
    for seed in range(count):
        made.append(np.roll(in_colour(30 + seed, 40 + 3 * seed), seed, axis=1))
        paths.append(folder / f"{seed:06d}.tif")
        paths[-1].write_bytes(encode(made[-1], "tif"))
    return made, paths


def test_joined_pages_are_the_parts_in_their_order(tmp_path: Path) -> None:
    made, paths = parts(tmp_path, 20)
    join_pages(paths, tmp_path / "all.tif")
    found = pages_of(tmp_path / "all.tif")
    assert len(found) == 20
    for pixels, page in zip(made, found, strict=True):
        np.testing.assert_array_equal(page[:, :, ::-1], pixels)
    fine, decoded = cv2.imdecodemulti(np.fromfile(tmp_path / "all.tif", np.uint8), cv2.IMREAD_UNCHANGED)
    assert fine
    assert all(np.array_equal(a, b) for a, b in zip(made, decoded, strict=True))


def test_one_part_stays_as_it_is(tmp_path: Path) -> None:
    made, paths = parts(tmp_path, 1)
    join_pages(paths, tmp_path / "all.tif")
    np.testing.assert_array_equal(pages_of(tmp_path / "all.tif")[0][:, :, ::-1], made[0])


def test_alpha_of_a_page_survives_the_join(tmp_path: Path) -> None:
    veil = np.tile(np.arange(80, dtype=np.uint8), (60, 1))
    for number, alpha in enumerate([None, veil]):
        (tmp_path / f"{number}.tif").write_bytes(encode(in_colour(), "tif", alpha=alpha))
    join_pages([tmp_path / "0.tif", tmp_path / "1.tif"], tmp_path / "all.tif")
    first, second = pages_of(tmp_path / "all.tif")
    assert (first.shape, second.shape) == ((60, 80, 3), (60, 80, 4))
    np.testing.assert_array_equal(second[:, :, 3], veil)


def test_more_than_a_tiff_can_hold_is_refused_before_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, paths = parts(tmp_path, 3)
    monkeypatch.setattr(pages_module, "_LARGEST", sum(path.stat().st_size for path in paths) - 1)
    with pytest.raises(ItemError, match="more than 4 GB together") as caught:
        join_pages(paths, tmp_path / "all.tif")
    assert caught.value.cause is Cause.FORMAT_LIMIT
    assert not (tmp_path / "all.tif").exists()


def test_joined_pages_have_tags_of_their_own(tmp_path: Path) -> None:
    _, paths = parts(tmp_path, 4)
    join_pages(paths, tmp_path / "all.tif")
    with Image.open(tmp_path / "all.tif") as image:
        assert isinstance(image, TiffImagePlugin.TiffImageFile)
        sizes = []
        for number in range(4):
            image.seek(number)
            sizes.append(image.size)
            assert image.tag_v2[259] == 5  # LZW
    assert sizes == [(40 + 3 * seed, 30 + seed) for seed in range(4)]


@pytest.mark.parametrize("compression", ["group4", "tiff_lzw", "jpeg", "raw"])
@pytest.mark.parametrize("big", [False, True])
def test_of_a_book_one_page_is_read_and_not_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compression: str, big: bool
) -> None:
    images = [Image.fromarray(landscape(seed, 240, 320)) for seed in range(40)]
    if compression == "group4":
        images = [image.convert("1") for image in images]
    path = tmp_path / "book.tif"
    images[0].save(path, save_all=True, append_images=images[1:], compression=compression, big_tiff=big)
    wanted = [np.asarray(image.convert("L")) for image in images]
    assert pages(path) == list(range(40))
    taken = list[int]()

    class Counted(disk._Source):
        def readinto(self, buffer: Any, /) -> int | None:
            count = super().readinto(buffer)
            taken.append(count or 0)
            return count

        def readall(self) -> Any:
            data = super().readall()
            taken.append(len(data))
            return data

    monkeypatch.setattr(disk, "_Source", Counted)
    for page in (0, 17, 39):
        read(path, max_megapixels=1, page=page)  # the chain of directories is walked once
        taken.clear()
        found = read(path, max_megapixels=1, page=page).pixels
        assert np.abs(found.astype(int) - wanted[page]).max() <= (40 if compression == "jpeg" else 0)
        assert sum(taken) < path.stat().st_size / 3

"""What else looks at originals, where these lie in a storage: verify, gallery, review, series, estimates of films."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("s3fs", reason="reads s3://; extra: storage")

from pipeline.ground import storages
from pipeline.ground.storage import brought, located
from pipeline.run.driver import list_archive, run_archive
from pipeline.run.verify import Luma, verify
from pipeline.web.gallery.build import Options, make_gallery
from tests.conftest import manifest
from tests.review.conftest import serve
from tests.storage.servers import Bucket, Proxy
from tests.storage.test_run import ADDRESS, archive, bucket, files, run, settings

__all__ = ["archive", "bucket"]
PAGES = "pages/minutes 1931.tif"
PICTURE = "box 0/picture 000.jpg"


def test_a_copy_is_there_for_the_length_of_a_block(archive: Path, line: Proxy) -> None:
    with brought(located(f"{ADDRESS}/{PAGES}")) as near:
        assert near.name == "minutes 1931.tif"
        assert near.read_bytes() == (archive / PAGES).read_bytes()
    assert not near.parent.exists()
    with brought(archive / PAGES) as near:
        assert near == archive / PAGES
    with pytest.raises(FileNotFoundError), brought(located(f"{ADDRESS}/gone.tif")):
        pass


def test_verify_compares_with_them_and_says_where_they_are_not_at_hand(
    archive: Path, line: Proxy, tmp_path: Path, tiny_net: Path
) -> None:
    output = tmp_path / "colour"
    run(output, tiny_net)
    assert {each.luma for each in verify(output)} == {Luma.EXACT}
    line.silent = True
    storages.file_system.cache_clear()
    found = {each.output: each.luma for each in verify(output)}
    assert found.pop(PAGES) is Luma.UNSEEN
    assert set(found.values()) == {Luma.EXACT}, "whose originals are inside"


def test_the_gallery_shows_them_and_asks_for_each_once(
    archive: Path, line: Proxy, tmp_path: Path, tiny_net: Path
) -> None:
    output = tmp_path / "colour"
    run(output, tiny_net)
    line.asked.clear()
    made = make_gallery(output, Options(workers=1))
    assert made.unseen == 1, "what is no picture"
    (shown,) = (output / "gallery" / "data").glob("*/rows-0.js")
    table = json.loads(shown.read_text().removeprefix("Gallery.rows(0, ").removesuffix(");\n"))
    assert [key for key, before in zip(table["key"], table["before"], strict=True) if not before] == ["notes.txt"]
    assert not re.search(r"file:|s3:", "".join(path.read_text() for path in shown.parent.glob("*.js")))
    line.asked.clear()
    assert make_gallery(output, Options(workers=1)).made == 0
    assert {path.partition("?")[0] for _, path in line.asked} == {"/museum/scans", "/museum"}, "none for a picture"


def test_the_page_of_review_hands_them_out_and_previews_them(
    archive: Path, bucket: Bucket, line: Proxy, tmp_path: Path, tiny_net: Path
) -> None:
    output = tmp_path / "colour"
    (archive / "box 0" / "hints.toml").write_text('["picture 000.jpg"]\nwarmth = 0.5\n')
    bucket.fill(archive)
    near = tmp_path / "near"
    for inputs, made in (([archive], near), ([located(ADDRESS)], output)):
        run_archive(inputs, made, settings(tiny_net), quiet=True)
    with serve(output) as page, serve(near) as other:
        assert page.picture("before", PICTURE) == (200, (archive / PICTURE).read_bytes())
        status, shown = page.preview(PICTURE, saturation=2)
        assert (status, shown) == other.preview(PICTURE, saturation=2)
        assert cv2.imdecode(np.frombuffer(shown, np.uint8), cv2.IMREAD_COLOR).shape == (60, 80, 3)


def test_approved_pictures_steer_the_others(archive: Path, line: Proxy, tmp_path: Path, tiny_net: Path) -> None:
    for inputs, made in (([archive], tmp_path / "near"), ([located(ADDRESS)], tmp_path / "far")):
        run_archive(inputs, made, settings(tiny_net), quiet=True)
        (made / "hints.toml").write_text(f'["{PICTURE}"]\ndecision = "approved"\n')
        assert run_archive(inputs, made, settings(tiny_net, series="folder"), quiet=True).worked == 1
    steered = manifest(tmp_path / "far")["box 0/picture 007.jpg"]
    assert steered["reason"] == "steered by 1 approved picture of its folder"
    assert files(tmp_path / "far") == files(tmp_path / "near")


def test_films_are_estimated_before_they_begin(
    archive: Path, bucket: Bucket, line: Proxy, tmp_path: Path, tiny_net: Path
) -> None:
    pytest.importorskip("av", reason="a film; extra: film")
    from tests.film.clips import scenes, write_clip

    write_clip(archive / "reel.mkv", scenes(48, 96, 64))
    bucket.fill(archive)
    told = [
        {each.found.key: each.forecast for each in list_archive([place], tmp_path / "colour", settings(tiny_net))}
        for place in (archive, located(ADDRESS))
    ]
    assert told[0]["reel.mkv"] is not None
    assert told[1] == told[0]

"""A preview of a film: its poster, under what is said of all its frames."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

pytest.importorskip("av", reason="writes films; extra: film")

from tests.film.clips import scenes, write_clip
from tests.review.conftest import Archive, serve

POINT = {"x": 0.5, "y": 0.6, "color": "#3a5f8a"}


@pytest.fixture
def film(archive: Archive) -> Archive:
    write_clip(archive.source / "box" / "reel.avi", scenes(24, 96, 64), codec="mpeg4", format="avi")
    archive.run()
    return archive


def decoded(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).astype(int)


def test_what_holds_for_each_frame_is_seen_at_once(film: Archive) -> None:
    with serve(film.output) as page:
        made = [page.preview("box/reel.avi", **said) for said in ({"warmth": -1}, {"warmth": 1}, {"saturation": 0})]
        assert [status for status, _ in made] == [200] * 3
        cold, warm, grey = (decoded(data) for _, data in made)
        assert (warm[:, :, 2] - warm[:, :, 0]).mean() > (cold[:, :, 2] - cold[:, :, 0]).mean() + 10
        assert np.abs(grey[:, :, 0] - grey[:, :, 2]).max() <= 2
        assert page.preview("box/reel.avi") == (204, b"")


def test_a_point_is_no_hint_for_a_film(film: Archive) -> None:
    with serve(film.output) as page:
        status, said = page.preview("box/reel.avi", points=[POINT])
        assert (status, said.decode().count(".")) == (409, 1)
        assert "films take none" in said.decode()
        assert page.preview("box/reel.avi", points=[POINT], warmth=1)[0] == 200

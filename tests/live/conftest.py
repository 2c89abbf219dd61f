"""Clips that the tests of live pictures share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.film.clips import scenes, write_clip


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds, two shots."""
    return write_clip(tmp_path_factory.mktemp("live") / "clip.mp4", scenes(50, 96, 64, cut=25))


@pytest.fixture(scope="session")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute and a half: longer than any test."""
    return write_clip(tmp_path_factory.mktemp("live") / "long.mp4", scenes(2250, 64, 48))

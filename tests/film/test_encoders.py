"""Encoders that need a device: only when they are named, and with a sentence where the device is missing."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("av")

from pipeline.ground.errors import SettingsError
from pipeline.media.film import encoders
from pipeline.media.film.encoders import ENCODERS, available, hardware, settle_encoder
from pipeline.media.film.options import FilmOptions
from tests.film.clips import scenes, write_clip

Colorize = Callable[..., subprocess.CompletedProcess[str]]


def test_auto_never_takes_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "_trouble", lambda name: "")
    assert not settle_encoder(FilmOptions())[1].device
    assert not any(ENCODERS[name].device for name in available())


def test_only_what_is_there_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError) as caught:
        settle_encoder(FilmOptions(encoder="nothing"))
    assert all(name in str(caught.value) for name in hardware())
    monkeypatch.setattr(encoders, "_there", lambda codec: not codec.endswith("nvenc"))
    assert hardware() == {}
    with pytest.raises(SettingsError, match=r"ffv1\.$"):
        settle_encoder(FilmOptions(encoder="nothing"))
    with pytest.raises(SettingsError, match="here has no h264_nvenc"):
        settle_encoder(FilmOptions(encoder="h264_nvenc"))


def test_a_missing_device_is_one_sentence_before_the_start(tmp_path: Path, colorize: Colorize) -> None:
    if not hardware().get("h264_nvenc"):
        pytest.skip("no NVENC in this PyAV, or a card that has it")
    (tmp_path / "scans").mkdir()
    source = write_clip(tmp_path / "scans" / "reel.mp4", scenes(3, 64, 48))
    for call in (("video", source, tmp_path / "out.mp4"), ("run", source.parent, "-o", tmp_path / "colour")):
        run = colorize(*call, "--encoder", "h264_nvenc", "--engine", "opencv", "--precision", "float32")
        assert run.returncode == 2, run.stderr
        assert "needs an NVIDIA graphics card with NVENC" in run.stderr
        assert "h264 does without." in run.stderr
    assert not list((tmp_path / "colour").glob("*.mp4"))

"""Runs over files of pages, cut short where a test wants it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.archive.pieces import Pieces
from pipeline.ground.settings import Settings
from pipeline.run import driver
from pipeline.run.summary import Summary
from pipeline.run.worker import Worker
from tests.conftest import in_colour, landscape, write_tiff

RGB = in_colour()[:, :, ::-1]


@pytest.fixture
def settings(tiny_net: Path) -> Settings:
    return Settings(model=str(tiny_net), engine="opencv", precision="float32", executor="serial")


@pytest.fixture
def run(tmp_path: Path, settings: Settings) -> Callable[..., Summary]:
    """Colorize the folder "scans" into "colour", with the settings that are named."""

    def call(output: str = "colour", **changes: object) -> Summary:
        return driver.run_archive([tmp_path / "scans"], tmp_path / output, replace(settings, **changes))

    return call


def parts(output: Path) -> list[Path]:
    folder = output / ".colorize" / "parts"
    return sorted(folder.rglob("*.tif")) if folder.exists() else []


def stop_after(monkeypatch: pytest.MonkeyPatch, pieces: int) -> list[str]:
    """Let the run die, as by a power cut, once so many pieces were recorded; the list holds all units that began."""
    finished, do, begun = Pieces.finished, Worker.do, []

    def counted(self: Pieces, *arguments: object) -> object:
        part = finished(self, *arguments)  # type: ignore[arg-type]
        if sum(unit.startswith("piece") for unit in begun) == pieces:
            raise KeyboardInterrupt
        return part

    def watched(self: Worker, unit: object) -> object:
        begun.append(f"{unit.verb} {unit.span.number if unit.span else ''}".strip())  # type: ignore[attr-defined]
        return do(self, unit)  # type: ignore[arg-type]

    monkeypatch.setattr(Worker, "do", watched)
    monkeypatch.setattr(Pieces, "finished", counted)
    return begun


def cut_short(run: Callable[..., Summary], monkeypatch: pytest.MonkeyPatch, pieces: int) -> None:
    with monkeypatch.context() as patch:
        stop_after(patch, pieces)
        with pytest.raises(KeyboardInterrupt):
            run()


def units(run: Callable[..., Summary], monkeypatch: pytest.MonkeyPatch, **changes: object) -> list[str]:
    """Run, and return the units that were done."""
    with monkeypatch.context() as patch:
        begun = stop_after(patch, -1)
        run(**changes)
    return begun


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    return write_tiff(tmp_path / "scans" / "letter.tif", *[landscape(seed) for seed in range(6)])

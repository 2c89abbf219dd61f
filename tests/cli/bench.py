"""A run as a user starts it, in this process: scans, the command line, and what came of it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.cli.main import commands
from pipeline.cli.presentation import Presentation
from tests.conftest import landscape, manifest

SEPIA = np.dstack([landscape(1) * share for share in (0.7, 0.85, 1.0)]).astype(np.uint8)


@dataclass
class Bench:
    """Scans, and the command line in this process."""

    folder: Path
    net: Path
    capture: pytest.CaptureFixture[str]

    @property
    def scans(self) -> Path:
        return self.folder / "scans"

    @property
    def colour(self) -> Path:
        return self.folder / "colour"

    def photograph(self, name: str = "1.png", pixels: np.ndarray | None = None) -> Path:
        path = self.scans / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), landscape(1) if pixels is None else pixels)
        return path

    def run(self, *arguments: object, output: str = "colour", plain: bool = False) -> str:
        """Run as a user does, with the tiny net in this process unless `plain`; return what is printed."""
        common = [] if plain else ["--model", self.net, "--engine", "opencv", "--precision", "float32",
                                   "--executor", "serial"]  # fmt: skip
        words = ["run", self.scans, "-o", self.folder / output, *common, *arguments]
        commands.main([str(word) for word in words], standalone_mode=False, obj=Presentation())
        printed = self.capture.readouterr()
        self.said = printed.err
        return printed.out

    def worked(self, *arguments: object, **options: object) -> int:
        return int(json.loads(self.run("--json", *arguments, **options))["worked"])  # type: ignore[arg-type]

    def manifest(self, output: str = "colour") -> dict[str, dict[str, str]]:
        return manifest(self.folder / output)

    def made(self, name: str, output: str = "colour") -> np.ndarray:
        pixels = cv2.imread(str(self.folder / output / name), cv2.IMREAD_UNCHANGED)
        assert pixels is not None
        return pixels

    def statuses(self, output: str = "colour") -> dict[str, str]:
        return {key: row["status"] for key, row in self.manifest(output).items()}


@pytest.fixture
def bench(
    tmp_path: Path,
    tiny_net: Path,
    user_cache: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Bench:
    for name in list(os.environ):
        if name.startswith("COLORIZE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(user_cache))
    return Bench(tmp_path, tiny_net, capsys)

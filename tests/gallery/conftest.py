"""A small archive whose journal says what a night made of it; nothing of it needs a net."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.archive.journal import Journal
from pipeline.ground.errors import Cause
from pipeline.ground.items import Filed, Kind, Result, Seen, Status
from pipeline.web.gallery.build import Gallery, Options, make_gallery
from tests.conftest import in_colour, landscape, sha256

ODD = "<img src=x onerror=alert(1)>/a\"b'c &amp; \u202egpj.x\n#50%?.jpg"


@dataclass
class Night:
    """INPUT, OUTPUT and what became of each item."""

    source: Path
    output: Path
    run_id: str = ""

    def done(self, key: str, seed: int = 1, suffix: str = "", *, size: tuple[int, int] = (60, 80)) -> None:
        """A grey picture and its output, which is in colour."""
        source, output = self.source / key, self.output / (key + suffix)
        grey = landscape(seed, *size)
        colour = cv2.addWeighted(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), 0.5, in_colour(*size), 0.5, 0)
        for path, pixels in ((source, grey), (output, colour)):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(cv2.imencode(path.suffix, pixels)[1].tobytes())
        self.record(key, Status.DONE, place=key + suffix, size=size)

    def failed(self, key: str, reason: str = "truncated: the file ends before the picture does") -> None:
        path = self.source / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\xff\xd8\xff no picture")
        self.record(key, Status.FAILED, reason=reason, cause=Cause.DAMAGED)

    def record(
        self,
        key: str,
        status: Status,
        *,
        place: str = "",
        reason: str = "",
        cause: Cause = Cause.NONE,
        kind: Kind = Kind.PHOTO,
        size: tuple[int, int] = (60, 80),
    ) -> None:
        found = (self.source / key).stat()
        digest = sha256(self.source / key)
        seen = Seen(found.st_size, found.st_mtime_ns, digest, "neutral", 1.0, size[1], size[0], 8, 0)
        output = self.output / place
        filed = Filed(place, output.stat().st_size, sha256(output)) if place else None
        result = Result(key, status, cause, reason, filed, seen, "tiny", "opencv/float32", 0.25)
        with Journal(self.output) as journal:
            if not self.run_id:
                self.run_id = journal.start_run(inputs=[self.source], settings={}, fingerprint="f", version="0")
            journal.record(result, kind=kind, fingerprint="f", run_id=self.run_id)

    def gallery(self, **options: object) -> Gallery:
        return make_gallery(self.output, Options(**{"workers": 1, **options}))  # type: ignore[arg-type]


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    return Night(tmp_path / "in", tmp_path / "out")


def write_film(path: Path, frames: int = 30, black: int = 6) -> Path:
    """A film that begins black."""
    av = pytest.importorskip("av", reason="writes a film; extra: film")
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 80, 60, "yuvj420p"
        for number in range(frames):
            pixels = np.zeros((60, 80, 3), np.uint8) if number < black else np.roll(in_colour(), number, 1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "bgr24")))
        container.mux(stream.encode(None))
    return path

"""What is shown, kept as a film: by the film room's encoders, each frame at its own time."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final

import av
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from pipeline.ground import files
from pipeline.ground.errors import OutputError, SettingsError
from pipeline.media.film.containers import CONTAINERS, Container, named
from pipeline.media.film.encoders import add_picture, settle_encoder
from pipeline.media.film.index import Geometry, Index
from pipeline.media.film.options import FilmOptions
from pipeline.media.film.priority import stay_ordinary
from pipeline.web.live.frame import Frame, Pixels

_TICKS: Final = 1000  # a second: what Matroska counts in
_RATE: Final = Fraction(25)  # a hint to encoders; each frame has its own time
_BT601: Final = 6
# Each frame leaves the encoder before the next one goes in.
_PROMPT: Final = {
    "libx264": {"tune": "zerolatency"},
    "libx265": {"tune": "zerolatency"},
    "libsvtav1": {"svtav1-params": "lp=1:pred-struct=1:lookahead=0"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"},
}
# And goes to the disk at once: Matroska gathers frames for this many milliseconds.
_FLUSHED: Final = {"flush_packets": "1"}
_GATHERED: Final = {"cluster_time_limit": "40"}


class Recorder:
    """Writes coloured frames into a film that has its name only when it is whole.

    Made with what can be found wrong before anything is opened; opens its file with the first frame.
    """

    def __init__(self, path: Path, options: FilmOptions, *, force: bool = False) -> None:
        self._path = path
        self._options = options
        self._container = _container(path, options)
        _check(path, force=force)
        self._stack = ExitStack()
        self._file: BinaryIO | None = None
        self._last = -1

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the film; after an error nothing is left of it."""
        try:
            if kind is None and self._file is not None:
                self._out.mux(self._stream.encode(None))
            self._stack.__exit__(kind, error, trace)
        except (FFmpegError, OSError) as failure:
            raise self._unwritten(failure) from None

    def add(self, frame: Frame, coloured: Pixels) -> None:
        """Write a frame: uint8 BGR (H, W, 3), all of the same even size.

        Raises:
            OutputError: the file cannot be written.
        """
        try:
            if self._file is None:
                self._open(coloured.shape[1], coloured.shape[0])
            self._out.mux(self._stream.encode(self._timed(coloured, frame.at)))
            stay_ordinary()
            assert self._file is not None
            self._file.flush()
        except (FFmpegError, OSError) as error:
            raise self._unwritten(error) from None

    def _timed(self, coloured: Pixels, at: float) -> VideoFrame:
        fed = self._stream.codec_context.pix_fmt
        picture = VideoFrame.from_ndarray(coloured, "bgr24")
        result = picture.reformat(format=fed, dst_colorspace="ITU601", dst_color_range="MPEG", threads=1)
        # Two frames of one millisecond would be one frame.
        self._last = max(self._last + 1, round(at * _TICKS))
        result.pts, result.time_base = self._last, Fraction(1, _TICKS)
        return result

    def _open(self, width: int, height: int) -> None:
        _, encoder = settle_encoder(self._options)
        self._file = self._stack.enter_context(files.replacing(self._path))
        options = _FLUSHED | (_GATHERED if self._container.format in ("matroska", "webm") else {})
        opened: AbstractContextManager[OutputContainer] = av.open(
            self._file, "w", format=self._container.format, container_options=options
        )
        self._out = self._stack.enter_context(opened)
        self._out.metadata["comment"] = self._options.provenance
        self._stream: VideoStream = add_picture(self._out, _as_index(width, height), encoder, self._options)
        context = self._stream.codec_context
        context.time_base = Fraction(1, _TICKS)
        context.options = {**context.options, **_PROMPT.get(encoder.codec, {})}

    def _unwritten(self, error: FFmpegError | OSError) -> OutputError:
        said = files.words(error) if isinstance(error, OSError) else str(error)
        return OutputError(f"{self._path} cannot be written: {said}.")


def _container(path: Path, options: FilmOptions) -> Container:
    suffixes = {container.suffix: name for name, container in CONTAINERS.items()}
    name = suffixes.get(path.suffix.lower())
    if name is None:
        raise SettingsError(f"{path}: end the name in one of {', '.join(suffixes)}; it chooses the container.")
    return named("", options.encoder, name)


def _check(path: Path, *, force: bool) -> None:
    if not path.parent.is_dir():
        raise OutputError(f"{path}: the folder {path.parent} is not there.")
    files.check_destination(path, force=force)


def _as_index(width: int, height: int) -> Index:
    """Describe a film that is not there yet, for the film room."""
    geometry = Geometry(width, height, "yuv420p", "", 1, 1, _BT601, _BT601, 1, 1)
    none = np.empty(0, np.int64)
    return Index(
        geometry,
        container="",
        time_base=Fraction(1, _TICKS),
        rate=_RATE,
        start_time=0,
        timestamps=none,
        checksums=none.astype(np.uint32),
        last_duration=0,
        shots=none,
        kinds=none.astype(np.uint8),
        chroma=none.astype(np.float32),
    )

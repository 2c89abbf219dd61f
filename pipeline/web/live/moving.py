"""Films and network streams, by PyAV; of a file only the file itself is opened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame

from pipeline.ground import files
from pipeline.ground.errors import InputError, ItemError
from pipeline.media.film.planes import settled_matrix, settled_range
from pipeline.media.film.source import decoded, moving_picture, open_film, text_that_is_not_utf8
from pipeline.web.live.frame import Pixels, working_size

# What an address may lead to: other addresses of the network, never a file of this machine, and no playlists.
_PROTOCOLS: Final = "http,https,httpproxy,tcp,tls,crypto,rtsp,rtsps,rtp,srtp,udp"
_FORMATS: Final = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpjpeg,mjpeg,flv,live_flv,ogg,asf,rtsp,rtp,h264,hevc,nut"
)
_OPTIONS: Final = {
    "protocol_whitelist": _PROTOCOLS,
    "format_whitelist": _FORMATS,
    "rtsp_transport": "tcp",  # lost packets of UDP would be smeared over the picture
    "analyzeduration": "1000000",  # microseconds: what is looked at before the first frame
    "enable_drefs": "0",
}
_SECONDS: Final = (10.0, 10.0)  # to open, to wait for the next packet


class FileSource:
    """Implements `Source` for a film's file."""

    def __init__(self, path: Path, width: int) -> None:
        self._path = path
        self._width = width
        self.name = path.name

    def pictures(self) -> Iterator[tuple[float | None, Pixels]]:
        """See `Source.pictures`."""
        try:
            with open_film(self._path) as container:
                yield from _pictures(container, self._width, recorded=True)
        except ItemError as error:
            raise InputError(f"{self._path}: {error}.") from None
        except OSError as error:
            raise InputError(f"{self._path}: {files.words(error)}.") from None


class AddressSource:
    """Implements `Source` for an RTSP or HTTP address."""

    def __init__(self, address: str, name: str, width: int) -> None:
        self._address = address
        self._width = width
        self.name = name

    def pictures(self) -> Iterator[tuple[float | None, Pixels]]:
        """See `Source.pictures`; what has an end is played at its own speed, like a file."""
        try:
            with self._opened() as container:
                yield from _pictures(container, self._width, recorded=container.duration is not None)
        except ItemError as error:
            raise InputError(f"{self.name}: {error}.") from None

    def _opened(self) -> AbstractContextManager[InputContainer]:
        try:
            options = {"container_options": dict(_OPTIONS), **text_that_is_not_utf8("replace")}
            container: InputContainer = av.open(self._address, "r", timeout=_SECONDS, **options)
            return container
        except (av.error.InvalidDataError, av.error.ArgumentError):
            raise InputError(f"{self.name} answers, but sends no film or stream that is known here.") from None
        except FFmpegError as error:
            late = isinstance(error, av.error.ExitError)
            reason = f"nothing came for {_SECONDS[0]:.0f} seconds" if late else str(error.strerror).lower()
            raise InputError(f"{self.name} does not answer: {reason}.") from None


def _pictures(container: InputContainer, width: int, *, recorded: bool) -> Iterator[tuple[float | None, Pixels]]:
    stream = moving_picture(container)
    rate = float(stream.guessed_rate or stream.average_rate or 25)
    size: tuple[int, int] | None = None
    first = 0.0
    for number, frame in enumerate(decoded(container, stream)):
        size = size or _shown_size(frame, width, stream.sample_aspect_ratio or Fraction(1))
        at = number / rate if frame.time is None else frame.time
        first = first if number else at
        yield (at - first if recorded else None), _upright(frame, size)
    if size is None:
        raise ItemError("no frame of it can be decoded")


def _turned(frame: VideoFrame) -> int:
    """Return the quarter turns, counter-clockwise, by which players turn the picture."""
    return round(frame.rotation / 90) % 4


def _shown_size(frame: VideoFrame, width: int, aspect: Fraction) -> tuple[int, int]:
    """Return the size of the upright picture; `aspect` is that of a stored sample."""
    if _turned(frame) % 2:
        return working_size(frame.height, frame.width, width, 1 / aspect)
    return working_size(frame.width, frame.height, width, aspect)


def _upright(frame: VideoFrame, size: tuple[int, int]) -> Pixels:
    turns = _turned(frame)
    across, down = size if turns % 2 == 0 else size[::-1]
    meaning: dict[str, Any] = {}
    if not (frame.format.is_rgb or frame.format.has_palette):
        meaning = {"src_colorspace": settled_matrix(frame), "src_color_range": settled_range(frame, "h264")}
    scaled = frame.reformat(across, down, "bgr24", interpolation="AREA", threads=1, **meaning)
    return np.ascontiguousarray(np.rot90(scaled.to_ndarray(), turns))

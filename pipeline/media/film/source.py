"""Opening a film: the local file itself, and nothing that it may point to."""

from __future__ import annotations

import errno
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import av
from av.codec.context import Flags
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from pipeline.ground.errors import ItemError
from pipeline.ground.opened import opened

# Formats that hold their own pictures. Playlists, SDP, concat scripts and the like open other files and addresses.
_FORMATS: Final = (
    "mov,mp4,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,vvc,av1,obu,ivf,h263,h261,vc1,cavsvideo,dirac,mjpeg,"
    "mjpeg_2000,flv,live_flv,ogg,asf,gif,apng,nut,mxf,gxf,rm,dv,wtv,yuv4mpegpipe,nsv,flic,film_cpk,roq,smk,bink,swf,"
    "amv,vivo,nuv,lxf,wav,mp3,aac,flac,ac3,eac3,dts,aiff,ape,tta,wv,caf,amr,au,w64,mpc,mpc8,tak,truehd"
)
_SAFE: Final = {
    "protocol_whitelist": "file",
    "format_whitelist": _FORMATS,
    "enable_drefs": "0",
    "use_absolute_path": "0",
}
# AVFMT_FLAG_BITEXACT: no version and no random numbers in what a muxer writes.
BITEXACT: Final = 0x400
# AVColorSpace: from these swscale converts; where a frame says another, it refuses the frame.
_CONVERTED: Final = frozenset({0, 1, 2, 3, 4, 5, 6, 7, 9})
_UNSAID: Final = 2
_ATTACHED: Final = Disposition.attached_pic | Disposition.timed_thumbnails
_POINTERS: Final = (
    b"ffconcat",
    b"#EXTM3U",
    b"v=0",
    b"<?xml",
    b"[playlist]",
    b"[Reference]",
    b"<MPD",
    b"<SMIL",
    b"<asx",
)


class _Once:
    """An open file that fails once: what PyAV meets after the first fault it would print, as a traceback."""

    def __init__(self, file: io.BufferedReader[Any]) -> None:
        self.name: str = str(file.name)
        self._file, self._failed = file, False
        self.tell, self.seekable, self.readable = file.tell, file.seekable, file.readable

    def seek(self, offset: int, whence: int) -> int:
        """Go to a place; where there is none, say so as FFmpeg does: a damaged film is no fault of the system."""
        try:
            return self._file.seek(offset, whence)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            return -errno.EINVAL

    def read(self, size: int) -> bytes:
        """Return what comes next; nothing where it has failed before."""
        if self._failed:
            return b""
        try:
            return self._file.read(size)
        except OSError:
            self._failed = True
            raise


def text_that_is_not_utf8(errors: str) -> dict[str, Any]:
    """Return what tells `av.open` to bear texts that are not UTF-8; from PyAV 19 on it does by itself."""
    return {"metadata_errors": errors} if int(av.__version__.partition(".")[0]) < 19 else {}


@contextmanager
def open_film(path: Path) -> Iterator[InputContainer]:
    """Open a film for reading.

    Raises:
        ItemError: empty, not a film, cut off before its table of contents, or a format that points to other files.
        OSError: it cannot be opened, or the system failed while it was read.
    """
    # FFmpeg is given the open file, not its name: what the disk says then reaches us, and not as damage of the film.
    with opened(path.absolute()) as file:
        head = file.read(4096)
        if not head:
            raise ItemError("empty: the file holds no bytes")
        if head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(_POINTERS):
            raise ItemError("a playlist, which points to other files: only the file itself is ever opened")
        file.seek(0)
        try:
            options = {"container_options": dict(_SAFE), **text_that_is_not_utf8("surrogateescape")}
            # One picture is taken for a picture: that others follow, only the file's name tells.
            format = "mjpeg" if head.startswith(b"\xff\xd8\xff") else None
            container: InputContainer = av.open(_Once(file), "r", format=format, **options)
        except FFmpegError as error:
            raise _not_opened(error, head) from None
        with container:
            yield container


def _not_opened(error: FFmpegError, head: bytes) -> ItemError:
    if isinstance(error, av.error.ArgumentError):
        return ItemError("no film's format, or one that points to other files: only the file itself is ever opened")
    if head[4:8] in (b"ftyp", b"mdat", b"wide", b"free", b"skip"):
        return ItemError("the table of contents (moov) is missing: the recording or copy was cut off")
    if isinstance(error, av.error.EOFError):
        return ItemError("damaged or cut short: the file ends before its first frame")
    if isinstance(error, av.error.InvalidDataError):
        return ItemError("not a film, or damaged from its first bytes on")
    return ItemError(f"cannot be opened as a film: {error.strerror or error}")


def moving_picture(container: InputContainer) -> VideoStream:
    """Return the film's picture: the first video stream that is no cover.

    The decoder is set to one thread: decoding damaged films with frame threads gives other pictures each time.

    Raises:
        ItemError: there is none (sound only), or no decoder for it.
    """
    pictures = [stream for stream in container.streams.video if not is_cover(stream)]
    if not pictures:
        kind = "sound only" if container.streams.audio else "nothing that moves"
        raise ItemError(f"no film: {kind}")
    stream = pictures[0]
    if stream.codec_context is None:
        raise ItemError("no decoder here knows this film's codec, or what describes it is damaged")
    stream.thread_type = "SLICE"
    stream.codec_context.thread_count = 1
    stream.codec_context.flags |= Flags.unaligned  # else what a film hides at its left edge would show
    return stream


def is_cover(stream: Stream) -> bool:
    """Say whether a stream is a still beside the film: cover art, or a track of thumbnails."""
    return bool(stream.disposition & _ATTACHED)


class Faults:
    """Counts what went wrong while decoding: it does not end a film."""

    def __init__(self) -> None:
        self.count = 0


def decoded(container: InputContainer, stream: VideoStream, faults: Faults | None = None) -> Iterator[VideoFrame]:
    """Yield a stream's frames in the order in which they are shown; packets that cannot be decoded are counted.

    Raises:
        ValueError: the container was closed meanwhile.
    """
    faults = faults or Faults()
    packets = container.demux(stream)
    ended = False
    while not ended:
        if not len(container.streams):  # PyAV would read on in what is freed, and end the process
            raise ValueError("the film was closed while its frames were still wanted")
        try:
            packet = next(packets)
        except StopIteration:
            return
        except FFmpegError:
            # The demuxer gave up in the middle: what the decoder still holds is shown.
            faults.count += 1
            packet, ended = None, True
        if packet is not None and not packet.size and packet.dts is not None:  # the frame before is shown on
            continue
        faults.count += packet is not None and packet.is_corrupt  # the file ends in the middle of it, or says so
        try:
            for frame in stream.decode(packet):
                if int(frame.colorspace) not in _CONVERTED:
                    frame.colorspace = _UNSAID
                yield frame
        except av.error.EOFError:
            return
        except FFmpegError:
            faults.count += 1

"""The encoders a film may be written with: what they are fed, their settings, and the containers that take them."""

from __future__ import annotations

import errno
import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from av.codec import Codec
from av.codec.codec import UnknownCodecError
from av.codec.context import CodecContext, Flags
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from pipeline.ground.errors import ItemError, OutputError, SettingsError
from pipeline.ground.files import beyond_the_disk
from pipeline.media.film.index import Index
from pipeline.media.film.options import FilmOptions
from pipeline.media.film.planes import LIMITED, layout_of, written_format


@dataclass(frozen=True, slots=True)
class Encoder:
    """One encoder of FFmpeg, as this program uses it: one thread, same input, same bytes.

    Attributes:
        codec: FFmpeg's name.
        quality: default, in the encoder's own measure.
        quality_key: the option that takes it; empty: lossless.
        preset: default.
        preset_key: the option that takes it; empty: there is none.
        options: what else it is told.
        containers: those that it may go to, by `FilmOptions.container`.
        part: FFmpeg's name of the format of part files: one that holds packets as outputs do, so that a finished film
            can be compared with its parts.
        even_only: refuses odd sizes where chroma is subsampled.
        interlaced: can code fields.
        limited_only: cannot say that its range is full: such films are brought to limited range.
        smallest: side of the smallest picture that it takes.
        device: what it needs beside FFmpeg; empty: nothing. Such encoders are used only when they are named, and do
            not promise the same bytes twice.
    """

    codec: str
    quality: int
    quality_key: str
    preset: str
    preset_key: str
    options: Mapping[str, str]
    containers: tuple[str, ...]
    part: str = "mov"
    even_only: bool = False
    interlaced: bool = False
    limited_only: bool = False
    smallest: int = 1
    device: str = ""


_NVENC: Final = "an NVIDIA graphics card with NVENC and its driver"


def _nvenc(codec: str, quality: int, containers: tuple[str, ...], part: str = "mov") -> Encoder:
    constant = {"rc": "vbr", "b": "0"}
    return Encoder(
        codec, quality, "cq", "p5", "preset", constant, containers, part, even_only=True, smallest=160, device=_NVENC
    )


ENCODERS: Final[dict[str, Encoder]] = {
    # Its macroblock tree reads memory that nobody has written (where depends on the width): the same film gave other
    # bytes after other films.
    "h264": Encoder(
        "libx264",
        18,
        "crf",
        "veryfast",
        "preset",
        {"mbtree": "0"},
        ("mp4", "mov", "mkv"),
        even_only=True,
        interlaced=True,
    ),
    "h265": Encoder(
        "libx265",
        20,
        "crf",
        "fast",
        "preset",
        {"x265-params": "pools=none:frame-threads=1:log-level=error"},
        ("mp4", "mov", "mkv"),
        even_only=True,
        smallest=16,  # x265 not only refuses smaller ones: it breaks the heap
    ),
    "av1": Encoder(
        "libsvtav1", 28, "crf", "8", "preset", {"svtav1-params": "lp=1"}, ("mp4", "mkv", "webm"), "mp4", smallest=4
    ),
    "vp9": Encoder("libvpx-vp9", 28, "crf", "5", "cpu-used", {"deadline": "good"}, ("mp4", "mkv", "webm"), "nut"),
    "prores": Encoder(
        "prores_ks", 3, "profile", "", "", {"vendor": "apl0"}, ("mov", "mkv"), interlaced=True, limited_only=True
    ),
    "ffv1": Encoder(
        "ffv1", 0, "", "", "", {"level": "3", "coder": "1", "context": "1", "slicecrc": "1", "g": "1"}, ("mkv",), "nut"
    ),
    "h264_nvenc": _nvenc("h264_nvenc", 20, ("mp4", "mov", "mkv")),
    "h265_nvenc": _nvenc("hevc_nvenc", 22, ("mp4", "mov", "mkv")),
    "av1_nvenc": _nvenc("av1_nvenc", 28, ("mp4", "mkv", "webm"), "mp4"),
}


def available() -> dict[str, bool]:
    """Say of each encoder that runs on the processor whether this machine's FFmpeg holds it."""
    return {name: _there(encoder.codec) for name, encoder in ENCODERS.items() if not encoder.device}


def hardware() -> dict[str, str]:
    """Return the hardware encoders that this machine's FFmpeg holds, and what is in their way; empty: nothing."""
    return {name: _trouble(name) for name, each in ENCODERS.items() if each.device and _there(each.codec)}


@functools.cache
def _trouble(name: str) -> str:
    """Say what is in a hardware encoder's way, or nothing: a small one is opened."""
    encoder = ENCODERS[name]
    context = CodecContext.create(encoder.codec, "w")
    assert isinstance(context, VideoCodecContext)
    context.width = context.height = 256
    context.pix_fmt, context.time_base = "yuv420p", Fraction(1, 25)
    try:
        context.open()
    except FFmpegError as error:
        return f"it needs {encoder.device} ({(error.strerror or str(error)).lower()})"
    return ""


def _there(codec: str) -> bool:
    try:
        return Codec(codec, "w").is_encoder
    except UnknownCodecError:
        return False


# SVT-AV1 writes forty lines to stderr for each piece, unless told before it is first used.
os.environ.setdefault("SVT_LOG", "1")


def settle_encoder(options: FilmOptions) -> tuple[str, Encoder]:
    """Return name and description of the encoder that is used.

    Raises:
        SettingsError: unknown, or not in this machine's FFmpeg.
    """
    if options.encoder == "auto":
        name = next(each for each in ("h264", "vp9", "ffv1") if _there(ENCODERS[each].codec))
        return name, ENCODERS[name]
    if options.encoder not in ENCODERS:
        offered = [*available(), *(name for name, each in ENCODERS.items() if each.device and _there(each.codec))]
        raise SettingsError(f"encoder = {options.encoder!r}: it can be auto, {', '.join(offered)}.")
    encoder = ENCODERS[options.encoder]
    if not _there(encoder.codec):
        raise SettingsError(f"encoder = {options.encoder!r}: the FFmpeg inside PyAV here has no {encoder.codec}.")
    if encoder.device and (trouble := _trouble(options.encoder)):
        software = options.encoder.partition("_")[0]
        raise SettingsError(f"encoder = {options.encoder!r}: {trouble}; {software} does without.")
    return options.encoder, encoder


def encoder_settings(encoder: Encoder, options: FilmOptions) -> dict[str, str]:
    """Return the encoder's own options."""
    settings = dict(encoder.options)
    if encoder.quality_key:
        settings[encoder.quality_key] = str(encoder.quality if options.quality is None else options.quality)
    if encoder.preset_key:
        settings[encoder.preset_key] = options.preset or encoder.preset
    if encoder.codec == "libvpx-vp9":
        settings["b"] = "0"  # else CRF is only a floor
    return settings


def fed_format(index: Index, encoder: Encoder) -> str:
    """Return FFmpeg's name of the planar format that the encoder is fed for this film."""
    known = [form.name for form in Codec(encoder.codec, "w").video_formats or ()]
    geometry = index.geometry
    return written_format(layout_of(geometry.pix_fmt), geometry.width, geometry.height, known, encoder.even_only)


def fed_range(index: Index, encoder: Encoder) -> int:
    """Return the range that the encoder is fed: LIMITED or FULL."""
    return LIMITED if encoder.limited_only else index.geometry.frame_range


def add_picture(container: OutputContainer, index: Index, encoder: Encoder, options: FilmOptions) -> VideoStream:
    """Add the coloured picture to a part file: time counts frames, whatever the film's own times are.

    Raises:
        ItemError: the picture is too small for the encoder.
    """
    geometry = index.geometry
    if min(geometry.width, geometry.height) < encoder.smallest:
        raise ItemError(
            f"{geometry.width} x {geometry.height} is too small for {encoder.codec}: choose another encoder"
        )
    stream = container.add_stream(encoder.codec, rate=index.rate, options=encoder_settings(encoder, options))
    assert isinstance(stream, VideoStream)
    context = stream.codec_context
    context.width, context.height = geometry.width, geometry.height
    context.pix_fmt = fed_format(index, encoder)
    context.time_base = 1 / index.rate
    context.thread_count = 1
    context.flags |= Flags.bitexact
    context.color_range = fed_range(index, encoder)
    context.colorspace = geometry.matrix
    context.color_primaries = geometry.primaries
    context.color_trc = geometry.transfer
    if geometry.aspect:
        context.sample_aspect_ratio = Fraction(geometry.aspect)
    if geometry.interlaced and encoder.interlaced:
        context.flags |= Flags.interlaced_dct | Flags.interlaced_me
        context.field_order = geometry.field_order
    return stream


def unwritten(error: FFmpegError, what: str, refused: str) -> OutputError | ItemError:
    """Return what to raise where FFmpeg could not write.

    Args:
        error: FFmpeg's.
        what: that cannot be written, where the system refused it; begins a sentence.
        refused: what to say of the film where FFmpeg did; what that says stands behind it.
    """
    if isinstance(error, OSError) and error.errno == errno.EFBIG:
        return beyond_the_disk()
    if isinstance(error, OSError) and error.errno:
        return OutputError(f"{what} cannot be written: {os.strerror(error.errno)}.")
    return ItemError(f"{refused}{error.strerror or error}")

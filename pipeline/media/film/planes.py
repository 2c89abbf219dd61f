"""A film's frames as planes: where the luma lies, what its numbers mean, and what format is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from pipeline.colour.signal import Matrix, Signal
from pipeline.ground.errors import ItemError

Luma = NDArray[np.uint8] | NDArray[np.uint16]

# AVColorSpace and AVColorRange, as frames carry them (ITU-T H.273).
_MATRICES: Final[dict[int, Matrix]] = {1: "bt709", 4: "bt601", 5: "bt601", 6: "bt601", 7: "bt709", 9: "bt2020"}
LIMITED: Final = 1
FULL: Final = 2
_GREY_IS_LIMITED: Final = {"h264", "hevc", "av1", "vp9", "vp8", "mpeg2video", "mpeg4"}


@dataclass(frozen=True, slots=True)
class Layout:
    """How the samples of a film's frames are laid out and read.

    Attributes:
        pix_fmt: FFmpeg's name of the format that the decoder gives.
        read: the planar format that frames are brought to before their luma is read; the same where luma is planar.
        bits: of a luma sample.
        across, down: luma samples for each chroma sample, horizontally and vertically: 2, 2 in 4:2:0.
        colour: False where the format has no chroma at all.
        alpha: True where it has transparency, which films with chroma cannot keep.
    """

    pix_fmt: str
    read: str
    bits: int
    across: int
    down: int
    colour: bool
    alpha: bool


def layout_of(pix_fmt: str) -> Layout:
    """Say how frames of FFmpeg's `pix_fmt` are read.

    Raises:
        ItemError: a format without luma that nothing here can turn into one.
    """
    try:
        form = VideoFormat(pix_fmt, 64, 64)
    except ValueError:
        raise ItemError(f"the pixel format {pix_fmt} is not known here") from None
    parts = form.components
    alpha = any(part.is_alpha for part in parts) or form.has_palette
    if form.is_bayer or not parts:
        raise ItemError(f"the pixel format {pix_fmt} is not one of a finished film")
    bits = parts[0].bits
    if form.is_rgb or form.has_palette:
        return Layout(pix_fmt, "yuv444p" if bits <= 8 else "yuv444p10le", min(max(bits, 8), 10), 1, 1, True, alpha)
    colour = len(parts) - alpha == 3
    across = 64 // form.chroma_width() if colour else 1
    down = 64 // form.chroma_height() if colour else 1
    depth = 8 if bits <= 8 else bits
    plain = _planar(across, down, depth) if colour else ("gray" if depth == 8 else f"gray{depth}le")
    semiplanar = depth == 8 and pix_fmt.startswith("nv")
    direct = pix_fmt.replace("yuvj", "yuv").replace("yuva", "yuv") == plain or semiplanar
    return Layout(pix_fmt, pix_fmt if direct else plain, depth, across, down, colour, alpha)


def _planar(across: int, down: int, bits: int) -> str:
    sampling = {(1, 1): "444", (2, 1): "422", (2, 2): "420", (1, 2): "440", (4, 1): "411", (4, 4): "410"}[across, down]
    return f"yuv{sampling}p" + ("" if bits == 8 else f"{bits}le")


def written_format(layout: Layout, width: int, height: int, known: Sequence[str], even_only: bool) -> str:
    """Choose what the encoder is fed: the source's sampling and depth, else the nearest that loses least.

    Args:
        layout: of the source.
        width, height: of the frames.
        known: FFmpeg's names of the formats that the encoder takes.
        even_only: the encoder refuses odd sizes where chroma is subsampled.

    Raises:
        ItemError: it takes none that would do.
    """
    odd = (even_only and width % 2 == 1, even_only and height % 2 == 1)
    wishes = [(2, 2)] if not layout.colour else [(min(layout.across, 2), layout.down)]
    if layout.pix_fmt == "pal8":  # pictures drawn on a screen; nearly nothing plays 4:4:4
        wishes = [(2, 2)]
    wishes += [(2, 2), (2, 1), (1, 1)] if wishes[0] == (2, 2) else [(2, 1), (1, 1), (2, 2)]
    depths = sorted({8, 10, 12, 16, layout.bits}, key=lambda bits: (bits < layout.bits, abs(bits - layout.bits)))
    for bits in depths:
        for across, down in wishes:
            if (across == 2 and odd[0]) or (down == 2 and odd[1]):
                continue
            if down <= across and down <= 2 and (name := _planar(across, down, bits)) in known:
                return name
    raise ItemError("the encoder takes no format that fits this film")


def signal_of(pix_fmt: str, frame_range: int, matrix: int) -> Signal:
    """Say what the numbers of a written frame mean.

    Args:
        pix_fmt: as written, planar.
        frame_range: FULL or LIMITED.
        matrix: FFmpeg's colour space, settled.
    """
    layout = layout_of(pix_fmt)
    return Signal(layout.bits, frame_range == FULL, _MATRICES[matrix], layout.across, layout.down)


def settled_range(frame: VideoFrame, codec: str) -> Literal[1, 2]:
    """Return LIMITED or FULL of a decoded frame; where the film does not say, what its kind commonly means."""
    if frame.format.is_rgb or frame.format.has_palette:
        return LIMITED  # as it is converted
    if frame.format.name.startswith("yuvj") or frame.color_range == FULL:
        return FULL
    if frame.color_range == LIMITED:
        return LIMITED
    grey = frame.format.name.startswith(("gray", "ya", "mono"))
    return FULL if grey and codec not in _GREY_IS_LIMITED else LIMITED


def settled_matrix(frame: VideoFrame) -> int:
    """Return FFmpeg's colour space of a frame; where the film does not say, what players take for its size."""
    if frame.colorspace in _MATRICES:
        return int(frame.colorspace)
    if frame.width > 1024 or frame.height > 576:
        return 1
    return 6 if frame.height <= 486 else 5


def brought(frame: VideoFrame, layout: Layout) -> VideoFrame:
    """Return the frame in the layout's planar format: itself, where it already is."""
    if frame.format.name == layout.read:
        return frame
    if frame.format.is_rgb or frame.format.has_palette:
        space = "ITU709" if settled_matrix(frame) == 1 else "ITU601"
        return frame.reformat(format=layout.read, dst_colorspace=space, dst_color_range="MPEG", threads=1)
    span = settled_range(frame, "")
    return frame.reformat(format=layout.read, src_color_range=span, dst_color_range=span, threads=1)


def sized(frame: VideoFrame, width: int, height: int, frame_range: int) -> VideoFrame:
    """Return a frame at another size, averaged over area: itself, where it has that size."""
    if (frame.width, frame.height) == (width, height):
        return frame
    spans: Any = {"src_color_range": frame_range, "dst_color_range": frame_range}
    if frame.format.is_rgb or frame.format.has_palette:
        spans = {}
    return frame.reformat(width, height, interpolation="AREA", threads=1, **spans)


def plane(frame: VideoFrame, number: int, bits: int) -> NDArray[Any]:
    """Return a view of one plane: uint8 or uint16 (H, W), not contiguous, alive as long as the frame."""
    source = frame.planes[number]
    samples = np.frombuffer(memoryview(source), np.uint8 if bits == 8 else np.dtype("<u2"))
    stride = source.line_size // samples.itemsize
    # The last row may end before its padding does.
    rows = np.lib.stride_tricks.as_strided(
        samples, (source.height, source.width), (stride * samples.itemsize, samples.itemsize)
    )
    return rows


def luma_of(frame: VideoFrame, layout: Layout) -> Luma:
    """Return a frame's luma: uint8 or uint16 (H, W), the decoder's own samples wherever they are planar."""
    return plane(brought(frame, layout), 0, layout.bits)

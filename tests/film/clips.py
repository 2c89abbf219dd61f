"""Small odd films, made here with PyAV."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import cv2
import numpy as np

from tests.conftest import landscape


class FakeNet:
    """A net without weights: smooth colours that follow lightness and place, the same for the same input."""

    spec = SimpleNamespace(input_size=64, name="fake")
    engine, precision, label = "none", "float32", "none/float32"

    def __init__(self) -> None:
        self.asked = 0

    def predict(self, lightness: np.ndarray) -> np.ndarray:
        assert lightness.shape == (64, 64)
        assert lightness.dtype == np.float32
        self.asked += 1
        small = cv2.resize(lightness, (16, 16), interpolation=cv2.INTER_AREA)
        across = np.linspace(-1, 1, 16, dtype=np.float32)[np.newaxis]
        return np.stack([(small - 50) * 0.5 + 20 * across, 30 * across.T - (small - 40) * 0.3], axis=2)


def scenes(count: int, width: int, height: int, *, cut: int = 0, seed: int = 1) -> list[np.ndarray]:
    """Grey frames of a camera that pans over a landscape, and from `cut` on over another one."""
    wide = [landscape(seed + 7 * k, 2 * height, 2 * width) for k in range(2)]
    wide[1] = 255 - wide[1]
    frames = []
    for number in range(count):
        scene = wide[int(0 < cut <= number)]
        frames.append(np.ascontiguousarray(scene[number % height :, number % width :][:height, :width]))
    return frames


def write_clip(
    path: Path,
    frames: Sequence[np.ndarray],
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    rate: Fraction = Fraction(25),
    times: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    format: str | None = None,
    options: dict[str, str] | None = None,
    picture: dict[str, Any] | None = None,
    matrix: Sequence[int] | None = None,
    sound: Sequence[tuple[str, str]] = (),
    sound_from: float = 0.0,
    subtitles: Path | None = None,
    attachment: bytes = b"",
    chapters: Sequence[tuple[int, int, str]] = (),
    tags: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Write grey (H, W) or BGR (H, W, 3) frames as a film, with sound tracks (codec, layout) and what else there is."""
    with av.open(str(path), "w", format=format, container_options=container_options or {}) as out:
        stream = out.add_stream(codec, rate=rate, options={"threads": "1", **(options or {})})
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = frames[0].shape[1], frames[0].shape[0], pix_fmt
        context.time_base = time_base or 1 / rate
        for name, value in (picture or {}).items():
            setattr(context, name, context.flags | value if name == "flags" else value)
        if matrix is not None:
            stream.set_display_matrix(matrix)
        out.metadata.update(tags or {})
        tracks = [_add_sound(out, number, *track) for number, track in enumerate(sound)]
        texts = av.open(str(subtitles)) if subtitles else None
        text = out.add_stream_from_template(texts.streams.subtitles[0]) if texts else None
        if attachment:
            out.add_attachment("font.ttf", "application/x-truetype-font", attachment)
        if chapters:
            out.set_chapters(
                [
                    {"id": k, "start": a, "end": b, "time_base": Fraction(1, 1000), "metadata": {"title": title}}
                    for k, (a, b, title) in enumerate(chapters)
                ]
            )
        for number, frame in enumerate(frames):
            picture_frame = av.VideoFrame.from_ndarray(frame, "gray" if frame.ndim == 2 else "bgr24")
            picture_frame = picture_frame.reformat(format=pix_fmt, src_color_range="JPEG", dst_color_range="MPEG")
            if pix_fmt.startswith("gray"):
                picture_frame = av.VideoFrame.from_ndarray(frame, "gray").reformat(format=pix_fmt)
            picture_frame.pts = times[number] if times is not None else number
            picture_frame.time_base = time_base or 1 / rate
            out.mux(stream.encode(picture_frame))
        out.mux(stream.encode(None))
        seconds = len(frames) / float(rate)
        for track in tracks:
            for packet in _sound_packets(track, seconds, sound_from):
                out.mux(packet)
        if texts is not None:
            for packet in texts.demux(texts.streams.subtitles[0]):
                if packet.size and packet.dts is not None:
                    packet.stream = text
                    out.mux(packet)
            texts.close()
    return path


def interlaced_clip(
    path: Path, count: int = 10, width: int = 96, height: int = 64, *, top_first: bool = True, **options: Any
) -> Path:
    """Write a film whose frames hold two moments each, of a bar that moves eight samples a field."""
    moments = []
    for number in range(2 * count):
        moments.append(np.full((height, width), 60, np.uint8))
        at = 8 * number % (width - 16)
        moments[-1][:, at : at + 16] = 200
    odd = np.arange(height)[:, np.newaxis] % 2 == int(top_first)
    woven = [np.where(odd, late, early) for early, late in zip(moments[::2], moments[1::2], strict=True)]
    return write_clip(
        path,
        woven,
        picture={"flags": (1 << 18) | (1 << 29), "field_order": 2 if top_first else 3},
        options={"x264-params": "tff=1" if top_first else "bff=1", "crf": "10"},
        **options,
    )


def _add_sound(out: Any, number: int, codec: str, layout: str) -> Any:
    stream = out.add_stream(codec, rate=48000, layout=layout)
    stream.metadata["language"] = ("eng", "fra", "deu")[number % 3]
    return stream


def _sound_packets(stream: Any, seconds: float, start: float) -> Any:
    context = stream.codec_context
    if not context.is_open:
        context.open()
    size = context.frame_size or 1024
    channels = context.layout.nb_channels
    wave = (0.1 * np.sin(np.arange(int(48000 * seconds)) / 20)).astype(np.float32)
    for begin in range(0, len(wave) - size, size):
        samples = np.repeat(wave[np.newaxis, begin : begin + size], channels, axis=0)
        frame = av.AudioFrame.from_ndarray(samples, "fltp", context.layout.name)
        frame.sample_rate, frame.pts, frame.time_base = 48000, begin + int(48000 * start), Fraction(1, 48000)
        for resampled in av.AudioResampler(context.format.name, context.layout.name, 48000).resample(frame):
            resampled.pts = frame.pts
            yield from stream.encode(resampled)
    yield from stream.encode(None)


def remux(source: Path, target: Path, **options: Any) -> Path:
    """Copy a film's packets into another container."""
    with av.open(str(source)) as whole, av.open(str(target), "w", **options) as out:
        copies = {each.index: out.add_stream_from_template(each, opaque=True) for each in whole.streams}
        for packet in whole.demux():
            if packet.size and packet.dts is not None:
                packet.stream = copies[packet.stream.index]
                out.mux(packet)
    return target


def pictures(path: Path) -> list[av.VideoFrame]:
    """Decode all frames of a film's picture."""
    with av.open(str(path)) as container:
        stream = next(each for each in container.streams.video if not each.disposition & 1024)
        return list(container.decode(stream))


def times_of(path: Path) -> list[float]:
    """Return the seconds at which a film's frames are shown."""
    return [float(frame.pts * frame.time_base) for frame in pictures(path)]


def packets_of(path: Path, kind: str) -> list[list[bytes]]:
    """Return the packets of all streams of a kind."""
    found: dict[int, list[bytes]] = {}
    with av.open(str(path)) as container:
        streams = [each for each in container.streams if each.type == kind and not each.disposition & 1024]
        numbers = [each.index for each in streams]
        for packet in container.demux(*streams) if streams else ():
            if packet.size:
                found.setdefault(packet.stream.index, []).append(bytes(packet))
    return [found[number] for number in numbers]


def luma(frame: av.VideoFrame) -> np.ndarray:
    """Return a frame's luma without padding."""
    plane = frame.planes[0]
    wide = "10" in frame.format.name or "16" in frame.format.name
    samples = np.frombuffer(plane, np.uint16 if wide else np.uint8)
    return samples.reshape(plane.height, -1)[:, : plane.width].copy()

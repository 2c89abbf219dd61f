"""What a film's header says of its length and size, and what colouring it may take: before any frame is decoded."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from av.video.stream import VideoStream

from pipeline.ground.items import Forecast, Viewing
from pipeline.media.film.encoders import settle_encoder
from pipeline.media.film.excerpt import length_of, windows
from pipeline.media.film.options import FilmOptions
from pipeline.media.film.scan import MOST, rate_of
from pipeline.media.film.source import moving_picture, open_film

# Bits a pixel at the default quality, and how much longer than H.264 it takes: measured on six clips, old ones and new.
_BITS: Final = {"h264": 0.30, "h265": 0.22, "av1": 0.18, "vp9": 0.20, "prores": 5.0, "ffv1": 3.5}
_TIMES_H264: Final = {"h265": 1.8, "vp9": 2.3, "av1": 1.1, "prores": 1.5, "ffv1": 1.3}
# CRF: six steps halve the size. ProRes' profiles and lossless FFV1 have no such measure.
_HALVED_BY: Final = {"h264": 6.0, "h265": 6.0, "av1": 9.0, "vp9": 9.0}
# Seconds of one core for a frame, and for each of its megapixels.
_A_FRAME: Final = 0.010
_A_MEGAPIXEL: Final = 0.045
_SOUND: Final = 128_000


def forecast(path: Path, options: FilmOptions, viewing: Viewing) -> Forecast:
    """Estimate what colouring a film will take.

    Raises:
        ItemError: not a film that can be worked on.
        FileNotFoundError, PermissionError: as for any file.
    """
    with open_film(path) as container:
        stream = moving_picture(container)
        whole = length_of(container, stream)
        seconds = sum(min(stop, whole) - start for start, stop in windows(viewing, whole))
        if seconds == float("inf"):  # a raw stream: by a usual bit rate
            seconds = path.stat().st_size * 8 / 4_000_000
        sound = sum(track.codec_context.bit_rate or _SOUND for track in container.streams.audio)
        return _of(stream, seconds, sound, options, viewing)


def _of(stream: VideoStream, seconds: float, sound: int, options: FilmOptions, viewing: Viewing) -> Forecast:
    width, height = stream.codec_context.width, stream.codec_context.height
    average = stream.average_rate
    rate = average if average and average <= MOST else rate_of(stream)  # of raw DV it is the unit of its times
    frames = max(1, round(seconds * float(rate)))
    if options.width and width:
        width, height = options.width, max(1, round(height * options.width / width))
    pixels = width * height * (2 if viewing.beside else 1)
    name, encoder = settle_encoder(options)
    bits = _BITS.get(name, _BITS["h264"])
    if options.quality is not None and name in _HALVED_BY:
        bits *= 2 ** ((encoder.quality - options.quality) / _HALVED_BY[name])
    work = frames * (_A_FRAME + _A_MEGAPIXEL * pixels / 1e6) * _TIMES_H264.get(name, 1.0)
    size = round(frames * pixels * bits / 8 + seconds * sound / 8)
    return Forecast(round(seconds, 3), frames, width, height, round(work, 3), size)

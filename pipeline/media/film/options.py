"""What a film is asked for; the room's own, so that it can be used and tested without the house's settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pipeline.ground.errors import SettingsError
from pipeline.ground.hints import NO_HINTS, Hints

STEADINESS: Final = ("off", "normal", "strong")
CONTAINERS: Final = ("auto", "mp4", "mov", "mkv", "webm")
ON_COLOR: Final = ("keep", "recolor")


@dataclass(frozen=True, slots=True)
class FilmOptions:
    """How one film is coloured and written.

    Attributes:
        encoder: a name of `pipeline.media.film.encoders.ENCODERS`, or "auto": H.264 where there, else VP9, else FFV1.
        quality: in the encoder's own measure (CRF: lower is better); None takes its default.
        preset: speed of the encoder in its own words; empty takes its default.
        container: "auto" follows the source where it can, else Matroska; or "mp4", "mov", "mkv", "webm".
        steady: "off" (each frame by itself), "normal", or "strong" (longer averages).
        keyframes: distance of the frames that the net sees, 1 to 48; between them colour is carried.
        saturation: factor on the predicted chroma, 0 or more.
        on_color: what becomes of shots already in colour: "keep" their own chroma, or "recolor".
        width: of the output in samples, height in proportion; 0 keeps the size.
        provenance: a sentence for the output's `comment` tag; empty writes none.
        beside: the grey picture is shown beside the coloured one.
        deinterlace: frames that say they are interlaced are made progressive.
        hints: what a person says of the film; `warmth` and `grey` count, at each frame.
    """

    encoder: str = "auto"
    quality: int | None = None
    preset: str = ""
    container: str = "auto"
    steady: str = "normal"
    keyframes: int = 8
    saturation: float = 1.0
    on_color: str = "keep"
    width: int = 0
    provenance: str = ""
    beside: bool = False
    deinterlace: bool = False
    hints: Hints = NO_HINTS

    def __post_init__(self) -> None:
        for name, value, known in (
            ("steady", self.steady, STEADINESS),
            ("container", self.container, CONTAINERS),
            ("on_color", self.on_color, ON_COLOR),
        ):
            if value not in known:
                raise SettingsError(f"{name} = {value!r}: it can be {', '.join(known)}.")
        if self.width and not 16 <= self.width <= 16384:
            raise SettingsError(f"width = {self.width}: it must lie between 16 and 16384, or be 0.")
        if not 1 <= self.keyframes <= 48:
            raise SettingsError(f"keyframes = {self.keyframes}: it must lie between 1 and 48.")

"""Which container a coloured film goes into: the source's own where it can, else Matroska."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.ground.errors import SettingsError
from pipeline.media.film.encoders import Encoder, settle_encoder
from pipeline.media.film.index import Index
from pipeline.media.film.options import FilmOptions
from pipeline.media.film.sounds import held, packed


@dataclass(frozen=True, slots=True)
class Container:
    """A container that outputs are written in.

    Attributes:
        suffix: of the file's name.
        format: FFmpeg's name.
        options: what FFmpeg's muxer is told.
    """

    suffix: str
    format: str
    options: tuple[tuple[str, str], ...] = ()

    def told(self, tags: Mapping[str, str]) -> dict[str, str]:
        """Return what FFmpeg's muxer is told for a film with these tags."""
        told = dict(self.options)
        # Telephones put names of their own kind into MOV and MP4, which FFmpeg writes only in the place of the others.
        if "movflags" in told and any(name.startswith("com.") for name in tags):
            told["movflags"] += "+use_metadata_tags"
        return told


# The table of contents goes to the front, so that a film can be shown while it is still being copied.
_FRONT: Final = (("movflags", "+faststart"),)
CONTAINERS: Final = {
    "mp4": Container(".mp4", "mp4", _FRONT),
    "mov": Container(".mov", "mov", _FRONT),
    "mkv": Container(".mkv", "matroska"),
    "webm": Container(".webm", "webm"),
}


def container_for(source: Path, index: Index, options: FilmOptions) -> Container:
    """Choose the output's container; its suffix is the output's.

    Args:
        source: only its suffix counts.
        index: its scan.
        options: `container` and `encoder`.

    Raises:
        SettingsError: the encoder's pictures do not fit into the container that is asked for.
    """
    name, encoder = settle_encoder(options)
    if options.container != "auto":
        return _asked_for(options.container, name, encoder)
    wished = _like(source, index)
    fits = held(CONTAINERS[wished].format).issuperset(sounds(index))
    return _fitting(wished if fits else "mkv", encoder)


def named(suffix: str, encoder: str, container: str) -> Container:
    """Choose the output's container by names alone, before any film is opened.

    Args:
        suffix: of the source, with its dot.
        encoder, container: as in `FilmOptions`.

    Raises:
        SettingsError: the encoder is not there, or its pictures do not fit into the container that is asked for.
    """
    name, used = settle_encoder(FilmOptions(encoder=encoder))
    if container != "auto":
        return _asked_for(container, name, used)
    return _fitting(_BY_SUFFIX.get(suffix.lower(), "mkv"), used)


def _asked_for(container: str, name: str, encoder: Encoder) -> Container:
    if container not in encoder.containers:
        raise SettingsError(f"container = {container!r}: {name} goes into {', '.join(encoder.containers)}.")
    return CONTAINERS[container]


def _fitting(wished: str, encoder: Encoder) -> Container:
    """Return the container that is wished, else Matroska, else the first that takes the encoder's pictures."""
    return CONTAINERS[next((each for each in (wished, "mkv") if each in encoder.containers), encoder.containers[0])]


_BY_SUFFIX: Final = {
    **dict.fromkeys((".mp4", ".m4v", ".3gp", ".3g2", ".f4v"), "mp4"),
    **dict.fromkeys((".mov", ".qt"), "mov"),
    ".webm": "webm",
}


def unfit_sounds(index: Index, options: FilmOptions) -> list[str]:
    """Return the codecs of those sound tracks that `options.container` cannot hold, not even packed anew."""
    kind = CONTAINERS[options.container].format
    return [codec for codec in sounds(index) if codec not in held(kind) and not packed(kind, codec)]


def _like(source: Path, index: Index) -> str:
    if index.container.startswith("mov,mp4"):
        return "mov" if source.suffix.lower() in (".mov", ".qt") else "mp4"
    return "webm" if source.suffix.lower() == ".webm" else "mkv"


def sounds(index: Index) -> list[str]:
    """Return FFmpeg's names of the codecs of a film's sound tracks."""
    words = [line.split() for line in index.streams]
    return [each[2] for each in words if each[1] == "audio"]

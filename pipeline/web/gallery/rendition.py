"""A small JPEG of a picture or film, in sRGB, and what is learnt while it is made."""

from __future__ import annotations

import io
import mmap
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

from pipeline.colour.colourfulness import colourfulness
from pipeline.ground.errors import ItemError
from pipeline.ground.pixels import eight_bits
from pipeline.media.photo.decoders import JPEG
from pipeline.media.photo.directories import DAMAGE
from pipeline.media.photo.read import guard, read

VERSION: Final = 1  # of what is made: another one makes all thumbnails anew
_QUALITY: Final = 82
_SAID: Final = re.compile(rb'colorize:(Software|Model|ModelSha256|SourceSha256)="([^"]{0,300})"')
_TYPE: Final = b"compositeWithTrainedAlgorithmicMedia"


@dataclass(frozen=True, slots=True)
class Said:
    """What an output says of its colour.

    Attributes:
        invented: whether it carries IPTC's mark for what a net composed, or a film's comment that says so.
        software, model, model_sha256, source_sha256: as it says; empty where it does not.
    """

    invented: bool = False
    software: str = ""
    model: str = ""
    model_sha256: str = ""
    source_sha256: str = ""


@dataclass(frozen=True, slots=True)
class Rendition:
    """What was made of a file.

    Attributes:
        jpeg: the picture; empty where none could be made.
        width, height: of it.
        colourfulness: Hasler and Suesstrunk's M3 of it, 0 for grey, about 100 for a very colourful one.
        said: see `Said`.
        loop: a short moving picture (WebP); empty for what does not move.
        problem: why there is no picture, as a phrase.
    """

    jpeg: bytes = b""
    width: int = 0
    height: int = 0
    colourfulness: float = 0.0
    said: Said = Said()
    loop: bytes = b""
    problem: str = ""


def render(path: Path, *, film: bool, side: int, max_megapixels: float) -> Rendition:
    """Make a JPEG of at most `side` x `side` pixels; a file that can't be shown says why.

    Args:
        path: of a picture, which lies here, or of a film.
        film: which of them.
        side: in pixels; what is smaller stays as it is.
        max_megapixels: larger pictures are not opened.
    """
    try:
        if film:
            from pipeline.web.gallery.poster import poster

            frames, comment = poster(path, side)
            return _rendition(frames[0], Said(invented="invented" in comment, software=comment), loop(frames))
        return _rendition(_small(path, side, max_megapixels), said_by(path), b"")
    except ImportError:
        return Rendition(problem="PyAV is not installed (pip install 'colorize-archive[film]')")
    except (ItemError, *DAMAGE) as error:
        return Rendition(problem=str(error) or type(error).__name__)


def _rendition(image: Image.Image, said: Said, moving: bytes) -> Rendition:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_QUALITY, optimize=True)
    colourful = colourfulness(np.asarray(image.convert("RGB"))[..., ::-1])
    return Rendition(file.getvalue(), *image.size, colourful, said, moving)


def _small(path: Path, side: int, max_megapixels: float) -> Image.Image:
    with path.open("rb") as file:
        jpeg = JPEG.begins.match(file.read(3)) is not None
    if jpeg:
        with suppress(*DAMAGE):  # a damaged one goes the long way, which takes what can be had
            return _jpeg(path, side, max_megapixels)
    made = read(path, max_megapixels=max_megapixels, damaged=True)
    scale = min(1.0, side / max(made.width, made.height))
    pixels = opaque(eight_bits(made.pixels), made.alpha)
    if scale < 1:
        size = (max(1, round(made.width * scale)), max(1, round(made.height * scale)))
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    image = Image.fromarray(pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))
    return in_srgb(image, made.profile)


def _jpeg(path: Path, side: int, max_megapixels: float) -> Image.Image:
    """Decode at a reduced size, which a JPEG's transform gives for little."""
    with Image.open(path, formats=("JPEG",)) as image:
        guard(image.size, max_megapixels)
        profile = image.info.get("icc_profile") or b""
        if image.mode in ("L", "RGB"):
            image.draft(image.mode, (side, side))
        image.thumbnail((side, side), Image.Resampling.BOX, reducing_gap=1.5)
        return in_srgb(ImageOps.exif_transpose(image).convert("L" if image.mode == "L" else "RGB"), profile)


def opaque(pixels: NDArray[np.uint8], alpha: NDArray[Any] | None) -> NDArray[np.uint8]:
    """Lay a picture on white: uint8 (H, W) or (H, W, 3), alpha uint8 or uint16 (H, W); None: it is opaque."""
    if alpha is None:
        return pixels
    share = eight_bits(alpha).astype(np.float32) / 255
    share = share[..., None] if pixels.ndim == 3 else share
    return np.asarray(pixels * share + 255 * (1 - share), np.uint8)


def in_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Bring a picture to sRGB from its ICC profile; as it is where that is empty or unfit."""
    if not profile:
        return image
    with suppress(ImageCms.PyCMSError, OSError, ValueError, TypeError):
        mode = "L" if image.mode == "L" and profile[16:20] == b"GRAY" else "RGB"
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(
            image.convert(mode), source, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
        return converted or image
    return image


def loop(frames: list[Image.Image]) -> bytes:
    """Return frames as one moving picture; nothing where there is but one."""
    if len(frames) < 3:
        return b""
    file = io.BytesIO()
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:], duration=200, loop=0, quality=60, method=2)
    return file.getvalue()


def said_by(path: Path) -> Said:
    """Return what a picture's XMP says of its colour."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        found = {name.decode(): value.decode("utf-8", "replace") for name, value in _SAID.findall(data)}
        invented = data.find(_TYPE) >= 0
    pick: Callable[[str], str] = lambda name: found.get(name, "")  # noqa: E731
    return Said(invented, pick("Software"), pick("Model"), pick("ModelSha256"), pick("SourceSha256"))

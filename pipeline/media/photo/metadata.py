"""What a picture says of itself beside its pixels: taken from a source, whatever its format, for any other."""

from __future__ import annotations

import io
import re
import struct
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from PIL import Image, TiffImagePlugin, UnidentifiedImageError

from pipeline.ground.opened import opened
from pipeline.media.photo import orientation, xmp
from pipeline.media.photo.decoders import HEIC, PILLOW_FORMATS
from pipeline.media.photo.directories import DAMAGE, seek
from pipeline.media.photo.profile import of_gamma

EXIF_HEAD: Final = b"Exif\0\0"
# Tags of a TIFF that describe the picture, not how it is stored: description, maker, model, software, date, artist,
# host, copyright; behind them the directories of EXIF and GPS.
DESCRIPTIVE: Final = (269, 270, 271, 272, 285, 305, 306, 315, 316, 33432)
DIRECTORIES: Final = (0x8769, 0x8825)
# Up to this one the others say how the picture is stored (TIFF 6.0). What is carried over in forms of its own: XMP,
# IPTC, Photoshop's resources, profile; what nobody misses: interoperability, parameters of LERC and printers, padding.
_OF_STORAGE: Final = 532
_RESOURCES: Final = 34377
_ELSEWHERE: Final = frozenset(
    (700, 33723, _RESOURCES, 34675, 40965, 50341, 50674, 59932, 59933, *DIRECTORIES, *DESCRIPTIVE)
)
_NAMED: Final = {
    37724: "Photoshop's layers",
    **dict.fromkeys((33550, 33922, 34264, 34735, 34736, 34737), "GeoTIFF"),
    **dict.fromkeys(
        (40091, 40092, 40093, 40094, 40095, 18246, 18249), "Windows' title, comment, author, keywords, rating"
    ),
}
_A_PATH: Final = re.compile(
    rb"8BIM(?:\x07[\xd0-\xff]|[\x08-\x0a].|\x0b[\x00-\xb6])", re.DOTALL
)  # resources 2000 to 2998


@dataclass(frozen=True, slots=True)
class Metadata:
    """Metadata, each in the form in which most formats hold it; empty where there is none.

    Attributes:
        exif: a TIFF structure, without "Exif" before it.
        xmp: a packet.
        iptc: IIM records, without Photoshop's resource around them.
        profile: ICC.
        density: pixels an inch, across and down; zeros: not said.
        comment: text, as bytes of the source.
        lost: what could not be carried over, as phrases.
    """

    exif: bytes = b""
    xmp: bytes = b""
    iptc: bytes = b""
    profile: bytes = b""
    density: tuple[float, float] = (0.0, 0.0)
    comment: bytes = b""
    lost: tuple[str, ...] = ()

    @property
    def nothing(self) -> bool:
        """Whether there is none, or none that could be carried over."""
        return replace(self, lost=()) == Metadata()

    def without(self, *phrases: str) -> Metadata:
        """Return it with further phrases of what is lost."""
        return replace(self, lost=(*self.lost, *(each for each in phrases if each)))

    def missing(self, other: Metadata) -> list[str]:
        """Return the names of what is here and not in `other`."""
        names = ("exif", "xmp", "iptc", "profile", "comment")
        return [name for name in names if getattr(self, name) and not getattr(other, name)]


def gather(source: Path | bytes, page: int = 0) -> Metadata:
    """Return a picture's metadata; whatever is wrong with them is said in `lost`, never raised.

    Args:
        source: the file, or its bytes.
        page: its number in a file of several, from 0.

    Raises:
        OSError: the file cannot be read.
    """
    with opened(source) if isinstance(source, Path) else io.BytesIO(source) as file:
        return _gathered(file, page)


def _gathered(file: io.BufferedReader | io.BytesIO, page: int) -> Metadata:
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            Image.open(file, formats=_formats()) as image,
        ):
            if page and isinstance(file, io.BufferedReader):
                seek(image, file, page)
            return _of(image)
    except UnidentifiedImageError:
        return Metadata(lost=("metadata: not read, in a file of this kind",))
    except DAMAGE:
        return Metadata(lost=("metadata: damaged",))


def _formats() -> tuple[str, ...]:
    return PILLOW_FORMATS + tuple(name for name in HEIC.pillow if name in Image.OPEN)


def _of(image: Image.Image) -> Metadata:
    found, lost = dict[str, Any](), list[str]()
    readers = {"exif": _exif, "xmp": _xmp, "iptc": _iptc, "density": _density, "comment": _comment}
    for name, reader in readers.items():
        try:
            found[name] = reader(image)
        except DAMAGE:
            lost.append(f"{name}: damaged")
    lost += _left(image)
    return Metadata(**found, profile=profile_of(image), lost=tuple(lost))


def profile_of(image: Image.Image) -> bytes:
    """Return a picture's ICC profile, or what a PNG's gAMA stands for; empty where there is none."""
    return bytes(image.info.get("icc_profile") or _of_gamma(image))


def _left(image: Image.Image) -> list[str]:
    """Return what a picture holds that no other form takes, as phrases: layers, tags of programs and of people."""
    try:
        if image.format == "PSD" and (count := len(getattr(image, "layers", ()))) > 1:
            return [f"layers: {count}, of which the picture was made"]
        if not isinstance(image, TiffImagePlugin.TiffImageFile):
            return []
        names = dict.fromkeys(names_of(image.tag_v2))
        resources = image.tag_v2.get(_RESOURCES, b"")
        if _A_PATH.search(resources[0] if isinstance(resources, tuple) else resources):
            names["Photoshop's paths"] = None
    except DAMAGE:
        return []
    return [f"tags: {', '.join(names)}"] if names else []


def names_of(tags: Iterable[int]) -> Iterator[str]:
    """Yield what tags of a TIFF's directory are called that are carried over in no form, in order."""
    for tag in sorted(tags):
        if tag > _OF_STORAGE and tag not in _ELSEWHERE:
            yield _NAMED.get(tag, str(tag))


def _of_gamma(image: Image.Image) -> bytes:
    """Return the profile that a PNG's gAMA stands for; its sRGB chunk overrules that (PNG 1.2, 4.2.2.3)."""
    info = image.info
    return of_gamma(float(info["gamma"])) if image.format == "PNG" and "gamma" in info and "srgb" not in info else b""


def _exif(image: Image.Image) -> bytes:
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return _exif_of_tiff(image)
    if image.format == "PNG" and "exif" not in image.info and _holds(image, b"eXIf"):
        image.load()  # the chunk stands behind the picture
    block: bytes = image.info.get("exif") or b""
    return block.removeprefix(EXIF_HEAD)


def _holds(image: Any, chunk: bytes) -> bool:
    """Look for a chunk in the file, since Pillow would have to decode the picture to get behind it."""
    at = image.fp.tell()
    image.fp.seek(0)
    found = chunk in image.fp.read()
    image.fp.seek(at)
    return found


def _exif_of_tiff(image: TiffImagePlugin.TiffImageFile) -> bytes:
    stored, made = image.getexif(), Image.Exif()
    for tag in DESCRIPTIVE:
        if tag in stored:
            made[tag] = stored[tag]
    for tag in DIRECTORIES:
        if tag in stored and (directory := stored.get_ifd(tag)):
            made[tag] = dict(directory)
    return made.tobytes().removeprefix(EXIF_HEAD) if len(made) else b""


def _xmp(image: Image.Image) -> bytes:
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        packet = image.tag_v2.get(700, b"")
    else:
        packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    if isinstance(packet, tuple):
        packet = bytes(packet)
    return (packet.encode() if isinstance(packet, str) else bytes(packet)).rstrip(b"\0")


def _iptc(image: Image.Image) -> bytes:
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        found = image.tag_v2.get(33723, b"")
        if isinstance(found, tuple):  # some write it as LONG
            found = struct.pack(f"{image.tag_v2._endian}{len(found)}L", *found)
        return bytes(found).rstrip(b"\0")
    if "photoshop" in image.info and isinstance(image.info["photoshop"], dict):
        return bytes(image.info["photoshop"].get(0x0404, b""))
    raw = image.info.get("Raw profile type iptc")
    return _raw_profile(raw) if isinstance(raw, str) else b""


def _raw_profile(text: str) -> bytes:
    """Return the bytes of ImageMagick's hexadecimal text, with or without Photoshop's resource around them."""
    data = bytes.fromhex("".join(text.split("\n")[3:]))
    at = data.find(b"8BIM\x04\x04")
    if at < 0:
        return data
    size = int.from_bytes(data[at + 8 : at + 12], "big")
    return data[at + 12 : at + 12 + size]


def _density(image: Image.Image) -> tuple[float, float]:
    if image.format in ("JPEG", "MPO") and not image.info.get("jfif_density") and "dpi" not in image.info:
        return (0.0, 0.0)
    if image.info.get("jfif_unit") == 0 and image.format in ("JPEG", "MPO"):
        return (0.0, 0.0)  # a ratio of sides, no resolution
    across, down = image.info.get("dpi") or (0.0, 0.0)
    fits = all(0 < float(each) < 1e6 for each in (across, down))
    if isinstance(image, TiffImagePlugin.TiffImageFile) and image.tag_v2.get(296, 2) == 1:
        return (0.0, 0.0)
    return (float(across), float(down)) if fits else (0.0, 0.0)


def _comment(image: Image.Image) -> bytes:
    found = image.info.get("comment") or image.info.get("Comment") or b""
    return found.encode() if isinstance(found, str) else bytes(found)


def made_upright(metadata: Metadata) -> Metadata:
    """Return metadata of a picture that was turned upright: orientation 1 in EXIF and XMP, no thumbnail."""
    return replace(metadata, exif=_exif_upright(metadata.exif), xmp=xmp.upright(metadata.xmp))


def _exif_upright(block: bytes) -> bytes:
    """Set the orientation to 1 and cut off the thumbnail's directory, in place: no offset moves, none goes wrong."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None:
        return block
    changed = bytearray(block)
    try:
        (at,) = struct.unpack_from(f"{order}I", block, 4)
        (count,) = struct.unpack_from(f"{order}H", block, at)
        for entry in range(at + 2, at + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(f"{order}HH", block, entry)
            if tag == orientation.TAG and kind == 3:
                struct.pack_into(f"{order}H", changed, entry + 8, 1)
        struct.pack_into(f"{order}I", changed, at + 2 + 12 * count, 0)
    except struct.error:
        return b""
    return bytes(changed)


def orientation_of(data: bytes) -> int:
    """Return the EXIF orientation of a picture, 1 to 8, as `read` sees it; 1 where it says none."""
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data), formats=PILLOW_FORMATS) as image:
            found = orientation.tag_of(image)
    except DAMAGE:
        return 1
    return found if 1 <= found <= 8 else 1

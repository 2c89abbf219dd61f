"""A picture that was read becomes the bytes of its coloured copy, in the copy's own format."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline import __version__
from pipeline.colour import recipe
from pipeline.colour.recipe import Look, bands, colorize, planes, predict
from pipeline.ground.errors import ItemError
from pipeline.ground.files import Bytes, unwritable
from pipeline.ground.items import Picture
from pipeline.ground.pixels import eight_bits, grey_of
from pipeline.ground.settings import Settings
from pipeline.media.medium import Tools
from pipeline.media.photo.bands import in_bands, rows_of_strip, write_png, write_tiff
from pipeline.media.photo.caption import Caption, band_height, captioned
from pipeline.media.photo.credentials import Certificate, signed
from pipeline.media.photo.directories import compression
from pipeline.media.photo.jpeg import luma, marks, turbo
from pipeline.media.photo.jpeg.record import holds_original
from pipeline.media.photo.jpeg.segments import Jpeg, behind, is_index, parse
from pipeline.media.photo.jpeg.splice import Colour, colour, joined, refusal, splice
from pipeline.media.photo.metadata import Metadata, gather, made_upright, orientation_of
from pipeline.media.photo.orientation import as_stored
from pipeline.media.photo.profile import coloured, tones
from pipeline.media.photo.read import read
from pipeline.media.photo.write import LZW, check_size, encode, middle, with_alpha, worthwhile
from pipeline.media.photo.xmp import Provenance, with_provenance
from pipeline.nets.net import Net

# Pixels that are in colour at once where a picture is large.
_BAND_PIXELS: Final = 4_000_000

_INDEX_LOST: Final = "MPF: the index of the pictures behind it"
_PADDING: Final = 64  # bytes behind a picture that tell nobody anything
# Stands in the manifest wherever a luma is not the source's own; `verify` goes by it.
NO_LUMA = "the luma was coded anew"


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be made of one source.

    Attributes:
        source: the original.
        sha256: of its bytes, in hexadecimal.
        picture: it, decoded and upright.
        format: "jpg", "png", "tif" or "webp".
        tools: the worker's.
        page: the picture's number in a file of several, from 0.
    """

    source: Path
    sha256: str
    picture: Picture[Any]
    format: str
    tools: Tools
    page: int = 0

    @property
    def net(self) -> Net:
        """What predicts colour."""
        return self.tools.net

    @property
    def settings(self) -> Settings:
        """The run's."""
        return self.tools.settings

    @property
    def look(self) -> Look:
        """How colour is put to it, whose tones its copy's profile tells."""
        return replace(self.tools.look, tones=tones(self.picture.profile, self.settings))

    @property
    def interleaved(self) -> bool:
        """JPEG's components are to share their scans; the original inside, made of separate ones, is not kept then."""
        return self.settings.jpeg_scans == "interleaved"

    @property
    def half(self) -> bool:
        """JPEG's chroma has half the size."""
        return self.settings.chroma_sampling == "420"


def develop(task: Task) -> tuple[Bytes | Path, tuple[str, ...]]:
    """Colorize a picture and write it down, with what its source says of itself.

    Returns:
        The file's bytes, or a finished file in the folder of unfinished ones; and what could not be carried over, as
        phrases.

    Raises:
        ItemError: the format can't hold it.
        EngineError, ModelError: as the net.
    """
    picture = task.picture
    width, height = size_of_copy(picture.width, picture.height, task.settings)
    check_size(width, height, task.format)
    held = _depth_held(task)
    if held == 8 < picture.pixels.dtype.itemsize * 8:
        task = replace(task, picture=_in_8_bits(picture))
    data, lost = _developed(task) if (width, height) == (picture.width, picture.height) else _arranged(task)
    if by := task.tools.certificate:
        data, lost = _signed(task, data, lost, by)
    return data, (*lost, *([f"depth: {picture.depth} bits became {held}"] if picture.depth > held else []))


def _signed(task: Task, data: Bytes | Path, lost: tuple[str, ...], by: Certificate) -> tuple[Bytes, tuple[str, ...]]:
    """Sign a copy; what was inside before must come out again."""
    plain = data.read_bytes() if isinstance(data, Path) else bytes(data)
    made = signed(plain, task.format, task.source, by, _said(task))
    if task.format == "jpg" and holds_original(plain) and not holds_original(made):
        lost = (*lost, "original: not to be taken out, since the source is signed itself")
    return made, lost


def size_of_copy(width: int, height: int, settings: Settings) -> tuple[int, int]:
    """Return width and height of a copy, which may show both states and a caption, from those of its picture."""
    width *= 2 if settings.layout == "side-by-side" else 1
    return width, height + (band_height(width, height) if settings.caption else 0)


def keeps_luma(format: str, settings: Settings) -> bool:
    """Tell whether the luma of a JPEG is kept as it is, and half its size suffices for its chroma."""
    exact = settings.lightness == "luma" and settings.layout == "single" and settings.chroma_sampling == "420"
    return format == "jpg" and exact and not settings.caption


def _depth_held(task: Task) -> int:
    """Return how many bits of a sample the copy has: JPEG, WebP and the tutorial's arithmetic know 8 alone."""
    if task.format in ("jpg", "webp") or task.settings.lightness == "lab":
        return 8
    return int(task.picture.pixels.dtype.itemsize) * 8


def _in_8_bits(picture: Picture[Any]) -> Picture[Any]:
    alpha = picture.alpha
    return replace(picture, pixels=eight_bits(picture.pixels), alpha=None if alpha is None else eight_bits(alpha))


def _developed(task: Task) -> tuple[Bytes | Path, tuple[str, ...]]:
    if task.format != "jpg" or task.settings.lightness == "lab":
        return _encoded(task)
    with task.source.open("rb") as file:
        data = file.read() if file.peek(3)[:3] == b"\xff\xd8\xff" else b""
    if end := task.picture.end:
        data = data[:end] + b"\xff\xd9" + data[end:]
    made, lost = _kept(task, data) if data else _made(task, NO_LUMA)
    return _interleaved(made, lost) if task.interleaved else (made, lost)


def _interleaved(data: Bytes, lost: tuple[str, ...]) -> tuple[Bytes, tuple[str, ...]]:
    """Code a JPEG's scans as one, coefficients untouched, for readers that know no separate ones."""
    try:
        jpeg = parse(bytes(data))
        return turbo.rewrite(bytes(data), progressive=jpeg.frame.progressive) + bytes(data[jpeg.end :]), lost
    except ItemError as error:
        return data, (*lost, f"scans: left separate, {error}")


def _kept(task: Task, data: bytes) -> tuple[Bytes, tuple[str, ...]]:
    """Put colour beside the luma that a JPEG has; where that can't be, code the luma anew."""
    try:
        jpeg = parse(data)
        if not refusal(jpeg):
            return _spliced(task, data, jpeg, task.picture.pixels)
        if not (reason := luma.luma_refusal(data, jpeg)):
            grey = luma.luma_of(data)
            return _spliced(task, grey, parse(grey), None)
    except ItemError as error:
        reason = str(error).partition(" is not supported")[0]
    if task.picture.whole:  # now all of it is needed
        limit = task.settings.max_megapixels
        task = replace(task, picture=read(task.source, max_megapixels=limit, damaged=True))
    return _made(task, f"{NO_LUMA}: {reason}", behind(data))


def _spliced(
    task: Task, grey_jpeg: bytes, jpeg: Jpeg, upright: NDArray[np.uint8] | None
) -> tuple[Bytes, tuple[str, ...]]:
    """Put colour into a grey JPEG: the source, of which `upright` are the pixels, or what was made of it."""
    chroma = _coded_chroma(task, grey_jpeg, jpeg, upright)  # its planes are gone when the file is put together
    edits, lost = _edits(task, grey_jpeg, jpeg)
    own = upright is not None and not task.interleaved and not task.picture.end
    digest = bytes.fromhex(task.sha256) if own else None
    return joined(grey_jpeg, chroma, edits=edits, digest=digest, keep=own), lost


def _coded_chroma(task: Task, grey_jpeg: bytes, jpeg: Jpeg, upright: NDArray[np.uint8] | None) -> Colour:
    orientation = orientation_of(grey_jpeg)
    if upright is not None and upright.ndim == 2:
        grey = as_stored(upright, orientation) if orientation > 1 else upright
    else:
        grey = luma.decoded(grey_jpeg)
    whole = (jpeg.frame.height, jpeg.frame.width)
    halved = task.picture.whole is not None and grey.shape == tuple(-(-side // 2) for side in whole)
    if grey.shape != whole and not halved:
        raise ItemError("its size is not what its header says")
    ab = as_stored(predict(task.picture.pixels, task.net, task.look), orientation)
    cb, cr = planes(grey, ab, task.look, half=task.half, whole=whole if halved else None)
    return colour(grey_jpeg, jpeg, cb, cr)


def _edits(task: Task, data: bytes, jpeg: Jpeg) -> tuple[list[Any], tuple[str, ...]]:
    profile = task.picture.profile
    swapped = coloured(profile) if profile else b""
    found = gather(data) if task.settings.provenance else Metadata()
    packet = _packet(task, found.xmp)
    edits, lost = marks.replacements(data, jpeg, xmp=packet, profile=swapped if swapped != profile else None)
    missing = _profile_lost(profile, swapped), "provenance: its XMP cannot be added to" * (packet == b"" != found.xmp)
    said = missing if task.settings.provenance else missing[:1]
    index = _INDEX_LOST if any(is_index(data, part) for part in jpeg.segments) else ""
    return edits, (*lost, *(each for each in (*said, index) if each))


def _made(task: Task, reason: str, rest: bytes = b"") -> tuple[Bytes, tuple[str, ...]]:
    """Code the luma as a grey JPEG and put colour beside it, so that all JPEGs are made alike.

    All that stands behind the picture of a source that is a JPEG is `rest`, and stays.
    """
    grey = grey_of(eight_bits(task.picture.pixels))
    ab = predict(task.picture.pixels, task.net, task.look)
    jpeg = bytes(encode(grey, "jpg", task.settings.quality))
    cb, cr = planes(luma.decoded(jpeg), ab, task.look, half=task.half)
    metadata = _carried(task, left=False).without(reason)
    data, lost = marks.written(splice(jpeg, cb, cr, keep=False), metadata)
    return data + rest, (*metadata.lost, *lost)


def _arranged(task: Task) -> tuple[Bytes, tuple[str, ...]]:
    """Write the picture as it was and as it became, left and right, or with its caption, into one."""
    shown, alpha = colorize(task.picture.pixels, task.net, task.look), task.picture.alpha
    reasons = list[str]()
    if task.settings.layout == "side-by-side":
        shown, alpha = _pair(task.picture.pixels, shown), None if alpha is None else np.hstack([alpha, alpha])
        reasons.append("side by side")
    if task.settings.caption:
        shown = captioned(shown, Caption(task.settings.caption, task.settings.caption_font))
        alpha = None if alpha is None else _opaque_below(alpha, shown.shape[0])
        reasons.append("a caption stands below")
    metadata = _carried(task).without(f"{NO_LUMA}: {', '.join(reasons)}")
    return _written(replace(task, picture=replace(task.picture, alpha=alpha)), shown, metadata)


def _opaque_below(alpha: NDArray[Any], height: int) -> NDArray[Any]:
    rows = np.full((height - alpha.shape[0], alpha.shape[1]), np.iinfo(alpha.dtype).max, alpha.dtype)
    return np.concatenate([alpha, rows])


def _pair(before: NDArray[Any], made: NDArray[Any]) -> NDArray[Any]:
    plain = cv2.cvtColor(before, cv2.COLOR_GRAY2BGR) if before.ndim == 2 else before
    return np.hstack([plain.astype(made.dtype), made])


def _encoded(task: Task) -> tuple[Bytes | Path, tuple[str, ...]]:
    if task.settings.lightness == "luma" and in_bands(task.picture.pixels, task.format):
        return _in_bands(task)
    pixels = colorize(task.picture.pixels, task.net, task.look)
    return _written(task, pixels, _carried(task))


def _in_bands(task: Task) -> tuple[Path, tuple[str, ...]]:
    """Write a large picture into a file of its own, never all of it in colour in memory."""
    pixels, metadata, size = task.picture.pixels, _carried(task), (task.picture.width, task.picture.height)
    strip = rows_of_strip(size[0], 4, pixels.dtype.itemsize)
    ab = predict(pixels, task.net, task.look)
    rows = strip * max(1, _BAND_PIXELS // (size[0] * strip))
    coloured = _with_alpha(task, bands(pixels, ab, task.look, rows), rows)
    path = task.tools.scratch(f".{task.format}")
    try:
        with path.open("xb") as file:
            lost = _filed(file, coloured, size, metadata, task, _tried(task, ab))
    except OSError as error:
        raise unwritable(error, path.parent) from None
    return path, (*metadata.lost, *lost)


def _tried(task: Task, ab: NDArray[np.float32]) -> NDArray[Any]:
    """Return rows of the middle in colour, be it those of other rows: what compression makes of them is the same."""
    return recipe.coloured(middle(task.picture.pixels), ab, task.look)


def _with_alpha(task: Task, coloured: Iterator[NDArray[Any]], rows: int) -> Iterator[NDArray[Any]]:
    for number, band in enumerate(coloured):
        alpha = _alpha(task.picture, band)
        yield band if alpha is None else with_alpha(band, alpha[number * rows : number * rows + len(band)])


def uncoloured(task: Task) -> tuple[Bytes, tuple[str, ...]]:
    """Write a picture down as it is, with what its source says of itself; as `develop` otherwise."""
    return _written(task, task.picture.pixels, made_upright(gather(task.source, task.page)))


def _written(task: Task, pixels: NDArray[Any], metadata: Metadata) -> tuple[Bytes, tuple[str, ...]]:
    if task.format == "webp":
        return _webp(task, pixels, metadata)
    if task.format == "jpg":
        data, lost = marks.written(bytes(encode(pixels, "jpg", task.settings.quality)), metadata)
        return data, (*metadata.lost, *lost)
    alpha, file = _alpha(task.picture, pixels), io.BytesIO()
    made = pixels if alpha is None else with_alpha(pixels, alpha)
    lost = _filed(file, [made], made.shape[1::-1], metadata, task, middle(made))
    return file.getbuffer(), (*metadata.lost, *lost)


def _filed(
    file: BinaryIO,
    made: Iterable[NDArray[Any]],
    size: tuple[int, ...],
    metadata: Metadata,
    task: Task,
    tried: NDArray[Any],
) -> list[str]:
    """Write bands of a picture into a PNG or TIFF; rows are `tried` to see what its compression makes of them."""
    width, height = size
    if task.format == "png":
        write_png(file, made, (width, height), metadata)
        return []
    kind = worthwhile(tried, compression(task.source, task.page) or LZW)
    rows = rows_of_strip(width, 4, tried.dtype.itemsize)
    return write_tiff(file, made, (width, height), metadata, compression=kind, rows=rows)


def _webp(task: Task, pixels: NDArray[Any], metadata: Metadata) -> tuple[Bytes, tuple[str, ...]]:
    exact = task.settings.lightness == "luma"
    lossless = exact and not _is_lossy_webp(task.source)
    extra = {"exif": metadata.exif, "xmp": metadata.xmp, "icc_profile": metadata.profile}
    lost = ["IPTC: WebP holds none"] * bool(metadata.iptc) + ["resolution: WebP holds none"] * any(metadata.density)
    lost += [NO_LUMA] * (exact and not lossless)
    alpha = _alpha(task.picture, pixels)
    return encode(pixels, "webp", task.settings.quality, alpha, lossless=lossless, extra=extra), (*metadata.lost, *lost)


def _alpha(picture: Picture[Any], pixels: NDArray[Any]) -> NDArray[Any] | None:
    alpha: Any = picture.alpha
    return alpha if alpha is None or alpha.dtype == pixels.dtype else eight_bits(alpha)


def _is_lossy_webp(source: Path) -> bool:
    """Tell whether a source is a WebP that was coded with loss: what it lost, a lossless copy would only swell with."""
    with source.open("rb") as file:
        head = file.read(4096)
    return head[8:12] == b"WEBP" and b"VP8 " in head[12:] and b"VP8L" not in head[12:]


def _left_behind(task: Task) -> str:
    """Return what a JPEG holds behind its picture and a file that is written anew does not, as a phrase."""
    with task.source.open("rb") as file:
        data = file.read() if file.peek(3)[:3] == b"\xff\xd8\xff" else b""
    size = len(behind(data).rstrip(b"\0"))
    return f"behind the picture: {size:,} bytes, such as a film or further pictures" if size > _PADDING else ""


def _carried(task: Task, *, left: bool = True) -> Metadata:
    """Return the source's metadata for a picture whose pixels are written anew, upright and in colour.

    Args:
        task: the picture.
        left: what stands behind it in its file is not carried over.
    """
    metadata = made_upright(gather(task.source, task.page)).without(_left_behind(task) if left else "")
    profile = coloured(metadata.profile)
    metadata = metadata.without(_profile_lost(metadata.profile, profile))
    if task.format == "jpg" and task.picture.alpha is not None:
        metadata = metadata.without("transparency: JPEG holds none")
    packet = _packet(task, metadata.xmp)
    if task.settings.provenance and not packet:
        metadata = metadata.without("provenance: its XMP cannot be added to")
    return replace(metadata, profile=profile, xmp=packet or metadata.xmp)


def _profile_lost(profile: bytes, kept: bytes) -> str:
    return "ICC profile: of a kind that a picture in colour cannot have" if profile and not kept else ""


def _packet(task: Task, xmp: bytes) -> bytes:
    if not task.settings.provenance:
        return b""
    return with_provenance(xmp, _said(task))


def _said(task: Task) -> Provenance:
    spec = task.net.spec
    return Provenance(f"colorize {__version__}", spec.name, spec.sha256, task.sha256)

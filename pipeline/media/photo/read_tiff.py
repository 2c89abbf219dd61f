"""The photograph of a TIFF, decoded by the first of several decoders that can."""

from __future__ import annotations

import io
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.ground.errors import Cause, ItemError
from pipeline.ground.opened import size_of
from pipeline.media.photo import channels, orientation, words
from pipeline.media.photo.alone import alone
from pipeline.media.photo.decode import Decoded, Refused, upright, with_opencv, with_pillow, with_tifffile
from pipeline.media.photo.decoders import OPENCV, PILLOW, TIFF, TIFFFILE
from pipeline.media.photo.directories import DAMAGE, seek
from pipeline.media.photo.samples import Meaning, divided, multiplied_as_stored
from pipeline.media.photo.tiff import (
    FLOAT,
    INTEGER,
    Directory,
    as_first,
    choose,
    cut_short,
    damaged_deflate,
    header_of_bigtiff,
    strips_of,
    wrong_strips,
)


@dataclass(frozen=True, slots=True)
class Found:
    """A decoded picture of a TIFF.

    Attributes:
        decoded: its samples, upright.
        meaning: of them.
        profile: ICC; empty where there is none.
        phrase: what is damaged inside; usually empty.
        notes: what a person should know.
    """

    decoded: Decoded
    meaning: Meaning
    profile: bytes = b""
    phrase: str = ""
    notes: list[str] = field(default_factory=list)


def chosen(file: io.BufferedReader, page: int | None) -> Directory:
    """Return the directory of the photograph; see `tiff.choose`. Raises likewise."""
    try:
        return choose(file, page)
    except ItemError:
        file.seek(0)
        if (found := header_of_bigtiff(file.read(1 << 16))) is None:
            raise
        return found


def decode(file: io.BufferedReader, chosen: Directory) -> Found:
    """Decode it with Pillow, OpenCV or tifffile, in the order in which they suit it; "damaged" when all refuse.

    Raises:
        ItemError: truncated, damaged, or of a kind that none of them knows.
    """
    said, order = dict[str, str](), _order(chosen)
    for name in order:
        try:
            made = _DECODERS[name](file, chosen)
            break
        except Refused as error:
            said[name] = str(error)
    else:
        raise _failure(chosen, said, cut_short(file, chosen))
    if said and cut_short(file, chosen):  # the next decoder would only fill it in
        raise ItemError(words.TRUNCATED)
    phrase = _phrase(file, chosen, made)
    if made.decoder == PILLOW and made.samples.dtype in (bool, np.uint8) and chosen.taken_as_black:
        made = replace(made, samples=np.invert(made.samples))  # it takes 0 for white
    samples, notes = _without_extra(_as_signed(made.samples, chosen), chosen), _notes(chosen, made, said)
    if _is_multiplied(made, chosen):
        samples, guessed = _divided(samples, chosen)
        notes += guessed
    decoded = Decoded(samples, made.said, made.decoder)
    return Found(decoded, chosen.meaning(shifted=made.decoder == OPENCV), chosen.profile, phrase, notes)


def _failure(chosen: Directory, said: dict[str, str], short: bool) -> ItemError:
    missing = said[TIFFFILE] == "" or "imagecodecs" in said[TIFFFILE]
    if missing and not short and (kind := chosen.unusual):
        return ItemError(f"TIFF {kind}: `pip install 'colorize-archive[scans]'` brings what reads it", Cause.LIBRARY)
    return words.failure(list(said.values()), cut_short=short, kind="TIFF")


def _notes(chosen: Directory, made: Decoded, said: dict[str, str]) -> list[str]:
    notes = [f"read by {made.decoder}: {' and '.join(said)} cannot"] if said else []
    if chosen.offset:
        notes.append("the picture in its SubIFD, of which the first is a reduced copy")
    if chosen.taken_as_black:
        notes.append("nothing says whether 0 is black or white: it is taken as black")
    if chosen.transparent and (made.samples.ndim == 2 or made.samples.shape[2] not in (2, 4)):
        notes.append("its transparency was left out")
    if chosen.opaque_extra:
        notes.append("a channel beside the colours that is no transparency was left out")
    return notes


def _as_signed(samples: NDArray[Any], chosen: Directory) -> NDArray[Any]:
    """Undo what decoders make of samples whose sign they do not know."""
    kind, type_of = chosen.sample_format, samples.dtype
    if channels.suits(chosen):
        return samples
    if kind == 2 and type_of == np.uint8:
        return samples.view(np.int8)
    if kind == 2 and type_of == np.uint16:
        return samples.view(np.int16)
    if kind == 2 and type_of == np.int32 and chosen.bits == 16:
        return samples.astype(np.int16)
    return samples.view(np.uint32) if kind == 1 and type_of == np.int32 and chosen.bits == 32 else samples


def _order(chosen: Directory) -> tuple[str, ...]:
    if chosen.apart and chosen.bits > 8 and not channels.suits(chosen):
        return (TIFFFILE,)  # the others mix planes up
    return (OPENCV, PILLOW, TIFFFILE) if _suits_opencv(chosen) else TIFF.order


def _suits_opencv(chosen: Directory) -> bool:
    """Pillow knows no 16-bit colour, few odd depths; it takes signed and 32-bit samples, and floats of the other order
    of bytes where they are compressed, for others.
    """
    bits, plain = chosen.bits, chosen.sample_format == 1
    if channels.suits(chosen) or chosen.has_small_palette:
        return True
    if bits > 8 and (chosen.colours > 1 or chosen.sample_format == FLOAT):
        return True
    return bits == 64 or (plain and bits > 8 and bits != 16) or (chosen.sample_format == 2 and bits in (8, 16))


def _opencv(file: io.BufferedReader, chosen: Directory) -> Decoded:
    if channels.suits(chosen):
        return channels.decode(file, chosen)
    if data := alone(file, chosen, size_of(file)):
        return with_opencv(data)
    file.seek(0)
    data = file.read()
    if chosen.offset:
        return with_opencv(as_first(data, chosen.offset))
    return with_opencv(data, chosen.number)


def _pillow(file: io.BufferedReader, chosen: Directory) -> Decoded:
    file.seek(0)
    if chosen.bits > 8 and chosen.sample_format != INTEGER and chosen.is_compressed and file.read(2) == b"MM":
        raise Refused("of a kind that is not supported: Pillow takes its bytes in the wrong order")
    with _opened(file, chosen) as image:
        return with_pillow(image)


def _opened(file: io.BufferedReader, chosen: Directory) -> Image.Image:
    data = alone(file, chosen, size_of(file))  # Pillow would read all of the file, page after page
    file.seek(0)
    if chosen.offset and not data:
        data = as_first(file.read(), chosen.offset)
    try:
        image = Image.open(io.BytesIO(data) if data else file, formats=TIFF.pillow)
        if chosen.number and not data:
            seek(image, file, chosen.number)
    except DAMAGE as error:
        raise Refused(f"unexpected end of file: {error}" if isinstance(error, EOFError) else str(error)) from error
    return image


def _tifffile(file: io.BufferedReader, chosen: Directory) -> Decoded:
    file.seek(0)
    data = file.read()
    data, number = (as_first(data, chosen.offset), 0) if chosen.offset else (data, chosen.number)
    made = with_tifffile(data, number)
    return Decoded(upright(made.samples, int(chosen.tags.get(orientation.TAG, 1))), made.said, made.decoder)


_DECODERS: Final = {OPENCV: _opencv, PILLOW: _pillow, TIFFFILE: _tifffile}


def _without_extra(samples: NDArray[Any], chosen: Directory) -> NDArray[Any]:
    if not chosen.opaque_extra or samples.ndim == 2 or samples.shape[2] <= chosen.colours:
        return samples
    kept = samples[:, :, : chosen.colours]
    return kept[:, :, 0] if chosen.colours == 1 else kept


def _divided(samples: NDArray[Any], chosen: Directory) -> tuple[NDArray[Any], list[str]]:
    """Undo the multiplication by transparency, and say what was guessed of grey whose 0 is white."""
    if not chosen.grey_is_inverted or samples.shape[2] != 2:
        return divided(samples), []
    top = np.iinfo(samples.dtype).max if samples.dtype.kind != "f" else 1
    turned = samples.dtype == np.uint8  # by the decoder, to light
    stored = samples.copy()
    if turned:
        stored[:, :, 0] = top - stored[:, :, 0]
    numbers = multiplied_as_stored(stored)
    if numbers == turned:  # what was multiplied is the other of the two
        samples = samples.copy()
        samples[:, :, 0] = top - samples[:, :, 0]
    made = divided(samples)
    if numbers == turned:
        made[:, :, 0] = top - made[:, :, 0]
    what = "the numbers themselves were" if numbers else "the light was"
    return made, [f"0 is white, and grey is multiplied by transparency: it is taken that {what}"]


def _is_multiplied(made: Decoded, chosen: Directory) -> bool:
    """Tell whether colours come multiplied by their transparency: Pillow divides, and OpenCV multiplies 8 bits."""
    if made.samples.ndim == 2 or chosen.opaque_extra or made.decoder == PILLOW:
        return False
    by_opencv = made.decoder == OPENCV and not channels.suits(chosen) and made.samples.dtype == np.uint8
    return made.samples.shape[2] in (2, 4) and (chosen.associated or by_opencv)


def _phrase(file: io.BufferedReader, chosen: Directory, made: Decoded) -> str:
    """Return what is wrong inside; a decoder that only warns is heard through OpenCV, which alone passes it on."""
    said = made.said
    if chosen.forgiving and made.decoder != OPENCV:
        try:
            said = f"{said}\n{_opencv(file, chosen).said}"
        except Refused as error:
            said = f"{said}\n{error}"
    if made.decoder == TIFFFILE and any(size == 0 for _, size in strips_of(chosen)):
        return words.ZEROS  # it fills up what is not there
    phrase = words.heard(said) or damaged_deflate(file, chosen) or wrong_strips(file, chosen)
    if phrase and cut_short(file, chosen):
        raise ItemError(words.TRUNCATED)
    return phrase

"""Colour profiles of what was grey: sRGB's colorants with the source's own tone curve, so that no tone moves."""

from __future__ import annotations

import functools
import struct
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.colour.tones import STEPS, Tones, apart
from pipeline.ground.settings import Settings

# In the profile connection space (D50), as s15Fixed16; they add up to its white exactly, so that greys stay neutral.
_COLORANTS: Final = {
    b"rXYZ": (0x6FA2, 0x38F5, 0x0390),
    b"gXYZ": (0x6299, 0xB785, 0x18DA),
    b"bXYZ": (0x249B, 0x0F86, 0xB6C3),
}
_WHITE: Final = (0xF6D6, 0x10000, 0xD32D)
_HEADER: Final = 128
_ENTRY: Final = struct.Struct(">4sII")
_MOST_TAGS: Final = 200
_LEAST_GAMMA: Final = 0.01
_NEAR_SRGB: Final = 0.01
# Numbers that each kind of parametric curve has.
_PARAMETERS: Final = {b"\0\0": 1, b"\0\1": 3, b"\0\2": 4, b"\0\3": 5, b"\0\4": 7}
# Of lightness, on average: Gray Gamma 1.8 has 5.0, Dot Gain 20 % 5.9, which change colours less than a camera does.
_APART: Final = 7.0
_WHITE_FROM: Final = 0.8  # light of the last number, below which a curve is no picture's
_KEPT: Final = 8


def coloured(profile: bytes) -> bytes:
    """Return the profile for a picture whose luma is that of a source with `profile`.

    Args:
        profile: ICC; empty where the source has none.

    Returns:
        RGB profiles as they are; for grey ones an RGB matrix profile (ICC.1:2001-04) with the same tone curve; empty
        where there is none to be had: CMYK, Lab as connection space, damaged.
    """
    space, connection = profile[16:20], profile[20:24]
    if space == b"RGB ":
        return profile
    if space != b"GRAY" or connection != b"XYZ ":
        return b""
    curve = _tags(profile).get(b"kTRC", b"")
    return _matrix_profile(curve) if curve[:4] in (b"curv", b"para") else b""


def tones(profile: bytes, settings: Settings) -> Tones | None:
    """Return the tone curve by which a picture is shown to the net and coded, of the profile that its copy will have.

    Args:
        profile: ICC, of the source; empty where it has none.
        settings: whose `lightness` "lab" knows sRGB alone.

    Returns:
        None: it is sRGB's, or so near that it makes no difference worth having, or there is none to be had.
    """
    return _tones(profile) if profile and settings.lightness == "luma" else None


@functools.lru_cache(maxsize=_KEPT)
def _tones(profile: bytes) -> Tones | None:
    light = _light(_tags(coloured(profile)).get(b"gTRC", b""))
    if light is None or not (np.isfinite(light).all() and light[-1] >= _WHITE_FROM and (np.diff(light) >= 0).all()):
        return None
    light = np.clip(light, 0, 1)
    return Tones(light) if apart(light) > _APART else None


def _light(curve: bytes) -> NDArray[np.float32] | None:
    """Return linear light, float32 (256,), by a curve as ICC.1:2022 has it (10.6, 10.18); None where it is none."""
    number = np.linspace(0, 1, STEPS)
    if curve[:4] == b"curv":
        count = int.from_bytes(curve[8:12], "big")
        points = np.frombuffer(curve, ">u2", len(curve) // 2)[6 : 6 + count]
        if len(points) != count or len(curve) < 12:
            return None
        if count < 2:
            return (number ** (points[0] / 256 if count else 1.0)).astype(np.float32)
        return np.interp(number, np.linspace(0, 1, count), points / 65535).astype(np.float32)
    if curve[:4] == b"para" and (count := _PARAMETERS.get(curve[8:10], 0)) <= (len(curve) - 12) // 4:
        numbers = np.frombuffer(curve, ">i4", (len(curve) // 4))[3 : 3 + count] / 65536
        return _parametric(number, *numbers) if count else None
    return None


def _parametric(
    x: NDArray[np.float64], g: float, a: float = 1, b: float = 0, c: float = 0, d: float | None = None, *offsets: float
) -> NDArray[np.float32]:
    """Return a power of a x + b, and below d a line; what has no meaning is NaN."""
    e, f = offsets or (0.0, 0.0)
    if d is None:  # the second and third kind have no line but a level, which is added to the power, too
        d, c, e, f = -b / a if a else 0.0, 0.0, c, c
    with np.errstate(all="ignore"):
        made: NDArray[np.float32] = np.where(x >= d, (a * x + b) ** g + e, c * x + f).astype(np.float32)
    return made


def of_gamma(gamma: float) -> bytes:
    """Return the profile that a PNG's gAMA stands for (PNG 1.2, 4.2.2.1): sRGB's colorants, a power as tone curve.

    Args:
        gamma: as in the chunk, the encoding's exponent: 0.45455 is what sRGB comes near to.

    Returns:
        ICC; empty where it says no more than sRGB does, or what nothing could show.
    """
    if not _LEAST_GAMMA < gamma < 1 / _LEAST_GAMMA or abs(gamma - 1 / 2.2) < _NEAR_SRGB:
        return b""
    return _matrix_profile(b"curv\0\0\0\0\0\0\0\1" + struct.pack(">H", round(256 / gamma)))


def _tags(profile: bytes) -> dict[bytes, bytes]:
    """Return a profile's tags by their signature; what lies outside of it is left out."""
    if len(profile) < _HEADER + 4:
        return {}
    count = min(int.from_bytes(profile[_HEADER : _HEADER + 4], "big"), _MOST_TAGS)
    table = profile[_HEADER + 4 : _HEADER + 4 + count * _ENTRY.size]
    entries = _ENTRY.iter_unpack(table[: len(table) // _ENTRY.size * _ENTRY.size])
    return {name: profile[start : start + size] for name, start, size in entries if start + size <= len(profile)}


def _matrix_profile(curve: bytes) -> bytes:
    parts = {
        b"desc": _description(b"sRGB colorants, tone curve of the source"),
        b"cprt": b"text\0\0\0\0No copyright, use freely\0",
        b"wtpt": _xyz(_WHITE),
        **{name: _xyz(value) for name, value in _COLORANTS.items()},
        b"rTRC": curve,
    }
    table, body, at = b"", b"", _HEADER + 4 + (len(parts) + 2) * _ENTRY.size
    for name, part in parts.items():
        table += _ENTRY.pack(name, at + len(body), len(part))
        if name == b"rTRC":  # the curve is written once, and read three times
            table += _ENTRY.pack(b"gTRC", at + len(body), len(part)) + _ENTRY.pack(b"bTRC", at + len(body), len(part))
        body += part + bytes(-len(part) % 4)
    head = _header(at + len(body), b"\x04\x20\0\0" if curve[:4] == b"para" else b"\x02\x10\0\0")
    return head + (len(parts) + 2).to_bytes(4, "big") + table + body


def _header(size: int, version: bytes) -> bytes:
    # No clock time: the same source gives the same bytes.
    date = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
    head = size.to_bytes(4, "big") + bytes(4) + version + b"mntrRGB XYZ " + date + b"acsp"
    return head + bytes(28) + struct.pack(">3I", *_WHITE) + bytes(_HEADER - 80)


def _xyz(value: tuple[int, int, int]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *value)


def _description(text: bytes) -> bytes:
    return b"desc\0\0\0\0" + (len(text) + 1).to_bytes(4, "big") + text + bytes(1 + 4 + 4 + 2 + 1 + 67)

"""Colour profiles of what was grey: sRGB's colorants with the source's own tone curve, so that no tone moves."""

from __future__ import annotations

import struct
from typing import Final

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

"""What decoders say, and what a person should read: no sentence of a library reaches the manifest.

docs/troubleshooting.md lists the sentences; a test holds it to this table.
"""

from __future__ import annotations

import re
from typing import Final

from pipeline.ground.errors import Cause, ItemError

TRUNCATED: Final = "truncated: the file ends before the picture does"
NO_DECODER: Final = "damaged: no decoder can read it"
STEP: Final = "compressed data are out of step"
WRONG: Final = "compressed data are wrong"
LENGTH: Final = "compressed data have a wrong length"
ZEROS: Final = "a part of it is nothing but zeros"
SCANS: Final = "scans of it are missing"
HEADER: Final = "its header cannot be read"
_UNKNOWN: Final = "of a kind that is not known"

# What a decoder says, as a pattern, and what it means; the first that fits counts.
WORDS: Final[tuple[tuple[str, str], ...]] = (
    (r"premature end of jpeg file|premature end of input file", TRUNCATED),
    (r"premature end of data segment|premature end-of-file", "compressed data end too early"),
    (r"corrupt jpeg data|inconsistent progression", STEP),
    (r"(huffman|quantization|arithmetic) table \S+ was not defined", "a table is missing"),
    (r"bogus|invalid (jpeg|component|scan|sos)|unsupported marker|improper call|sof", "a header is wrong"),
    (r"crc|incorrect data check|checksum", "a checksum is wrong"),
    (r"fax|premature eol|line length mismatch", "lines of fax code are wrong"),
    (r"image file is truncated|unexpected end|unexpected eof|read error|truncated|not enough pixel data", TRUNCATED),
    (r"not enough|too much|too many|extra compressed|segment too long", LENGTH),
    (r"invalid (distance|code|block|literal|bit length|stored|window)|filter|lzw|not yet in table|zip|packbits", WRONG),
    (r"broken data stream|broken png|decoder error|decoding error|could not create decoder|failed to", WRONG),
    (r"openjpeg|tile|codestream|packet|codeblock|jpeglib", WRONG),
    (r"unknown|unrecognized|unsupported|cannot handle|not supported|codec", _UNKNOWN),
    (r"header|cannot identify|not a |token|chunk|directory|no image|no palette|seek", HEADER),
)  # fmt: skip
# Said of a sound file of a kind that a decoder was not built for.
_LACKING: Final = re.compile(r"not configured|compression scheme|unknown compression|compression \d+ not")
# libtiff, through OpenCV, calls an error what leaves a part of the picture black.
_ERROR: Final = "tiff_error"
# Said of what is unusual and costs no pixel.
_HARMLESS: Final = re.compile(
    r"iccp|icc profile|known incorrect srgb|gamma|chrm|interlace handling|jfif|adobe|exif|invalid sos parameters|"
    r"non conformant codestream|color space|unknown field|tiffreaddirectory|tifffetch|directory|ascii value|"
    r"extra compressed data|too much image data|null byte|registered"
)


def phrase_of(said: str) -> str:
    """Return what a decoder's sentence means; empty where it is not known."""
    return next((phrase for pattern, phrase in WORDS if re.search(pattern, said.lower())), "")


def say_cut(said: list[str]) -> bool:
    """Tell whether all decoders that said something say that the file is cut short."""
    return bool(said) and all(phrase_of(each) == TRUNCATED for each in said if each)


def lacks(said: str) -> bool:
    """Tell whether a decoder says that it was not built for a file; OpenCV gives a black picture then."""
    return bool(_LACKING.search(said.lower()))


def heard(said: str) -> str:
    """Return the damage that a decoder spoke of on its way, as a phrase; empty where it said nothing that counts.

    Args:
        said: what it printed, a line for each thing.
    """
    for line in said.lower().splitlines():
        if not line.strip(" >:\t") or _HARMLESS.search(line):
            continue
        phrase = phrase_of(line)
        if phrase in ("", _UNKNOWN):
            phrase = WRONG if _ERROR in line else ""
        if phrase:
            return "compressed data end too early" if phrase == TRUNCATED else phrase
    return ""


def failure(said: list[str], *, cut_short: bool, kind: str = "picture") -> ItemError:
    """Return what to say of a file that all decoders gave up on.

    Args:
        said: what each of them said.
        cut_short: the file is shorter than it says.
        kind: what it is, such as "TIFF".
    """
    if cut_short:
        return ItemError(TRUNCATED)
    lacking = any(lacks(each) for each in said)
    phrases = [phrase for each in said if (phrase := phrase_of(each)) not in ("", TRUNCATED)]
    known = [phrase for phrase in phrases if phrase != _UNKNOWN]
    if known and not lacking:
        return ItemError(f"damaged: {known[0]}")
    if phrases or lacking:
        reason = f"damaged, or a kind of {kind} that is not supported; save it as 8- or 16-bit grey or RGB"
        return ItemError(reason, Cause.NOT_SUPPORTED)
    return ItemError(NO_DECODER)


def inside(phrase: str) -> ItemError:
    """Return what to say of a picture that was decoded, though not all of it can be right."""
    return ItemError(f"damaged inside: {phrase}; --on-damage done colorizes what is left")

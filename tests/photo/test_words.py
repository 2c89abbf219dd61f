"""What decoders say becomes what a person reads, and the page about it holds each sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.media.photo import words
from pipeline.media.photo.words import TRUNCATED, WORDS, ZEROS, failure, heard, phrase_of

PAGE = (Path(__file__).parents[2] / "docs" / "troubleshooting.md").read_text()


def test_the_page_explains_every_phrase():
    for phrase in {phrase for _, phrase in WORDS} | {ZEROS, words.SCANS, words.NO_DECODER, TRUNCATED}:
        if phrase != "of a kind that is not known":
            assert f"`{phrase}`" in PAGE, phrase


@pytest.mark.parametrize(
    ("said", "phrase"),
    [
        ("Corrupt JPEG data: bad Huffman code", "compressed data are out of step"),
        ("Corrupt JPEG data: premature end of data segment", "compressed data end too early"),
        ("libpng error: IDAT: CRC error", "a checksum is wrong"),
        ("Fax4Decode: Bad code word at line 27 of strip 0 (x 274).", "lines of fax code are wrong"),
        ("[ WARN:0@1] global grfmt_tiff.cpp:123 TIFF_Warning JPEGLib: Corrupt JPEG data: premature end of data segment",
         "compressed data end too early"),
        ("libpng warning: iCCP: known incorrect sRGB profile", ""),
        ("OpenJPEG2000: Non conformant codestream TPsot==TNsot.", ""),
        ("TIFFReadDirectory: Warning, Unknown field with tag 40961 (0xa001) encountered.", ""),
        ("Warning: unknown JFIF revision number 7.02", ""),
    ],
)  # fmt: skip
def test_what_is_heard(said, phrase):
    assert heard(said) == phrase
    assert heard(f"Warning: unknown JFIF revision number 7.02\n{said}\n") == phrase


@pytest.mark.parametrize(
    "said",
    ["decoder error -2", "broken data stream when reading image file", "could not create decoder object",
     "b'Token too long'", "unpack requires a buffer of 4 bytes", "image file is truncated (126 bytes not processed)",
     "CalledProcessError", "", "Failed to decode frame 0: Decoding of color planes failed",
     "cannot identify image file"],
)  # fmt: skip
def test_no_sentence_of_a_library_reaches_a_person(said):
    reason = str(failure([said], cut_short=False))
    assert reason.startswith("damaged")
    assert said == "" or said not in reason
    assert "truncated" not in reason
    assert str(failure([said], cut_short=True)) == TRUNCATED


def test_the_first_known_phrase_counts():
    assert phrase_of("nothing that anybody knows") == ""
    assert str(failure(["nonsense", "IDAT: CRC error"], cut_short=False)) == "damaged: a checksum is wrong"
    assert "kind of TIFF that is not supported" in str(
        failure(["decoder error -2", "ZSTD compression support is not configured"], cut_short=False, kind="TIFF")
    )

"""What a file is, told by its first bytes: a picture, a film, or neither.

What is read is told by `decoders.FORMATS`; here stand films, and pictures that nobody here can decode (camera raw,
OpenEXR): these are pictures all the same, and their reader then says why it failed.

Own signatures, because nothing at hand fits: puremagic 1.30 knows no BigTIFF and needs 0.3 to 0.6 ms a file, Pillow
opens what is no picture for us (EPS, MPEG, TGA by guess) and refuses pictures that OpenCV reads.
"""

from __future__ import annotations

import re

from pipeline.ground.items import Kind
from pipeline.media.photo.decoders import FORMATS, JPEG, MARKS, TIFF
from pipeline.media.photo.refusal import UNREAD

# Enough for three packets of an MPEG transport stream and the stream headers of Ogg and ASF.
HEAD = 4096


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PICTURE_SUFFIXES = frozenset(suffix for each in FORMATS for suffix in each.suffixes) | _words(
    ".3fr .ari .arw .bay .cin .cr2 .cr3 .crw .dcm .dcr .dng .dpx .erf .exr .fff .hdr .iff .iiq .ilbm .jng .jxl .jxr "
    ".k25 .kdc .lbm .mef .mng .mos .mrw .nef .nrw .orf .pam .pcd .pct .pef .pic .pict .ptx .raf .raw .rw2 .rwl .sr2 "
    ".srf .srw .wdp .x3f .xcf"
)
# Without .ts and .dat: the first is TypeScript more often than a film; both are known by their content.
_FILM_SUFFIXES = _words(
    ".264 .265 .3g2 .3gp .asf .avc .avi .divx .drc .dv .f4v .flc .fli .flv .gxf .h261 .h263 .h264 .h265 .hevc .ivf "
    ".m1v .m2ts .m2v .m4v .mj2 .mjpeg .mjpg .mkv .mov .mp4 .mpe .mpeg .mpg .mts .mxf .nut .obu .ogm .ogv .qt .rm .rmvb "
    ".vob .webm .wmv .wtv .y4m"
)

# Of pictures that nobody here can decode; most camera raw files begin as a TIFF does. What `refusal` says of the last
# four it says of fewer or more bytes.
_PICTURES = (
    *UNREAD,
    b"\x8aMNG\r\n\x1a\n",
    b"\x8bJNG\r\n\x1a\n",
    b"II\xbc",  # JPEG XR
    b"\x00\x00\x00\x0cJXL \r\n\x87\n",
)
_FILMS = (
    b"FLV\x01",
    b".RMF",
    b"\x00\x00\x01\xba",  # MPEG programme stream (also .vob)
    b"\x00\x00\x01\xb3",  # MPEG video alone
    b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01\x01",  # MXF
    b"\x1f\x07\x00\x3f",  # DV, 525 and 625 lines
    b"\x1f\x07\x00\xbf",
    b"YUV4MPEG2",
    b"DKIF",
    b"nut/multimedia container",
    b"\x00\x00\x00\x00\x01\xbc",  # GXF
    bytes.fromhex("b7d800203749da11a64e0007e95ead8d"),  # WTV
    b"BBCD\x00",  # Dirac
)
_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_VIDEO = bytes.fromhex("c0ef19bc4d5bcf11a8fd00805f5c442b")
# Brands of ISO base media files (ISO/IEC 14496-12) that hold pictures, and those that hold sound alone.
_PICTURE_BRANDS = (b"hei", b"hev", b"mif", b"msf", b"mia", b"avi", b"crx", b"jpe", b"jxl")
_SOUND_BRANDS = (b"M4A", b"M4B", b"M4P", b"F4A", b"F4B")
_NETPBM = re.compile(rb"P(?:[1-6]\s+(?:#[^\n]*\s+)*\d+\s|7\n#?|7 332|[Ff]\n\s*\d)")
_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)


def kind_of(head: bytes, suffix: str) -> Kind:
    """Return photo, film or other for a file that begins with `head` and whose name ends in `suffix`.

    The content decides; where it says nothing known, the suffix does, so that a broken, empty or exotic picture fails
    with its reason instead of passing for something that was never a picture.

    Args:
        head: the first `HEAD` bytes (fewer where the file is shorter).
        suffix: with its dot, in any case.
    """
    suffix = suffix.lower()
    by_content = _by_content(head, suffix)
    if by_content is not None:
        return by_content
    if suffix in _PICTURE_SUFFIXES:
        return Kind.PHOTO
    return Kind.FILM if suffix in _FILM_SUFFIXES else Kind.OTHER


def may_hold_pages(suffix: str) -> bool:
    """Tell whether a TIFF of this suffix is one: camera raw files are TIFFs too, whose directories are no pages."""
    suffix = suffix.lower()
    return suffix in TIFF.suffixes or suffix not in _PICTURE_SUFFIXES


def _by_content(head: bytes, suffix: str) -> Kind | None:
    if head[20:24] == b"mjp2":  # Motion JPEG 2000 begins as the picture format does
        return Kind.FILM
    if JPEG.begins.match(head) and suffix in (".mjpeg", ".mjpg"):  # one picture behind the other
        return Kind.FILM
    if MARKS.match(head) or head.startswith(_PICTURES) or _NETPBM.match(head) or _is_bitmap(head):
        return Kind.PHOTO
    if head.startswith(_FILMS):
        return Kind.FILM
    if head[:4] in (b"RIFF", b"RIFX"):
        return {b"AVI ": Kind.FILM, b"AMV ": Kind.FILM}.get(head[8:12], Kind.OTHER)
    if head[:4] == b"\x1aE\xdf\xa3":  # Matroska, WebM: only the suffix tells sound alone without parsing it all
        return Kind.OTHER if suffix in (".mka", ".weba") else Kind.FILM
    if head.startswith(_ASF):
        return Kind.FILM if _ASF_VIDEO in head or suffix in (".wmv", ".asf") else Kind.OTHER
    if head[:4] == b"OggS":
        return Kind.FILM if any(mark in head for mark in (b"theora", b"\x01video", b"OVP80", b"BBCD")) else Kind.OTHER
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        if brand.startswith(_PICTURE_BRANDS):
            return Kind.PHOTO
        return Kind.OTHER if brand.startswith(_SOUND_BRANDS) else Kind.FILM
    if head[4:8] in (b"moov", b"mdat", b"pnot"):  # QuickTime before it had ftyp
        return Kind.FILM
    return Kind.FILM if _is_transport_stream(head) else None


def _is_bitmap(head: bytes) -> bool:
    # Two letters are not enough: many a text begins with "BM".
    return head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS


def _is_transport_stream(head: bytes) -> bool:
    # Sync byte 0x47 every 188 bytes (ISO/IEC 13818-1), or every 192 with a time stamp before each (.m2ts).
    return any(
        len(head) > first + 2 * step and all(head[first + n * step] == 0x47 for n in range(3))
        for first, step in ((0, 188), (4, 192))
    )

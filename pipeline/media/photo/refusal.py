"""What an unreadable file is, from its first bytes, in words for the manifest."""

from __future__ import annotations

import struct

from pipeline.ground.errors import Cause, ItemError
from pipeline.media.photo.jpeg.segments import LOSSLESS, SOF0, SOF2, SOF_LS, frame_header

RAW = "camera raw is not supported; develop it to TIFF or JPEG first"
_JXL = "JPEG XL is not supported; save it as JPEG or TIFF"
_POSTSCRIPT = "PostScript is a program, and none is run to read a picture; save it as TIFF"
_DNL = "JPEG whose height is given at its end (DNL) is not supported; save it as TIFF"
_HDR = "Radiance HDR is not supported; save it as TIFF"
_DPX = "DPX is not supported; save it as TIFF"
_MNG = "MNG and JNG are not supported; save it as PNG or JPEG"
_METAFILE = "a Windows metafile is not supported; save it as TIFF or PNG"
# A format whose files begin with nothing of its own: that one cannot be opened says little.
_UNMARKED = "TGA"
# First bytes of pictures that no decoder here reads and no name is needed to know, and what is said of them.
UNREAD: dict[bytes, str] = {
    b"FUJIFILMCCD-RAW": RAW,
    b"IIRO": RAW,
    b"IIRS": RAW,
    b"MMOR": RAW,
    b"IIU\0": RAW,
    b"II\x1a\0\0\0HEAPCCDR": RAW,
    b"\0MRM": RAW,
    b"FOVb": RAW,
    b"gimp xcf": "XCF is not supported; save it as TIFF or PNG",
    b"\x80\x2a\x5f\xd7": "Cineon is not supported; save it as TIFF",
    b"v/1\x01": "OpenEXR is not supported; save it as TIFF",
    b"#?RADIANCE": _HDR,
    b"#?RGBE": _HDR,
    b"SDPX": _DPX,
    b"XPDS": _DPX,
}
# First bytes, cause, reason.
_OTHERS: tuple[tuple[bytes, Cause, str], ...] = (
    (b"8BPS", Cause.NOT_SUPPORTED, "a Photoshop document is not supported; save it as TIFF"),
    (b"%!", Cause.NOT_SUPPORTED, _POSTSCRIPT),
    (b"\xc5\xd0\xd3\xc6", Cause.NOT_SUPPORTED, _POSTSCRIPT),
    (b"\x04%!", Cause.NOT_SUPPORTED, _POSTSCRIPT),
    (b"\xd7\xcd\xc6\x9a", Cause.NOT_SUPPORTED, _METAFILE),
    (b"\1\0\0\0l\0\0\0", Cause.NOT_SUPPORTED, _METAFILE),
    (b"%PDF", Cause.NO_PICTURE, "not a picture: it is a PDF"),
    (b"PK\x03\x04", Cause.NO_PICTURE, "not a picture: it is a ZIP archive or an office document"),
    (b"\x89PNG", Cause.DAMAGED, "damaged: a PNG whose header cannot be read"),
    (b"GIF8", Cause.DAMAGED, "damaged: a GIF whose header cannot be read"),
    (b"BM", Cause.NOT_SUPPORTED, "damaged, or a kind of BMP that is not supported"),
    (b"\xff\x0a", Cause.NOT_SUPPORTED, _JXL),
    (b"\0\0\0\x0cJXL ", Cause.NOT_SUPPORTED, _JXL),
    (b"II*\0\x10\0\0\0CR", Cause.NOT_SUPPORTED, RAW),
    (b"II\xbc\1", Cause.NOT_SUPPORTED, "JPEG XR is not supported; save it as TIFF"),
    (b"\x8aMNG", Cause.NOT_SUPPORTED, _MNG),
    (b"\x8bJNG", Cause.NOT_SUPPORTED, _MNG),
    (b"P7\n", Cause.NOT_SUPPORTED, "PAM is not supported; save it as PGM or PNG"),
    (b"PF", Cause.NOT_SUPPORTED, "PFM in colour is not supported; save it as TIFF"),
    (b"AT&T", Cause.NOT_SUPPORTED, "DjVu is not supported; save it as TIFF"),
    (b"version https://git-lfs", Cause.NO_PICTURE, "not a picture: it is a Git LFS pointer; fetch the file itself"),
    *((mark, Cause.NOT_SUPPORTED, said) for mark, said in UNREAD.items()),
)


def refusal(head: bytes, kind: str = "") -> ItemError:
    """Return why a file that no decoder knows can't be read.

    Args:
        head: its first bytes, 4,096 where there are as many; of a JPEG, whose frame header may stand far behind, all.
        kind: the format that they are of, where they are of one that is read.
    """
    if head[:3] == b"\xff\xd8\xff":
        return _jpeg(head)
    for start, cause, reason in _OTHERS:
        if head.startswith(start):
            return ItemError(reason, cause)
    if head[4:12] == b"ftypcrx ":  # Canon's CR3
        return ItemError(RAW, Cause.NOT_SUPPORTED)
    if head[128:132] == b"DICM":
        return ItemError("DICOM is not supported; save it as TIFF", Cause.NOT_SUPPORTED)
    if kind and kind != _UNMARKED:
        article = "an" if kind[0] in "AEIOaeio" else "a"
        return ItemError(f"damaged: {article} {kind} file whose header cannot be read")
    return _no_picture(head) or ItemError("not a picture, or of a kind that is not known", Cause.NOT_SUPPORTED)


def header_size(head: bytes) -> tuple[int, int] | None:
    """Return width and height as the header of a JPEG, BMP or JPEG 2000 says; None where it says none, or is another's.

    Args:
        head: the first bytes of the file; of a JPEG all.
    """
    if head[:3] == b"\xff\xd8\xff":
        return _jpeg_size(head)
    if head[:2] == b"BM" and len(head) >= 26:
        width, height = struct.unpack_from("<ii", head, 18)
        return width, abs(height)
    at = head.find(b"ihdr")
    if head[4:8] == b"jP  " and at >= 0 and len(head) >= at + 12:
        height, width = struct.unpack_from(">II", head, at + 4)
        return width, height
    return None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    marker, frame = frame_header(data)
    if not SOF0 <= marker <= SOF2 or len(frame) < 6 or frame[0] != 8:
        return None
    height, width = struct.unpack_from(">HH", frame, 1)
    return (width, height) if height else None


def _no_picture(head: bytes) -> ItemError | None:
    if not head.strip(b"\0"):
        return ItemError("not a picture: it holds nothing but zero bytes", Cause.NO_PICTURE)
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:512].lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return ItemError("not a picture: it is a web page (HTML)", Cause.NO_PICTURE)
    if text.startswith((b"<svg", b"<?xml")):
        return ItemError("not a picture of pixels: it is XML or SVG", Cause.NO_PICTURE)
    if all(byte >= 32 or byte in b"\t\r\n\f" for byte in head) and _is_utf8(head):
        return ItemError("not a picture: it is text", Cause.NO_PICTURE)
    return None


def _is_utf8(head: bytes) -> bool:
    try:
        head[:-4].decode()
    except UnicodeDecodeError:
        return False
    return True


def _jpeg(data: bytes) -> ItemError:
    """Say of what kind a JPEG is, from its frame header (ITU-T T.81, B.2.2)."""
    marker, frame = frame_header(data)
    if marker == SOF_LS:
        return ItemError("JPEG-LS is not supported; save it as TIFF", Cause.NOT_SUPPORTED)
    if marker in LOSSLESS:
        return ItemError("lossless JPEG is not supported; save it as TIFF", Cause.NOT_SUPPORTED)
    if len(frame) >= 6:
        precision, components = frame[0], frame[5]
        if precision != 8:
            return ItemError(f"{precision}-bit JPEG is not supported; save it as TIFF", Cause.NOT_SUPPORTED)
        if frame[1:3] == b"\0\0":
            return ItemError(_DNL, Cause.NOT_SUPPORTED)
        if components not in (0, 1, 3, 4):
            return ItemError(f"JPEG of {components} components is not supported; save it as TIFF", Cause.NOT_SUPPORTED)
    return ItemError("damaged: a JPEG whose header cannot be read", Cause.DAMAGED)

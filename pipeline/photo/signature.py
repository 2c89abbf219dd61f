"""What an unreadable file is, from its first bytes, in words for the manifest."""

from __future__ import annotations

_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"heim", b"heis")
_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"8BPS", "a Photoshop document is not supported; save it as TIFF"),
    (b"%PDF", "not a picture: it is a PDF"),
    (b"PK\x03\x04", "not a picture: it is a ZIP archive or an office document"),
    (b"\x89PNG", "damaged: a PNG whose header cannot be read"),
    (b"GIF8", "damaged: a GIF whose header cannot be read"),
    (b"BM", "damaged, or a kind of BMP that is not supported"),
    (b"\xff\x0a", "JPEG XL is not supported; save it as JPEG or TIFF"),
    (b"\0\0\0\x0cJXL ", "JPEG XL is not supported; save it as JPEG or TIFF"),
    (b"FUJIFILMCCD-RAW", "camera raw is not supported; develop it to TIFF or JPEG first"),
    (b"II*\0\x10\0\0\0CR", "camera raw is not supported; develop it to TIFF or JPEG first"),
    (b"IIRO", "camera raw is not supported; develop it to TIFF or JPEG first"),
    (b"IIU\0", "camera raw is not supported; develop it to TIFF or JPEG first"),
    (b"AT&T", "DjVu is not supported; save it as TIFF"),
    (b"version https://git-lfs", "not a picture: it is a Git LFS pointer; fetch the file itself"),
)


def reason_unreadable(head: bytes) -> str:
    """Return why a file that no decoder knows can't be read.

    Args:
        head: its first bytes, 4,096 where there are as many.
    """
    if head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS:
        return "HEIC is not supported; save it as JPEG or TIFF"
    if head[:3] == b"\xff\xd8\xff":
        return _jpeg(head)
    for start, reason in _OTHERS:
        if head.startswith(start):
            return reason
    if not head.strip(b"\0"):
        return "not a picture: it holds nothing but zero bytes"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:512].lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return "not a picture: it is a web page (HTML)"
    if text.startswith((b"<svg", b"<?xml")):
        return "not a picture of pixels: it is XML or SVG"
    if all(byte >= 32 or byte in b"\t\r\n\f" for byte in head) and _is_utf8(head):
        return "not a picture: it is text"
    return "not a picture, or of a kind that is not known"


def _is_utf8(head: bytes) -> bool:
    try:
        head[:-4].decode()
    except UnicodeDecodeError:
        return False
    return True


def _jpeg(head: bytes) -> str:
    """Walk the markers to the frame header (ITU-T T.81, B.2.2), which says what kind of JPEG it is."""
    at = 2
    while at + 4 <= len(head) and head[at] == 0xFF:
        marker, length = head[at + 1], int.from_bytes(head[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            precision = head[at + 4] if at + 4 < len(head) else 8
            if marker in (0xC3, 0xC7, 0xCB, 0xCF):
                return "lossless JPEG is not supported; save it as TIFF"
            if precision != 8:
                return f"{precision}-bit JPEG is not supported; save it as TIFF"
            break
        if marker == 0xF7:
            return "JPEG-LS is not supported; save it as TIFF"
        at += 2 + length
    return "damaged: a JPEG whose header cannot be read"

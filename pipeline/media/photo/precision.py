"""How many bits a sample has by the file's own account: decoders hand out 8 or 16, and do not say what they were."""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.media.photo.decoders import AVIF, HEIC, JPEG2000, PNG, Format

_SIZ: Final = b"\xff\x4f\xff\x51"  # start of a JPEG 2000 codestream, and its first marker
_COMPONENTS: Final = 40  # of the SIZ marker, from the codestream's beginning (ISO 15444-1, A.5.1)
_MOST_COMPONENTS: Final = 16
# AV1 says it in the third byte of its configuration (AV1-ISOBMFF, 2.3.3), HEVC in the eighteenth (ISO 14496-15, 8.3.3).
_HIGH, _TWELVE = 0x40, 0x20
_HEVC_LUMA: Final = 17
_OF_VIDEO: Final = re.compile(rb"colrnclx......[\0-\x7f]", re.DOTALL)
_YCC: Final = re.compile(rb"colr\x01..\0\0\0\x12", re.DOTALL)
_HEAD: Final = 1 << 16  # bytes in which boxes are looked for


def bits_of(format: Format, data: bytes) -> int:
    """Return the bits of the deepest sample; 0 where it is not said, or not by a format that is known here.

    Args:
        format: of the file.
        data: the file, or its first bytes.
    """
    if format is PNG:
        return data[24] if len(data) > 24 and data[12:16] == b"IHDR" else 0
    if format is JPEG2000:
        return max((each & 0x7F for each in _of_components(data)), default=-1) + 1
    if format is AVIF:
        return max((_of_av1(each) for each in _configurations(data, b"av1C")), default=0)
    if format is HEIC:
        found = _configurations(data, b"hvcC")
        return max(((each[_HEVC_LUMA] & 7) + 8 for each in found if len(each) > _HEVC_LUMA), default=0)
    return 0


def is_ycc(data: bytes) -> bool:
    """Tell whether a JPEG 2000 says that its colours are luma and chroma (ISO 15444-1, I.5.3.3)."""
    return bool(_YCC.search(data[:_HEAD]))


def from_video(samples: NDArray[Any], data: bytes) -> NDArray[Any]:
    """Return grey of an AVIF in its full range, where it has that of video (ITU-T H.273, 8.3): OpenCV leaves it.

    Args:
        samples: uint8 or uint16 (H, W), as many bits as the file says.
        data: the file.
    """
    if not _OF_VIDEO.search(data[:_HEAD]):
        return samples
    bits = bits_of(AVIF, data)
    step, top = 1 << (bits - 8), (1 << bits) - 1
    made: NDArray[Any] = (samples.astype(np.float32) - 16 * step) * (top / (219 * step))
    made = np.rint(np.clip(made, 0, top)).astype(samples.dtype)
    return made


def _of_components(data: bytes) -> bytes:
    """Return for each component of a JPEG 2000 its bits less one, and above them whether it is signed."""
    at = data.find(_SIZ)
    count = int.from_bytes(data[at + _COMPONENTS : at + _COMPONENTS + 2], "big") if at >= 0 else 0
    start = at + _COMPONENTS + 2
    return data[start : start + 3 * min(count, _MOST_COMPONENTS) : 3]


def _configurations(data: bytes, name: bytes) -> list[bytes]:
    head, found, at = data[:_HEAD], list[bytes](), 0
    while (at := head.find(name, at) + 4) > 3:
        found.append(head[at : at + 24])
    return found


def _of_av1(configuration: bytes) -> int:
    flags = configuration[2] if len(configuration) > 2 else 0
    return 8 if not flags & _HIGH else 12 if flags & _TWELVE else 10

"""libjpeg-turbo's lossless rewriting, through the system's libturbojpeg: coded anew, no coefficient changed.

It comes with every distribution (Debian: libturbojpeg0), not with pip: where it is missing, `available` says so.
"""

from __future__ import annotations

import ctypes
import functools
from typing import Any, Final

from pipeline.ground.errors import ItemError
from pipeline.media.photo.words import failure

# By name only: `ctypes.util.find_library` starts programs to look for one.
_NAMES: Final = (
    "libturbojpeg.so.0",
    "libturbojpeg.0.dylib",
    "/opt/homebrew/lib/libturbojpeg.dylib",
    "/usr/local/lib/libturbojpeg.dylib",
    "turbojpeg.dll",
)
# turbojpeg.h; the functions of TurboJPEG 1.2, which 2.x and 3.x still have.
_GREY: Final = 8
_PROGRESSIVE: Final = 32
_WITHOUT_MARKERS: Final = 64
_STOP_ON_WARNING: Final = 8192
_LIMIT_SCANS: Final = 32768


class _Region(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int) for name in ("x", "y", "w", "h")]


class _Transform(ctypes.Structure):
    _fields_ = [
        ("region", _Region),
        ("operation", ctypes.c_int),
        ("options", ctypes.c_int),
        ("data", ctypes.c_void_p),
        ("filter", ctypes.c_void_p),
    ]


def available() -> bool:
    """Say whether this machine has the library."""
    return _library() is not None


def rewrite(data: bytes, *, grey: bool = False, progressive: bool = False) -> bytes:
    """Code a JPEG's coefficients anew, without decoding them; scans of all components are interleaved.

    A fortieth of a second for 12 megapixels.

    Args:
        data: the whole file, baseline or progressive.
        grey: keep the first component alone, and no marker segments. Otherwise these are copied.
        progressive: as the result is to be.

    Raises:
        ItemError: the library isn't there, or stumbles over the file, be it only a warning.
    """
    library = _library()
    if library is None:
        raise ItemError("libturbojpeg is not installed")
    options = (_GREY | _WITHOUT_MARKERS if grey else 0) | (_PROGRESSIVE if progressive else 0)
    made, size = ctypes.c_void_p(), ctypes.c_ulong()
    order = _Transform(options=options)
    handle = library.tjInitTransform()
    try:
        arguments = ctypes.byref(made), ctypes.byref(size), ctypes.byref(order), _STOP_ON_WARNING | _LIMIT_SCANS
        if library.tjTransform(handle, data, len(data), 1, *arguments) != 0:
            said = library.tjGetErrorStr2(handle).decode(errors="replace")
            if "subsampling" in said:  # 4:1:0, which is sound all the same
                raise ItemError("sampled as libturbojpeg does not rewrite it")
            raise failure([said], cut_short=False, kind="JPEG")
        return ctypes.string_at(made, size.value)
    finally:
        library.tjFree(made)
        library.tjDestroy(handle)


@functools.cache
def _library() -> Any:
    for name in _NAMES:
        try:
            library = ctypes.CDLL(name)
            _declare(library)
        except (OSError, AttributeError):
            continue
        return library
    return None


def _declare(library: ctypes.CDLL) -> None:
    handle, number = ctypes.c_void_p, ctypes.c_int
    library.tjInitTransform.restype = handle
    library.tjTransform.argtypes = [
        handle,
        ctypes.c_char_p,
        ctypes.c_ulong,
        number,
        ctypes.POINTER(ctypes.c_void_p),
        ctypes.POINTER(ctypes.c_ulong),
        ctypes.POINTER(_Transform),
        number,
    ]
    library.tjGetErrorStr2.argtypes = [handle]
    library.tjGetErrorStr2.restype = ctypes.c_char_p
    library.tjFree.argtypes = [ctypes.c_void_p]
    library.tjDestroy.argtypes = [handle]

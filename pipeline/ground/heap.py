"""What a worker's heap keeps between two pictures, where the system's allocator lets itself be told (glibc's).

Left alone, it gives the buffers of each picture back, and has to be handed the same pages anew, zeroed, for the next:
9,000 faults and an eighth of a processor's time for a scan of 24 megapixels.
"""

from __future__ import annotations

import ctypes
import functools
from typing import Any, Final

# malloc.h. Larger buffers than the most that glibc takes for a threshold have pages of their own, as before.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST_KEPT: Final = 32 << 20
# Bytes that a worker may hold at its heap's end without using them.
KEPT: Final = 64 << 20


def keep() -> bool:
    """Let this process keep what it frees, up to `KEPT` bytes; tell whether the allocator knows how."""
    library = _library()
    return library is not None and bool(
        library.mallopt(_MMAP_THRESHOLD, _LARGEST_KEPT) and library.mallopt(_TRIM_THRESHOLD, KEPT)
    )


def give_back() -> None:
    """Give back what is kept: something large is to come, which will not fit into it."""
    if (library := _library()) is not None:
        library.malloc_trim(0)


@functools.cache
def _library() -> Any:
    try:
        library = ctypes.CDLL(None)
        library.mallopt.argtypes = [ctypes.c_int, ctypes.c_int]
        library.malloc_trim.argtypes = [ctypes.c_size_t]
    except (OSError, TypeError, AttributeError):  # another system, or another allocator
        return None
    return library

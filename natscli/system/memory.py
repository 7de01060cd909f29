"""Keeps the memory of large messages, where the C library would return it to the system and get it again."""

from __future__ import annotations

from contextlib import suppress
from functools import cache

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of mallopt(3)
#: Bytes: the largest block that is taken from the memory kept, and how much free memory is kept.
_LARGEST_BLOCK, _MOST_FREE = 8 * 1024 * 1024, 32 * 1024 * 1024


@cache
def keep_large_blocks() -> None:
    """Let glibc reuse blocks of up to 8 MB. Getting them anew costs a page fault for each 4 KiB: half of the time
    that answering with 1 MB takes. Other C libraries are left as they are.
    """
    with suppress(ImportError, OSError, AttributeError, TypeError):
        import ctypes

        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, _LARGEST_BLOCK)
        library.mallopt(_M_TRIM_THRESHOLD, _MOST_FREE)

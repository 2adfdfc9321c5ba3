"""What a process holds for good is not looked through again; what it freed is given back.

Models are read and made ready by threads that need several times their size for a moment. glibc
keeps what they freed, for each thread, and would for as long as the process runs: 260 MB of 720
with the bundled model. Knows nothing about models.
"""

from __future__ import annotations

import ctypes
import gc


def give_back(library: object | None = None) -> bool:
    """Give back what is free; whether the C library of this system can.

    Args:
        library: instead of the C library that this process runs on.
    """
    try:
        trim = getattr(library or ctypes.CDLL(None), "malloc_trim", None)
    except (OSError, TypeError):  # Windows has no such thing as the library of the process
        return False
    if trim is None:  # musl, macOS
        return False
    trim(0)
    return True


def settle() -> None:
    """Have Python look for cycles among what comes from now on, and not among what is there.

    Code and routes alone are 150,000 objects. To go through all that is there took a tenth of a
    second, in which no thread goes on: the slowest answers of a service that is written to.
    """
    gc.collect()
    gc.freeze()

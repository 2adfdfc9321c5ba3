"""Files on the disk: written whole or not at all, flushed, and refused by name.

Knows nothing about what is in them.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from latent.errors import StorageFullError, StoreError


def storage_error(error: OSError, place: Path) -> StoreError:
    """The named error for what the file system refused."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFullError(f"no room left to write in {place}")
    return StoreError(f"cannot write in {place}: {error.strerror or error}")


def flush(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, content: bytes, *, is_durable: bool, mode: int = 0o666) -> None:
    """Put a file in the place of the old one: readers see all of one or of the other.

    What is durable is on the disk before this returns; what can be made again need not be. `mode`
    is who may read and write it, less what the umask takes away.

    Raises:
        StorageFullError: there is no room.
        StoreError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}-{os.getpid()}-{os.urandom(4).hex()}")
        try:
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            if is_durable:
                flush(fresh)
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)
        if is_durable:
            flush(path.parent)
    except OSError as error:
        raise storage_error(error, path.parent) from error

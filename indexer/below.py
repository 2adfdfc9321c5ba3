"""Opens files below a folder and nowhere else, whatever becomes of the way there meanwhile.

The way is gone step by step, each from the folder before, and a link is no step. A link that takes
the place of a file or folder after it was listed leads nowhere. Knows nothing about what is read.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import PurePath

from latent.errors import InputError


def open_file(path: str, root: str | None) -> int:
    """A descriptor of the file, opened for reading; a pipe is not waited for.

    Args:
        root: a folder it must be below; None for a file that was named itself, link or not.

    Raises:
        OSError: it cannot be opened, or a part of the way is a link.
        InputError: it is not below the folder.
    """
    if root is None:
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    way = steps(path, root)
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    for step in way[:-1]:
        folder = _next(folder, step, os.O_DIRECTORY)
    return _next(folder, way[-1], os.O_NONBLOCK)


def _next(folder: int, step: str, flags: int) -> int:
    """One step down from a folder, which is closed."""
    try:
        return os.open(step, os.O_RDONLY | os.O_NOFOLLOW | flags, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR) and _is_link(folder, step):
            raise OSError(errno.ELOOP, "a link on the way to it is not followed") from error
        raise
    finally:
        os.close(folder)


def _is_link(folder: int, step: str) -> bool:
    try:
        return stat.S_ISLNK(os.stat(step, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False


def steps(path: str, root: str) -> tuple[str, ...]:
    """The names from the folder down to the file.

    Raises:
        InputError: it is not below the folder.
    """
    try:
        way = PurePath(path).relative_to(root).parts
    except ValueError:
        way = ()
    if not way or ".." in way:
        raise InputError("it is not below the folder that it belongs to")
    return way

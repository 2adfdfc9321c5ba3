"""Which files there are to read: below folders, named one by one, or listed in a manifest.

Knows nothing about what is in a file, about models or about the catalog.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from latent.errors import InputError, SourceMissingError, UnsupportedMediaError
from latent.media import decode, documents

MANIFESTS = frozenset({".csv", ".jsonl", ".parquet", ".npy"})


class Kind(StrEnum):
    """How a file is read. The suffix says which; whether it is true shows when it is read."""

    PICTURE = "picture"
    TEXT = "text"
    MANIFEST = "manifest"


@dataclass(frozen=True, slots=True)
class File:
    """A file to read. `path` is absolute; `uri` is what people see, without the machine's paths.

    `root` is the folder it was found below; None if it was named itself.
    """

    path: str
    uri: str
    kind: Kind
    size: int
    mtime_ns: int
    root: str | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A folder that could not be looked into, or a file whose name cannot be stored."""

    path: str
    uri: str
    reason: str


@dataclass(frozen=True, slots=True)
class Listing:
    """What one path that was named has to offer. Sorted; nothing twice."""

    root: str
    is_folder: bool
    files: list[File]
    unreadable: list[Unreadable]

    def hides(self, path: str) -> bool:
        """Whether `path` is below a folder that could not be looked into: unseen, not gone."""
        return any(is_below(path, folder.path) for folder in self.unreadable)


def kind_of(path: str) -> Kind | None:
    """How a file of this name is read; None for names that are not for us."""
    suffix = os.path.splitext(path)[1].lower()  # noqa: PTH122 (names by the million: no Path each)
    if suffix in decode.SUFFIXES:
        return Kind.PICTURE
    if suffix in documents.SUFFIXES:
        return Kind.TEXT
    return Kind.MANIFEST if suffix in MANIFESTS else None


def require(path: Path) -> os.stat_result:
    """Its status, if it is a folder or a file that can be read here; nothing is read yet.

    Raises:
        SourceMissingError: there is nothing at `path`.
        UnsupportedMediaError: it is a file of a kind that is not read here.
        InputError: it cannot be looked at.
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SourceMissingError(f"{_shown(str(path))}: there is no such file or folder") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{_shown(str(path))}: {reason_of(error)}") from error
    if not _is_storable(os.path.abspath(path)):  # noqa: PTH100
        raise InputError(f"{_shown(str(path))}: its name is not UTF-8")
    is_readable = stat.S_ISREG(status.st_mode) and kind_of(str(path)) is not None
    if not is_readable and not stat.S_ISDIR(status.st_mode):
        known = ", ".join(sorted(decode.SUFFIXES | documents.SUFFIXES | MANIFESTS))
        raise UnsupportedMediaError(f"{path}: no kind of file that is read here ({known})")
    return status


def listing(path: Path) -> Listing:
    """What there is at `path`: a folder with all below it, a single file, or a manifest.

    Below a folder, hidden names and symbolic links are passed over (what a link points to inside
    the folder is found anyway, and nothing outside it is asked for), and so are manifests and
    other kinds of files; those are read when they are named.

    Raises:
        SourceMissingError, UnsupportedMediaError, InputError: as `require` does.
        InputError: it is a folder that cannot be looked into.
    """
    status = require(path)
    root = os.path.abspath(path)  # noqa: PTH100 (keeps links as they were named)
    if not stat.S_ISDIR(status.st_mode):
        kind = kind_of(root)
        assert kind is not None
        file = File(root, _name(root), kind, status.st_size, status.st_mtime_ns)
        return Listing(root, False, [file], [])
    files: list[File] = []
    unreadable: list[Unreadable] = []
    for found in _walk(root, _name(root)):
        if isinstance(found, File):
            files.append(found)
        elif found.path == root:
            raise InputError(f"{path}: {found.reason}")
        else:
            unreadable.append(found)
    return Listing(root, True, files, unreadable)


def is_below(path: str, folder: str) -> bool:
    """Whether `path` is `folder` itself or anything below it."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def is_gone(path: str) -> bool:
    """Whether there was a file at `path` and now is none. Not being allowed to look is not gone."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return True
    except NotADirectoryError:  # `rows.csv/line 7` is how a row of a manifest is named
        return kind_of(os.path.dirname(path)) is not Kind.MANIFEST  # noqa: PTH120
    except (OSError, ValueError):
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISLNK(mode)  # a folder has taken its name, say


def reason_of(error: OSError | ValueError) -> str:
    """What went wrong, in words without a path."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _walk(folder: str, uri: str) -> Iterator[File | Unreadable]:
    """Everything below, in the order of the names; with a stack of its own, for deep folders."""
    root, waiting = folder, [(folder, uri)]
    while waiting:
        folder, uri = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                visible = sorted(
                    (entry for entry in entries if not entry.name.startswith(".")),
                    key=lambda entry: entry.name,
                )
        except OSError as error:
            yield Unreadable(folder, uri or folder, reason_of(error))
            continue
        below = []
        for entry in visible:
            entry_uri = f"{uri}/{entry.name}" if uri else entry.name
            if not _is_storable(entry.name):
                yield Unreadable(_shown(entry.path), _shown(entry_uri), "its name is not UTF-8")
            elif entry.is_dir(follow_symlinks=False):
                below.append((entry.path, entry_uri))
            elif found := _file(entry, entry_uri, root):
                yield found
        waiting.extend(reversed(below))


def _file(entry: os.DirEntry[str], uri: str, root: str) -> File | None:
    kind = kind_of(entry.name)
    if kind not in (Kind.PICTURE, Kind.TEXT) or not entry.is_file(follow_symlinks=False):
        return None
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):  # it went while we looked
            return None
        return File(entry.path, uri, kind, 0, 0, root)  # reading it will say what is wrong
    return File(entry.path, uri, kind, status.st_size, status.st_mtime_ns, root)


def _name(root: str) -> str:
    return os.path.basename(root.rstrip(os.sep))  # noqa: PTH119


def _is_storable(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _shown(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "replace")

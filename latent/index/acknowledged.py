"""The number of the last write that was acknowledged, kept beside the index.

A catalog that is behind it is an older one, or has lost writes: its log was cut or deleted, say, of
which the database itself knows nothing. Written after the commit and not flushed, so it may be
behind after a power cut, and is never ahead. Knows nothing about catalogs.
"""

from __future__ import annotations

import os
import zlib
from pathlib import Path

from latent.errors import StoreError

NAME = "acknowledged"
_LENGTH = 32  # bytes: one write of the system, in the place of the one before


class Acknowledged:
    """The mark of one collection, in its folder. A help, and never a reason to refuse a write."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME

    def rise_to(self, sequence: int) -> None:
        """A write was committed under this number."""
        try:
            self._write(sequence)
        except FileNotFoundError:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._write(sequence)
            except OSError:
                return
        except OSError:  # no room, say: what is durable is in the catalog
            return

    def forget(self) -> None:
        """Take the catalog as it is."""
        self._path.unlink(missing_ok=True)

    def read(self) -> int:
        """The number; 0 where nothing was acknowledged here.

        Raises:
            StoreError: the file is damaged.
        """
        try:
            written = self._path.read_bytes()
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise StoreError(f"{self._path} cannot be read: {error.strerror}") from error
        number, _, _ = written.partition(b" ")
        if not number.isdigit() or written != _form(int(number)):
            raise StoreError(f"{self._path} is damaged; 'nearfield repair' makes it anew")
        return int(number)

    def _write(self, sequence: int) -> None:
        file = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            os.pwrite(file, _form(sequence), 0)
        finally:
            os.close(file)


def behind(sequence: int, last: int) -> str:
    """What is said of a catalog at `sequence` where `last` was acknowledged."""
    return (
        f"the catalog is at write {sequence}, and write {last} was acknowledged: it is an older "
        "one or has lost writes. Restore a backup, or take it as it is with 'nearfield repair'"
    )


def _form(sequence: int) -> bytes:
    number = str(sequence).encode()
    return b"%s %08x" % (number, zlib.crc32(number)) + b"\n" * (_LENGTH - len(number) - 9)

"""A disk that refuses: a small library, preloaded, that lets writes and flushes fail on demand.

Compiled where it is needed; without a compiler, or where nothing can be preloaded, it says so.
Knows nothing about what is written.
"""

from __future__ import annotations

import mmap
import os
import shutil
import struct
import subprocess
from collections.abc import Mapping
from enum import IntFlag
from pathlib import Path

from benchmarks.rows import UnmeasuredError

SOURCE = Path(__file__).with_name("refusing.c")
FORM = struct.Struct("6q")
FOLDER, CONTROL = "SOAK_FOLDER", "SOAK_CONTROL"


class Call(IntFlag):
    """What is refused."""

    WRITE = 1
    FLUSH = 2


def environment(folder: Path, place: Path) -> Mapping[str, str]:
    """The environment of a process whose files below `folder` can be refused.

    Raises:
        UnmeasuredError: there is no compiler here.
    """
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise UnmeasuredError("no compiler for the library that lets writes fail")
    library, control = place / "refusing.so", place / "control"
    command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(SOURCE), "-ldl"]
    built = subprocess.run(command, capture_output=True, text=True)
    if built.returncode:
        raise UnmeasuredError(f"the compiler refused: {built.stderr.strip()}")
    control.write_bytes(bytes(FORM.size))
    return os.environ | {
        "LD_PRELOAD": str(library), FOLDER: str(folder.resolve()), CONTROL: str(control)
    }  # fmt: skip


class Disk:
    """The disk as the process itself can tell it to refuse; needs that environment."""

    def __init__(self) -> None:
        with Path(os.environ[CONTROL]).open("r+b") as file:
            self._control = mmap.mmap(file.fileno(), FORM.size)

    def refuse(self, call: Call, *, after: int, code: int, stays: bool = False) -> None:
        """Let the call `after` the next ones fail, and if it `stays` so, every one after it."""
        FORM.pack_into(self._control, 0, after, int(call), code, int(stays), 0, self.dirty)

    def relent(self) -> int:
        """Refuse nothing any more; gives how many calls were refused."""
        refused = int(FORM.unpack_from(self._control)[4])
        FORM.pack_into(self._control, 0, 0, 0, 0, 0, 0, self.dirty)
        return refused

    @property
    def dirty(self) -> int:
        """How many open files were written and not flushed since."""
        return int(FORM.unpack_from(self._control)[5])

"""A disk of a few megabytes, and something to fill it with. Needs the right to mount (root)."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.rows import UnmeasuredError

BALLAST = "ballast"
BLOCK = 65_536


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A folder with little room in it."""

    folder: Path

    def fill(self, *, leaving: int = 0) -> None:
        """Take all room but `leaving` bytes."""
        ballast = self.folder / BALLAST
        with ballast.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(b"\0" * BLOCK)
            except OSError:
                pass
            if leaving:
                file.truncate(max(0, ballast.stat().st_size - leaving))

    def relieve(self) -> None:
        """Give all that room back."""
        (self.folder / BALLAST).unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path, *, megabytes: int) -> Iterator[SmallDisk]:
    """Mount one at `folder`, and take it away again.

    Raises:
        UnmeasuredError: nothing may be mounted here.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "nearfield-soak", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", None) or error
        raise UnmeasuredError(f"no disk can be mounted here: {reason}".strip()) from error
    try:
        yield SmallDisk(folder)
    finally:
        # A file that somebody still has open keeps it busy; lazily, it goes with the last of them.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)

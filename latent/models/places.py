"""Names of models that are places on this machine.

Knows nothing about what lies there.
"""

from __future__ import annotations

from pathlib import Path


def place_of(name: str) -> Path | None:
    """The file or folder a name leads to, absolute; None where it leads to none.

    Names come from strangers too: one may be too long for a path, hold a NUL, or begin with the
    home of nobody.
    """
    try:
        path = Path(name).expanduser()
        return path.resolve() if path.exists() else None
    except (OSError, RuntimeError, ValueError):
        return None

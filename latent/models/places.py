"""Names of models that are places on this machine, and what strangers are shown of them.

Knows nothing about what lies there.
"""

from __future__ import annotations

import re
from pathlib import Path

_ABSOLUTE = re.compile(r"(?<![\w./…])/(?:[^\s/'\",;:@()]+/)*([^\s/'\",;:@()]+)/?")


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


def without_places(text: str) -> str:
    """The text, with the end alone of every absolute path in it.

    For what leaves the machine: where things lie is nobody else's business.
    """
    return _ABSOLUTE.sub(r"…/\1", text)

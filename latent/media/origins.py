"""Which file an item is, on this machine. For this machine alone; HTTP never tells."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from latent.items import Item


def file_of(item: Item) -> Path | None:
    """The file an item was read from; None if it came live, or from a row of a manifest.

    The source of a row is its manifest, whose name is not that of the item.
    """
    if item.source is None:
        return None
    path = Path(item.source)
    return path if path.name == PurePosixPath(item.uri).name else None

"""How the files on disk differ from what a collection remembers of them.

Knows nothing about the index.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from indexer.sources import Kind, is_gone, kind_of, reason_of
from latent.collection import Collection


def differences(collection: Collection) -> Iterator[str]:
    """One line for each file that is gone or changed since it was read."""
    for path, source in collection.sources().items():
        if kind_of(os.path.dirname(path)) is Kind.MANIFEST:  # noqa: PTH120
            continue  # a row that failed; no file of its own
        if is_gone(path):
            yield f"the file {path} is gone; 'nearfield index' of its folder removes it"
            continue
        try:
            status = os.stat(path)  # noqa: PTH116 (paths by the million)
        except OSError as error:
            yield f"the file {path} cannot be looked at: {reason_of(error)}"
            continue
        if (status.st_size, status.st_mtime_ns) != (source.size, source.mtime_ns):
            yield f"the file {path} changed since it was read; 'nearfield index' reads it again"

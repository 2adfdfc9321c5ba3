"""What a data folder once held and holds no more: refused when it is opened, never replaced.

The marks of acknowledged writes, beside the indexes, tell of collections that the catalog beside
them must know. Knows nothing about what is in a catalog.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from latent.errors import StoreError
from latent.index.acknowledged import NAME


def refuse_a_lost_catalog(file: Path, index: Path) -> None:
    """A catalog that is gone is not made anew, empty, in the place of what it held.

    Raises:
        StoreError: there is none, and something else says that there was.
    """
    if file.is_file() and file.stat().st_size:
        return
    if file.with_name(f"{file.name}-wal").exists() or marked(index):
        state = "empty" if file.exists() else "gone"
        raise StoreError(
            f"the catalog {file} is {state}, and what was made beside it is still there. Restore a "
            f"backup of it, or begin anew: delete {index} and what is left of {file.name}"
        )


def refuse_lost_collections(file: Path, index: Path, known: Callable[[], Collection[str]]) -> None:
    """A catalog that does not know what was written to it is not used as if it did.

    `known` gives the uids of its collections, and is asked after the marks were looked for.

    Raises:
        StoreError: collections that were written to are not in it.
    """
    before = marked(index)
    if lost := sorted(before - set(known()) & marked(index)):  # again: one may be deleted right now
        folders = ", ".join(str(index / uid) for uid in lost)
        raise StoreError(
            f"the catalog {file} does not know {len(lost)} of the collections that were written to "
            f"it: it is an older one or has lost writes. Restore a backup of it, or take it as it "
            f"is: delete {folders}"
        )


def marked(index: Path) -> set[str]:
    """The uids of the collections that were written to from here."""
    return {path.parent.name for path in index.glob(f"*/{NAME}")} if index.is_dir() else set()

"""What is kept of uploads that are gone: removed in time, whoever removed the items.

The service lets go of it at once when it drops an item itself (`pictures.forget`); a program that
drops items from Python knows nothing of it, nor does a process that is killed in between. Knows
nothing about requests.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from pathlib import Path

from latent.collection import Collection
from latent.errors import NearfieldError, UnknownCollectionError
from latent.store import Store
from service.explore.pictures import KEPT

log = logging.getLogger(__name__)

EVERY = 1_800.0  # seconds between two looks
YOUNG = 3_600.0  # seconds; what is kept is written before its item, and must not go in between
AT_ONCE = 500  # items that the catalog is asked for together


def sweep(collection: Collection, *, young: float = YOUNG) -> int:
    """Remove what no item shows and is not young (seconds); gives how many files went."""
    until = time.time() - young
    kept = [path for path in (collection.views / KEPT).glob("*/*.webp") if _is_older(path, until)]
    gone = 0
    for start in range(0, len(kept), AT_ONCE):
        some = kept[start : start + AT_ONCE]
        shown = collection.with_content([path.stem for path in some])
        for path in some:
            # Looked at once more: it may have been kept anew since it was listed.
            if path.stem not in shown and _is_older(path, until):
                with suppress(OSError):  # the next time, then
                    path.unlink()
                    gone += 1
    return gone


async def keep_sweeping(store: Store, stop: asyncio.Event, *, every: float = EVERY) -> None:
    """Sweep every collection now and then until `stop` is set; what goes wrong is logged."""
    while not await _stopped(stop, every):
        try:
            await asyncio.to_thread(_sweep_all, store)
        except NearfieldError as error:
            log.warning("nothing that is kept of uploads was removed: %s", error)
        except Exception:
            log.exception("nothing that is kept of uploads was removed")


def _sweep_all(store: Store) -> None:
    for name in store.spaces():
        try:
            if gone := sweep(store.collection(name)):
                log.info("%d pictures of uploads that are gone were removed of %r", gone, name)
        except UnknownCollectionError:  # deleted meanwhile
            continue
        except NearfieldError as error:  # the others are swept all the same
            log.warning("what is kept of uploads of %r was not removed: %s", name, error)


async def _stopped(stop: asyncio.Event, seconds: float) -> bool:
    """Whether it is told to stop within that time."""
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
    return stop.is_set()


def _is_older(path: Path, until: float) -> bool:
    try:
        return path.stat().st_mtime < until
    except OSError:  # gone already
        return False

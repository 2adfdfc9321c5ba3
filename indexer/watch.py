"""Calls back when files change below the paths that were named, and once at the beginning.

Knows nothing about what is done then.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event

import watchfiles

from indexer.sources import is_below

QUIET_MS = 300  # changes that come this close together are one
LONGEST_MS = 3_000  # … but nobody waits longer than this for the first of them
TURN_MS = 500


def follow(
    paths: Sequence[Path],
    react: Callable[[Sequence[Path]], None],
    *,
    stop: Event,
    ignored: Path | None = None,
) -> None:
    """Call `react` with those of `paths` below which something changed, until `stop` is set.

    The first call is for all of them, made when the watch stands, so that no change falls between
    a look and the watch. So is one after a folder went away, told of what is gone, and after
    one is back. Hidden files and what is below `ignored` are no changes.
    """
    roots = {path: os.path.abspath(path) for path in paths}  # noqa: PTH100
    data = None if ignored is None else os.path.abspath(ignored)  # noqa: PTH100

    def matters(_: watchfiles.Change, changed: str) -> bool:
        if data is not None and is_below(changed, data):
            return False
        return any(_is_visible_below(changed, root) for root in roots.values())

    # A file is watched through its folder: editors put a new file in the place of the old.
    places = {
        path: root if Path(root).is_dir() else str(Path(root).parent)
        for path, root in roots.items()
    }
    while not stop.is_set():
        standing = _standing(places.values())
        # Nobody looked until now, so anything may have changed.
        missed = [path for path, place in places.items() if place in standing]
        if not standing:
            stop.wait(TURN_MS / 1_000)
            continue
        try:
            for changes in watchfiles.watch(
                *sorted(standing),
                watch_filter=matters,
                debounce=LONGEST_MS,
                step=QUIET_MS,
                rust_timeout=TURN_MS,
                yield_on_timeout=True,
                stop_event=stop,
                ignore_permission_denied=True,
            ):
                touched = [
                    path
                    for path, root in roots.items()
                    if path in missed or any(is_below(changed, root) for _, changed in changes)
                ]
                missed = []
                if touched:
                    react(touched)
                now = _standing(places.values())
                if now != standing:  # a folder went, or another one came in its place
                    gone = standing.keys() - now.keys()
                    if went := [path for path, place in places.items() if place in gone]:
                        react(went)
                    break
        except FileNotFoundError:  # it went between the look and the watch
            if _standing(places.values()) == standing:
                raise


def _standing(places: Iterable[str]) -> dict[str, tuple[int, int]]:
    """The folders that are there, each with what tells it from another of the same name."""
    found = {}
    for place in places:
        with suppress(OSError):
            status = os.stat(place)  # noqa: PTH116
            found[place] = (status.st_dev, status.st_ino)
    return found


def _is_visible_below(path: str, root: str) -> bool:
    if not is_below(path, root):
        return False
    return os.sep + "." not in path[len(root) :]

"""Which landscape is being built, and how far it is; one at a time, among all processes.

Several processes may serve one data folder, and whichever is asked tells what any of them does: it
lies in a file beside the views of the collections. Knows nothing about how one is built.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from latent.disk import storage_error, write_whole
from latent.errors import StoreError

log = logging.getLogger(__name__)

FILE, LOCK = "building.json", "building.lock"
TELL_EVERY = 0.2  # seconds between two times that others are told how far it is
ENDED = "the process that built it has ended; build it again"


@dataclass(frozen=True, slots=True)
class Building:
    """How far a landscape is, from 0 to 1; `failure` says why it was given up."""

    step: str = "waiting"
    done: float = 0.0
    failure: str | None = None


class Buildings:
    """What is being built of a store. Safe among threads and beside other processes."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE
        self._lock_file = folder / LOCK
        self._at_work = threading.Lock()
        self._lock: FileLock | None = None
        self._own: tuple[str, Building] | None = None
        self._told = 0.0

    def begin(self, uid: str) -> bool:
        """Take the turn to build; False where somebody has it.

        Raises:
            StoreError: it cannot be told.
        """
        if not self._at_work.acquire(blocking=False):
            return False
        # Taken by the thread that was asked, let go of by the one that builds.
        lock = FileLock(self._lock_file, thread_local=False)
        try:
            self._lock_file.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        except (Timeout, OSError) as error:
            self._at_work.release()
            if isinstance(error, Timeout):
                return False
            raise storage_error(error, self._lock_file) from error
        self._lock = lock
        self.tell(uid, Building())
        return True

    def tell(self, uid: str, building: Building) -> None:
        """Say how far the one is whose turn it is."""
        before, self._own = self._own, (uid, building)
        is_same = before is not None and before[0] == uid and before[1].step == building.step
        now = time.monotonic()
        if is_same and building.failure is None and now - self._told < TELL_EVERY:
            return
        self._told = now
        try:
            told = {"uid": uid, **asdict(building)}
            write_whole(self._file, json.dumps(told).encode(), is_durable=False)
        except StoreError as error:
            log.warning("other processes are not told of a map that is built: %s", error)

    def end(self, failure: str | None = None) -> None:
        """Give the turn back. What failed is told until the next one begins."""
        if failure is not None and self._own is not None:
            uid, building = self._own
            self.tell(uid, Building(building.step, building.done, failure))
        else:
            self._own = None
            try:
                self._file.unlink(missing_ok=True)
            except OSError as error:
                log.warning("other processes are not told that a map is built: %s", error)
        if self._lock is not None:
            self._lock.release()
        self._at_work.release()

    def of(self, uid: str) -> Building | None:
        """How far the landscape of that collection is; None where none is being built."""
        own = self._own
        if self._at_work.locked() and own is not None:
            return own[1] if own[0] == uid else None
        try:
            told = json.loads(self._file.read_bytes())
            if told.pop("uid") != uid:
                return None
            building = Building(**told)
        except FileNotFoundError:
            return own[1] if own is not None and own[0] == uid else None
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s is passed over: %s", self._file.name, error)
            return None
        if building.failure is None and not self._is_anyone_at_work() and self._file.exists():
            return Building(building.step, building.done, ENDED)
        return building

    def _is_anyone_at_work(self) -> bool:
        try:
            with FileLock(self._lock_file, timeout=0):
                return False
        except Timeout:
            return True
        except OSError as error:
            log.warning("%s cannot be asked: %s", self._lock_file.name, error)
            return False

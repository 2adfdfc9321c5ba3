"""Landscapes of collections as they are now: kept in memory, followed, built one at a time.

Building goes on in a thread of its own; `buildings` tells how far it is. One that another process
has built takes the place of that in memory. Knows nothing about how a
landscape is found.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latent.collection import VIEWS, Collection
from latent.errors import (
    ModelUnavailableError,
    NearfieldError,
    OverloadedError,
    SpaceMismatchError,
    StoreError,
    UnsupportedMediaError,
)
from latent.index.vectors import Keys
from latent.items import Modality
from latent.store import Store
from service.explore import landscape
from service.explore.buildings import Building, Buildings
from service.explore.cloud import Cloud, cloud_of
from service.explore.landscape import Landscape
from service.explore.projecting import Method, best_method, require
from service.explore.vocabulary import Vocabulary, vocabulary_of

log = logging.getLogger(__name__)

WAIT = 30  # seconds after which to ask again while another landscape is built


class StoppedError(NearfieldError):
    """A landscape is no longer wanted, for the service ends."""


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """A landscape at a sequence, with the ids and modalities, `(n,)`, of its items."""

    landscape: Landscape
    sequence: int
    ids: list[str]
    is_text: NDArray[np.bool_]

    def id_of(self, key: int) -> str | None:
        """The id of the item of a key; None if it is gone."""
        keys = self.landscape.keys
        place = int(np.searchsorted(keys, key))
        return self.ids[place] if place < len(keys) and keys[place] == key else None

    def places_of(self, keys: Keys) -> NDArray[np.int64]:
        """Where among its items those of these keys are that it has, in their order."""
        there = self.landscape.keys
        places = np.searchsorted(there, keys)
        is_there = places < len(there)
        is_there[is_there] = there[places[is_there]] == keys[is_there]
        found: NDArray[np.int64] = places[is_there]
        return found


class Surveys:
    """The landscapes of a store. Safe to use from many threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._keeping = threading.Lock()
        self._turns: dict[str, threading.Lock] = {}
        self._surveys: dict[str, Survey] = {}
        self._versions: dict[str, landscape.Version] = {}
        self._buildings = Buildings(store.settings.data / VIEWS)
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def close(self) -> None:
        """Stop what is being built, and wait for it."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def of(self, collection: Collection) -> Survey | None:
        """The landscape as it is now; None where none was built."""
        uid, sequence = collection.views.name, collection.sequence
        with self._turn(uid):  # two that ask for one map need it followed once
            held = self._held(collection)
            if held is not None and held.sequence == sequence:
                return held
            before = held.landscape if held is not None else landscape.load(collection.views)
            cloud = cloud_of(collection) if before is not None else None
            if before is None or cloud is None or (not before.groups and len(cloud)):
                return None  # there was nothing yet when it was built
            now = landscape.followed(before, cloud)
            if now is not before:
                _keep(collection, now)
            return self._hold(collection, now, cloud)

    def seen(self, collection: Collection, least: int = 0) -> Survey | None:
        """The landscape as somebody saw it last, which takes no time; else as it is now.

        As it is now, too, where what was seen is of a sequence before `least`.
        """
        held = self._held(collection)
        return held if held is not None and held.sequence >= least else self.of(collection)

    def is_in_memory(self, collection: Collection, least: int = 0) -> bool:
        """Whether `seen` takes no time."""
        held = self._held(collection)
        return held is not None and held.sequence >= least

    def _held(self, collection: Collection) -> Survey | None:
        """The landscape in memory, unless another process has kept one since."""
        uid, version = collection.views.name, landscape.version(collection.views)
        # Where what was kept is gone, ours will do.
        is_ours = version is None or version == self._versions.get(uid)
        return self._surveys.get(uid) if is_ours else None

    def building(self, collection: Collection) -> Building | None:
        """How far it is being built; None where it is not."""
        return self._buildings.of(collection.views.name)

    def begin(self, collection: Collection, method: Method | None = None) -> Building:
        """Build it anew in the background, unless that is being done.

        Raises:
            InputError: the package of the method is not installed.
            OverloadedError: the landscape of another collection is being built.
        """
        require(method or best_method())
        uid = collection.views.name
        if not self._buildings.begin(uid):
            known = self._buildings.of(uid)
            if known is not None and known.failure is None:
                return known
            raise OverloadedError("another map is being built; try later", WAIT)
        thread = threading.Thread(
            target=self._build_quietly, args=(collection, method), name="landscape", daemon=True
        )
        self._threads = [one for one in self._threads if one.is_alive()] + [thread]
        thread.start()
        return Building()

    def build(
        self,
        collection: Collection,
        method: Method | None = None,
        *,
        progress: Callable[[str, float], None] = lambda step, done: None,
    ) -> Survey:
        """Build it anew, in the calling thread.

        Raises:
            InputError: the package of the method is not installed.
            StoreError: it cannot be kept.
        """
        progress("reading", 0.0)
        cloud = cloud_of(collection)
        progress("words", 0.0)
        made = landscape.built(
            cloud,
            self.vocabulary(collection),
            method or best_method(),
            threads=self._store.settings.threads,
            progress=progress,
        )
        landscape.save(collection.views, made)
        with self._turn(collection.views.name):
            return self._hold(collection, made, cloud)

    def vocabulary(self, collection: Collection) -> Vocabulary | None:
        """Everyday words in the collection's space.

        None where its model places no texts, or is not here: a map needs none.
        """
        try:
            return vocabulary_of(self._store.embedder_for(collection), collection.views.parent)
        except (UnsupportedMediaError, SpaceMismatchError, ModelUnavailableError) as error:
            log.info("the map of %r does without words: %s", collection.name, error)
            return None

    def _turn(self, uid: str) -> threading.Lock:
        """The turn of those who look at one collection; others do not wait for them."""
        with self._keeping:
            return self._turns.setdefault(uid, threading.Lock())

    def _hold(self, collection: Collection, now: Landscape, cloud: Cloud) -> Survey:
        uid = collection.views.name
        held = Survey(now, cloud.sequence, cloud.ids, cloud.of(Modality.TEXT))
        there = self._store.uids()
        with self._keeping:
            self._surveys = {one: kept for one, kept in self._surveys.items() if one in there}
            self._turns = {one: turn for one, turn in self._turns.items() if one in there}
            self._surveys[uid] = held
            self._versions = {one: kept for one, kept in self._versions.items() if one in there}
            self._versions[uid] = landscape.version(collection.views)
        return held

    def _build_quietly(self, collection: Collection, method: Method | None) -> None:
        uid = collection.views.name

        def progress(step: str, done: float) -> None:
            if self._stop.is_set():
                raise StoppedError("the service ends")
            self._buildings.tell(uid, Building(step, done))

        failure: str | None = None
        try:
            self.build(collection, method, progress=progress)
        except StoppedError as error:
            log.warning("the map of %r was not built: %s", collection.name, error)
        except NearfieldError as error:
            log.warning("the map of %r was not built: %s", collection.name, error)
            failure = str(error)
        except Exception:
            log.exception("the map of %r was not built", collection.name)
            failure = "building failed; the log of the service has the details"
        finally:
            self._buildings.end(failure)


def _keep(collection: Collection, now: Landscape) -> None:
    """Keep what was only followed; without room for it, it is followed again next time."""
    try:
        landscape.save(collection.views, now)
    except StoreError as error:
        log.warning("the map of %r is not kept: %s", collection.name, error)

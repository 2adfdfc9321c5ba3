"""All that is open at once: the catalog, its collections, the models. Made by `wiring`.

Knows nothing about which database, index or model is behind it.
"""

from __future__ import annotations

import logging
import re
import shutil
import threading
from contextlib import AbstractContextManager, suppress
from functools import partial
from pathlib import Path

from latent.catalog.catalog import Catalog
from latent.catalog.rows import Entry
from latent.collection import VIEWS, Collection, Summary
from latent.errors import (
    InputError,
    ModelUnavailableError,
    SpaceMismatchError,
    UnknownCollectionError,
    UnsupportedMediaError,
)
from latent.index.acknowledged import Acknowledged
from latent.index.questions import PHRASES
from latent.index.served import Limits
from latent.items import Vectors
from latent.models import chance
from latent.models.embedder import Embedder
from latent.models.loaded import LoadedModels
from latent.settings import Settings
from latent.space import Space

log = logging.getLogger(__name__)

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,99}")


class Store:
    """Collections by name and embedders by name; each is opened once and kept."""

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        index_folder: Path,
        models: LoadedModels,
    ) -> None:
        self.settings = settings
        self._catalog = catalog
        self._index_folder = index_folder
        self._models = models
        self._opening = threading.RLock()
        self._collections: dict[str, Collection] = {}
        self._placing = threading.Lock()
        self._chance: dict[str, Vectors | None] = {}
        self._placed_phrases: dict[str, Vectors] = {}

    def close(self) -> None:
        """Let go of everything that is open."""
        self._collections.clear()
        self._models.clear()
        self._catalog.close()

    def stop_publishing(self) -> None:
        """Give up snapshots that are being made, before everything is closed."""
        with self._opening:
            opened = list(self._collections.values())
        for collection in opened:
            collection.stop()

    def at_one_moment(self) -> AbstractContextManager[None]:
        """As `Catalog.at_one_moment`, for what one thread does for one question."""
        return self._catalog.at_one_moment()

    def collections(self) -> list[Summary]:
        """What each collection holds, by name."""
        found = []
        for entry in self._catalog.entries():
            with suppress(UnknownCollectionError):  # deleted since it was listed
                found.append(self._opened(entry).summary())
        return found

    def spaces(self) -> dict[str, Space]:
        """The space of each collection, by name; counts nothing."""
        entries = self._catalog.entries()
        with self._opening:  # let go of those that another process has deleted
            for uid in self._collections.keys() - {entry.uid for entry in entries}:
                del self._collections[uid]
        return {entry.name: entry.space for entry in entries}

    def collection(self, name: str) -> Collection:
        """The collection of that name.

        Raises:
            UnknownCollectionError: there is none.
        """
        return self._opened(self._catalog.entry(name))

    def uids(self) -> set[str]:
        """What collections are known by, whatever their names."""
        return {entry.uid for entry in self._catalog.entries()}

    def ensure(self, name: str, model: str | None = None) -> Collection:
        """The collection of that name, made with `model` (or the default one) if it is not there.

        Raises:
            SpaceMismatchError: it is there, in another space than that of `model`.
            InputError: the name is not a fit one.
        """
        if not _NAME.fullmatch(name):
            raise InputError(
                f"{name!r} is no name for a collection: letters, digits, '_', '-' and '.', at most "
                "100, beginning with a letter or digit"
            )
        known = {entry.name: entry for entry in self._catalog.entries()}
        if name not in known:
            space = self.embedder(model).space
            with self._opening:
                return self._opened(self._made(name, space))
        collection = self._opened(known[name])
        if model is not None and model != collection.space.model:
            collection.space.require_same(
                self.embedder(model).space, what=f"collection {name!r} stays as it is: {model!r}"
            )
        return collection

    def _made(self, name: str, space: Space) -> Entry:
        """The collection of that name; another process may have made it this moment."""
        try:
            return self._catalog.create(name, space)
        except InputError:
            entry = self._catalog.entry(name)
            space.require_same(entry.space, what=f"collection {name!r}")
            return entry

    def switch(self, name: str, other: str) -> None:
        """Let each of two collections go by the other's name from the next request on.

        In one step: whoever asks for a name gets all of one or all of the other. Done again, it is
        undone.

        Raises:
            UnknownCollectionError: there is no such collection.
            InputError: it is one and the same.
        """
        if name == other:
            raise InputError(f"{name!r} is switched with another collection, not with itself")
        self._catalog.exchange(self._catalog.entry(name), self._catalog.entry(other))

    def delete(self, name: str) -> None:
        """Remove a collection, its items and its index.

        Raises:
            UnknownCollectionError: there is none.
        """
        entry = self._catalog.entry(name)
        # First, for whoever is killed in between must not leave a mark of what is then unknown.
        Acknowledged(self._index_folder / entry.uid).forget()
        self._catalog.remove(entry)
        with self._opening:
            self._collections.pop(entry.uid, None)
        for folder in (self._index_folder, self._index_folder.parent / VIEWS):
            shutil.rmtree(folder / entry.uid, ignore_errors=True)

    def embedder(self, model: str | None = None) -> Embedder:
        """The model of that name (or the default one), loaded once.

        Raises:
            ModelUnavailableError: its weights cannot be had.
            InputError: no model is named like that.
        """
        return self._models.embedder(model)

    def embedder_for(self, collection: Collection) -> Embedder:
        """The model the collection was made with, or a compiled one of the same space.

        Raises:
            SpaceMismatchError: the model of that name places things elsewhere by now.
        """
        embedder = self._models.embedder_in(collection.space)
        if not embedder.space.is_same_as(collection.space):
            raise SpaceMismatchError(
                f"collection {collection.name!r} was made in the space of {collection.space}, but "
                f"the model is now {embedder.space}; index into a new collection"
            )
        return embedder

    def _phrases(self, space: Space) -> Vectors | None:
        """Everyday phrases in a space, for its index to be judged by; placed once."""
        placed = self._placed_phrases.get(space.fingerprint)
        if placed is not None:
            return placed
        try:
            embedder = self._models.embedder_in(space)
            if embedder.space.is_same_as(space):
                placed = self._placed_phrases[space.fingerprint] = embedder.embed_texts(PHRASES)
        except (ModelUnavailableError, UnsupportedMediaError) as error:
            log.info("no questions in words for %s: %s", space, error)
        return placed

    def chance(self, collection: Collection) -> Vectors | None:
        """The places of questions that hardly anything answers, placed once for each space.

        None where no model of the space takes texts.
        """
        space = collection.space
        with self._placing:
            if space.fingerprint not in self._chance:
                try:
                    self._chance[space.fingerprint] = chance.placed(self.embedder_for(collection))
                except (ModelUnavailableError, UnsupportedMediaError, SpaceMismatchError) as error:
                    log.info("no chance questions for %s: %s", space, error)
                    self._chance[space.fingerprint] = None
            return self._chance[space.fingerprint]

    def _opened(self, entry: Entry) -> Collection:
        with self._opening:
            if entry.uid not in self._collections:
                limits = Limits(
                    exact=self.settings.exact_limit,
                    delta=self.settings.delta_limit,
                    threads=self.settings.threads,
                    recall=self.settings.recall,
                )
                self._collections[entry.uid] = Collection(
                    self._catalog,
                    entry,
                    self._index_folder / entry.uid,
                    limits,
                    in_words=partial(self._phrases, entry.space),
                )
            return self._collections[entry.uid]

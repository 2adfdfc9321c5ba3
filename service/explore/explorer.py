"""The explorer: looks around in the collections of a store, and keeps what took long to find out.

Pure Python over a Store. Knows nothing about the web.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from latent.filters.language import Filter, Where
from latent.items import Modality
from latent.store import Store
from service.explore.facets import Facets, facets_of
from service.explore.surveys import Surveys
from service.explore.thumbnails import Thumbnail, Thumbnails

MOST_KEPT = 64  # answers


class Explorer:
    """Looks around in a store. Safe to use from many threads.

    `surveys` are the maps and groups of its collections.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.surveys = Surveys(store)
        self._thumbnails = Thumbnails(store.settings)
        self._keeping = threading.Lock()
        self._facets: OrderedDict[str, Facets] = OrderedDict()

    def close(self) -> None:
        """Stop what goes on in the background, and wait for it."""
        self.surveys.close()

    def facets(
        self,
        name: str,
        *,
        where: Where | Filter | None = None,
        modality: Modality | None = None,
        values: int = 20,
    ) -> Facets:
        """What the items that match can be filtered by; kept until something is written.

        Raises:
            UnknownCollectionError, FilterError: it names what is not there.
        """
        collection = self._store.collection(name)
        # Read first: what is written meanwhile makes the answer newer than its number, never older.
        asked = repr((collection.views.name, collection.sequence, where, modality, values))
        with self._keeping:
            if (kept := self._facets.get(asked)) is not None:
                self._facets.move_to_end(asked)
                return kept
        found = facets_of(collection.facts(where=where, modality=modality), values=values)
        with self._keeping:
            self._facets[asked] = found
            while len(self._facets) > MOST_KEPT:
                self._facets.popitem(last=False)
        return found

    def thumbnail(self, name: str, item_id: str, size: int) -> Thumbnail:
        """The thumbnail of an item; raises as `Thumbnails.of`, and UnknownCollectionError."""
        return self._thumbnails.of(self._store.collection(name), item_id, size)

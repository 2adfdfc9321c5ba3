"""What tests of indexing share: a run as a test says it, and a model that counts."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from indexer.pipeline import index
from indexer.report import Report
from latent.collection import Collection
from latent.items import Vectors
from latent.models.colours import ColourEmbedder
from latent.models.embedder import Prepared
from latent.settings import Settings


class Counting(ColourEmbedder):
    """Counts what it embeds and how much of it is alive at once; can fail after a while."""

    def __init__(self, *, fails_after: int | None = None) -> None:
        super().__init__()
        self.pictures = 0
        self.texts = 0
        self.largest_batch = 0
        self.preparing = 0
        self.most_preparing = 0
        self.waiting = 0
        self.most_waiting = 0
        self._fails_after = fails_after
        self._lock = threading.Lock()

    def prepare(self, picture: Image.Image) -> Prepared:
        with self._lock:
            self.preparing += 1
            self.most_preparing = max(self.most_preparing, self.preparing)
        prepared = super().prepare(picture)
        with self._lock:
            self.preparing -= 1
            self.waiting += 1
            self.most_waiting = max(self.most_waiting, self.waiting)
        return prepared

    def embed_images(self, pictures: Sequence[Prepared]) -> Vectors:
        if self._fails_after is not None and self.pictures >= self._fails_after:
            raise KeyboardInterrupt
        with self._lock:
            self.waiting -= len(pictures)
        self.pictures += len(pictures)
        self.largest_batch = max(self.largest_batch, len(pictures))
        return super().embed_images(pictures)

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        self.texts += len(texts)
        self.largest_batch = max(self.largest_batch, len(texts))
        return super().embed_texts(texts)


class Indexer:
    """Indexes into one collection, as a test says it."""

    def __init__(self, collection: Collection, embedder: Counting, settings: Settings) -> None:
        self.collection = collection
        self.embedder = embedder
        self.settings = settings

    def __call__(self, *paths: Path, allow_empty: bool = False) -> Report:
        return index(paths, self.collection, self.embedder, self.settings, allow_empty=allow_empty)

    def finds(self, question: str) -> str:
        """The uri of the nearest."""
        query = self.embedder.embed_texts([question])[0]
        return self.collection.nearest(query, 1)[0].item.uri

"""Relevance learnt from a collection: its captioned photos say what belongs together.

Words that find photos are judged by what was learnt from then on, in every collection of the same
space. Knows nothing about how a curve is fitted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from latent.collection import Collection
from latent.errors import InputError
from latent.items import Item, Modality, Vectors
from latent.models import kept_calibrations, registry
from latent.models.calibrating.own import Learnt, learn, pairs_of
from latent.models.calibration import Calibration, pair
from latent.models.embedder import Embedder
from latent.store import Store

MOST = 5_000
"""Captioned photos that are learnt from; a random choice where there are more."""
PAGE, BATCH = 1_000, 64
NAME = pair(Modality.TEXT, Modality.IMAGE)


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What was learnt of a collection's captioned photos, and the file it is kept in."""

    collection: str
    model: str
    photos: int
    learnt: Learnt
    kept_in: Path


def calibrate(store: Store, collection: Collection) -> Calibrated:
    """Learn how sure a score is, for words that find photos, and keep it for the model.

    Raises:
        InputError: too few photos have a caption that the model reads whole.
        ModelUnavailableError, UnsupportedMediaError: there is no model to place the captions.
        StorageFullError, StoreError: it cannot be kept.
    """
    embedder, strange = store.embedder_for(collection), store.chance(collection)
    photos = _chosen(_captioned(collection, embedder))
    if not photos or strange is None:
        raise InputError(
            f"no photo in {collection.name!r} has a caption that the model reads whole; index a"
            " manifest with the columns image and text"
        )
    said = [photo.text or "" for photo in photos]
    places = _placed(embedder, list(dict.fromkeys(said)))
    rows = np.stack([photo.vector for photo in photos])
    known = registry.calibration(collection.space, store.settings)
    before = known.curve(Modality.TEXT, Modality.IMAGE) if known else None
    learnt = learn(pairs_of(rows, said, places, strange), before)
    about = f"{learnt.captions} captions of photos of one's own, {datetime.now(UTC).date()}"
    calibration = Calibration(curves={NAME: learnt.curve}, alone={NAME: learnt.line}, about=about)
    path = kept_calibrations.keep(collection.space, calibration, store.settings)
    return Calibrated(collection.name, collection.space.model, len(photos), learnt, path)


def _captioned(collection: Collection, embedder: Embedder) -> Iterator[Item]:
    """The photos with a caption that is read whole."""
    after = None
    while page := collection.scroll(PAGE, after=after, modality=Modality.IMAGE):
        after = page[-1].id
        for item in page:
            text = item.text
            if text and text.strip() and len(embedder.token_spans(text)) <= embedder.max_tokens:
                yield item


def _chosen(photos: Iterator[Item]) -> list[Item]:
    """All, or as many as are learnt from, each as likely (Vitter's algorithm R, 1985)."""
    chance, kept = np.random.default_rng(0), list[Item]()
    for number, photo in enumerate(photos):
        if number < MOST:
            kept.append(photo)
        elif (place := int(chance.integers(number + 1))) < MOST:
            kept[place] = photo
    return kept


def _placed(embedder: Embedder, texts: Sequence[str]) -> Vectors:
    batches = (texts[start : start + BATCH] for start in range(0, len(texts), BATCH))
    return np.concatenate([embedder.embed_texts(batch) for batch in batches])

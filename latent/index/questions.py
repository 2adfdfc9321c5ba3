"""Where the questions come from that an index is judged by: stored items, and everyday phrases.

Knows nothing about what is measured with them.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np

from latent.catalog.catalog import Catalog
from latent.catalog.rows import Entry
from latent.index.recall import Questions
from latent.index.vectors import Keys
from latent.items import Modality, Vectors

ENOUGH = 500
"""Questions of a kind. Of fewer, a handful that go astray decide how far all must look."""
FEW = 50
"""With fewer stored texts than this, phrases are asked instead."""

InWords = Callable[[], Vectors | None]
"""Places of `PHRASES` in the collection's space; None where its model takes no texts."""

_SUBJECTS = (
    *("a dog", "two children", "an old man", "a bride and groom", "a red car", "birds"),
    *("a bowl of food", "a bicycle", "a boat", "a cat asleep", "a crowd", "a mountain"),
    *("flowers", "a house", "my friends", "a train", "a woman laughing", "horses"),
    *("a handwritten letter", "an invoice", "a bridge", "two friends", "a dinner table"),
    *("an old church", "musicians"),
)
_PLACES = (
    *("in the snow", "at the beach", "at night", "in a kitchen", "in the city"),
    *("by the river", "in black and white", "from far away", "in a garden", "last summer"),
    *("at sunset", "in the rain", "up close", "from above", "on a table", "in the woods"),
    *("behind a window", "at a party", "on a quiet street", "in the fog"),
)
PHRASES = tuple(f"{subject} {place}" for subject, place in product(_SUBJECTS, _PLACES))
"""What people might ask a collection of photos and notes."""


def questions_for(
    catalog: Catalog, entry: Entry, keys: Keys, vectors: Vectors, in_words: InWords
) -> dict[str, Questions]:
    """Questions by modality about the rows `vectors` of these keys.

    Images that are stored ask for others; texts do so if there are enough, and phrases if not.
    """
    asked = {}
    for modality in Modality:
        stored = np.intersect1d(catalog.matching(entry, modality=modality).keys, keys)
        if modality is Modality.TEXT and len(stored) < FEW:
            phrases = in_words()
            if phrases is not None:
                asked[modality.value] = Questions(phrases, np.full(len(phrases), -1, np.int64))
                continue
        asked[modality.value] = _some(stored, keys, vectors)
    return asked


def _some(stored: Keys, keys: Keys, vectors: Vectors) -> Questions:
    chance = np.random.default_rng(0)
    chosen = np.sort(chance.choice(stored, min(ENOUGH, len(stored)), replace=False))
    by_key = np.argsort(keys)
    rows = by_key[np.searchsorted(keys, chosen, sorter=by_key)]
    return Questions(np.array(vectors[rows]), chosen)

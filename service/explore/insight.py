"""What there is to say of a match, of a vector, of a direction, put together.

Knows nothing about requests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from latent.collection import Collection, Located
from latent.errors import InputError, NearfieldError
from latent.filters.language import Filter, Where
from latent.items import Hit, Item, Modality, Vector, Vectors
from latent.models.embedder import Embedder
from latent.settings import Settings
from service.engine.directions import SAME, direction
from service.engine.parts import Part, Picture, Text
from service.engine.questions import IDENTICAL
from service.explore.deletion import Explained
from service.explore.mixture import Mixture, mixture_of
from service.explore.pictures import picture_of
from service.explore.vocabulary import Vocabulary
from service.explore.why import Piece, heat_of, shares, words_of

FEW = 20  # things of one kind: too few to tell their middle, or how one stands among them
SHARED = 12  # words told of what items have in common
NEAREST = 8  # words told of each end of a direction


@dataclass(frozen=True, slots=True)
class Why:
    """Why an item matched. `shares` are what each part of the query gave; they add up to `score`.

    `found` is what of the item speaks for the query: of a photo piece by piece, of a text by its
    `pieces`. Where it could not be found, `missing` says why. `nearer_than` is the share of other
    items of its kind that lie farther from the query, None where there are too few to say.
    """

    item: Item
    score: float
    nearer_than: float | None
    shares: list[float]
    found: Explained | None
    pieces: list[Piece]
    missing: str | None


@dataclass(frozen=True, slots=True)
class Axis:
    """A direction from one thing to another: the items furthest at both ends, and words there.

    Scores of hits are their cosines to the direction.
    """

    start: list[Hit]
    end: list[Hit]
    start_words: list[tuple[str, float]]
    end_words: list[tuple[str, float]]


def why(
    collection: Collection,
    item: Item,
    asked: tuple[Sequence[Part], Vectors],
    embedder: Embedder,
    settings: Settings,
) -> Why:
    """Why an item matches a query; `asked` are its parts and their places.

    Raises:
        InputError: the parts of the query cancel each other out.
    """
    parts, rows = asked
    aim = direction(parts, rows)
    gave = shares(parts, rows, item.vector)
    score = float(item.vector @ aim)
    nearer = nearer_than(collection, item, aim)
    try:
        if item.modality is Modality.IMAGE:
            picture = picture_of(collection, item, embedder.picture_side, settings)
            return Why(item, score, nearer, gave, heat_of(picture, aim, embedder), [], None)
        found, pieces = words_of(item.text or "", aim, embedder)
        return Why(item, score, nearer, gave, found, pieces, None)
    except NearfieldError as error:
        return Why(item, score, nearer, gave, None, [], str(error))


def nearer_than(collection: Collection, item: Item, aim: Vector) -> float | None:
    """The share of other items of its kind that lie farther from `aim`, in a random sample.

    Copies of it are not counted. None where there are too few others to say.
    """
    sample = collection.background()[item.modality].vectors
    others = sample[sample @ item.vector < IDENTICAL]
    if len(others) < FEW:
        return None
    return float((others @ aim < item.vector @ aim).mean())


def middle_of(collection: Collection, modality: Modality, vocabulary: Vocabulary) -> Vector:
    """The middle of a kind of things: of the collection's, or of the words where it has few."""
    sample = collection.background()[modality].vectors
    return sample.mean(0) if len(sample) >= FEW else vocabulary.middle


def mixture(
    collection: Collection, vector: Vector, modality: Modality, vocabulary: Vocabulary
) -> Mixture:
    """The words that a vector is a mix of."""
    return mixture_of(vector, middle_of(collection, modality, vocabulary), vocabulary)


def shared_words(
    collection: Collection, items: Located, vocabulary: Vocabulary
) -> list[tuple[str, float]]:
    """Everyday words nearest to what some items have in common, with their mean cosines.

    Each item is seen from the middle of its own kind.
    """
    away = items.vectors.copy()
    for kind, some in ((Modality.IMAGE, items.are_images), (Modality.TEXT, ~items.are_images)):
        if some.any():
            away[some] -= middle_of(collection, kind, vocabulary)
    away /= np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-6)
    return vocabulary.nearest(away.mean(0), SHARED)


def kind_of(parts: Sequence[Part], items: Mapping[str, Modality]) -> Modality:
    """What kind of thing a query mostly is: that of its heaviest part."""
    heaviest = max(parts, key=lambda part: part.weight)
    match heaviest.what:
        case Text():
            return Modality.TEXT
        case Picture():
            return Modality.IMAGE
        case what:
            return items.get(getattr(what, "id", ""), Modality.IMAGE)


def axis(
    collection: Collection,
    ends: Vectors,
    vocabulary: Vocabulary | None,
    k: int,
    *,
    where: Where | Filter | None = None,
    modality: Modality | None = None,
) -> Axis:
    """From the first of two places, `(2, dim)`, to the second.

    Raises:
        InputError: both are the same place, so that no direction leads from one to the other.
        FilterError: `where` cannot be understood.
    """
    way = along(ends)
    found = [collection.nearest(one, k, where=where, modality=modality) for one in (-way, way)]
    words = [vocabulary.nearest(one, NEAREST) if vocabulary else [] for one in (-way, way)]
    return Axis(found[0], found[1], words[0], words[1])


def along(ends: Vectors) -> Vector:
    """The unit vector from the first of two places to the second. Raises InputError."""
    away = ends[1] - ends[0]
    length = float(np.linalg.norm(away))
    if length < SAME:
        raise InputError("both ends are the same, so that nothing leads from one to the other")
    way: Vector = (away / length).astype(np.float32)
    return way

"""The query engine: a question becomes a vector, the vector becomes ranked hits.

Pure Python over a Store: `search` does all of it in the calling thread; a service that must not
block takes the three steps `plan`, (placing the plan's things), `answer` one by one.
Knows nothing about the web, threads or batches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from latent.collection import Collection
from latent.errors import InputError
from latent.items import JSON, Hit, Modality, Vector
from latent.rows import Where
from latent.space import unit_rows
from latent.store import Store
from service import cursors
from service.parts import Coordinates, Like, Part, Picture, Text, Thing
from service.placing import place_now
from service.timing import Timings


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a collection. `cursor` is that of the answer before, for its next page."""

    parts: Sequence[Part]
    k: int = 10
    where: Where | None = None
    modality: Modality | None = None
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The hits, best first; `cursor` leads to those behind them, None when there are no more."""

    collection: str
    model: str
    hits: list[Hit]
    cursor: str | None
    took_ms: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Plan:
    """A question that was checked: what is known of it, and the `things` a model must place."""

    collection: Collection
    question: Question
    known: Mapping[str, Vector]
    fingerprint: str
    after: tuple[float, str] | None
    timings: Timings

    @property
    def things(self) -> list[Thing]:
        """What only the collection's model can place, in the order of the parts."""
        parts = self.question.parts
        return [part.what for part in parts if isinstance(part.what, Text | Picture)]


class QueryEngine:
    """Answers questions about the collections of a store. Safe to use from many threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._max_k = store.settings.max_k

    def search(self, name: str, question: Question) -> Answer:
        """The whole way, in the calling thread.

        Raises:
            InputError, FilterError: the question cannot be asked like this.
            UnknownCollectionError, UnknownItemError: it names what is not there.
            SpaceMismatchError: a vector of another dimension, or the model has changed.
        """
        plan = self.plan(name, question)
        placed: Sequence[Vector] = []
        if plan.things:
            embedder = self._store.embedder_for(plan.collection)
            placed = place_now(embedder, plan.things, self._store.settings, plan.timings)
        return self.answer(plan, placed)

    def plan(self, name: str, question: Question, timings: Timings | None = None) -> Plan:
        """Check a question and look up what it names; no model is needed. Raises as `search`."""
        if not 1 <= question.k <= self._max_k:
            raise InputError(f"k must be between 1 and {self._max_k}, not {question.k}")
        timings = timings or Timings()
        with timings.measure("catalog"):
            collection = self._store.collection(name)
            ids = _named_ids(question.parts)
            items = collection.get(ids) if ids else []
        mark = _fingerprint(collection, question)
        after = cursors.read(question.cursor, mark) if question.cursor is not None else None
        known = {item.id: item.vector for item in items}
        return Plan(collection, question, known, mark, after, timings)

    def answer(self, plan: Plan, placed: Sequence[Vector]) -> Answer:
        """Search with `placed`, the places of `plan.things` in their order. Raises as `search`."""
        question, collection = plan.question, plan.collection
        vector = direction(plan, placed)
        with plan.timings.measure("search"):
            # One more than asked tells whether there is another page; the items named in the
            # question come back as their own best neighbours and are left out.
            found = collection.nearest(
                vector,
                question.k + 1 + len(plan.known),
                where=question.where,
                modality=question.modality,
                after=plan.after,
            )
        others = [hit for hit in found if hit.item.id not in plan.known]
        hits = others[: question.k]
        more = len(others) > question.k
        cursor = cursors.write(plan.fingerprint, hits[-1].score, hits[-1].item.id) if more else None
        return Answer(collection.name, collection.space.model, hits, cursor, plan.timings.took_ms())


def direction(plan: Plan, placed: Sequence[Vector]) -> Vector:
    """The weighted sum of all parts as one unit vector, `(dim,)` float32.

    Raises:
        InputError: the parts cancel each other out.
        SpaceMismatchError: a vector has another dimension than the collection.
    """
    dim = plan.collection.space.dim
    places = iter(placed)
    total = np.zeros(dim, dtype=np.float64)
    for part in plan.question.parts:
        match part.what:
            case Like(item_id):
                row = plan.known[item_id]
            case Coordinates(vector):
                row = vector
            case _:
                row = next(places)
        total += part.weight * unit_rows(row, dim)[0].astype(np.float64)
    # Opposite float32 vectors do not cancel to the last bit.
    if np.linalg.norm(total) < 1e-6 * sum(abs(part.weight) for part in plan.question.parts) + 1e-30:
        raise InputError("the parts of the query cancel each other out; change their weights")
    unit: Vector = unit_rows((total / np.abs(total).max()).astype(np.float32), dim)[0]
    return unit


def _named_ids(parts: Sequence[Part]) -> list[str]:
    return list(dict.fromkeys(part.what.id for part in parts if isinstance(part.what, Like)))


def _fingerprint(collection: Collection, question: Question) -> str:
    asked: JSON = [
        collection.name,
        collection.space.fingerprint,
        [part.describe() for part in question.parts],
        dict(question.where or {}),
        question.modality,
    ]
    return cursors.fingerprint(asked)

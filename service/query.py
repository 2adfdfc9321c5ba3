"""The query engine: a question becomes a vector, the vector becomes ranked hits.

Pure Python over a Store: `search` does all of it in the calling thread; a service that must not
block takes the three steps `plan`, (placing the plan's things), `answer` one by one; `walk` has
steps of the same names. Knows nothing about the web, threads or batches.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeAlias

import numpy as np

from latent.collection import Collection
from latent.errors import InputError, SpaceMismatchError
from latent.filters import language as filters
from latent.items import JSON, Hit, Item, Vector
from latent.models import registry
from latent.models.cuts import UNFITTED
from latent.settings import Settings
from latent.store import Store
from service.embedding.placing import place_now
from service.engine import cursors, nearby, sorting, walks
from service.engine.arranging import Page, arranged, pool_of
from service.engine.directions import direction, require_an_aim, require_three_things, rows_of
from service.engine.fusion import require_words
from service.engine.grouping import COPIES
from service.engine.kinds import require_kinds
from service.engine.nouns import in_sentences, understood
from service.engine.parts import Like, Part
from service.engine.questions import Answer, Column, Mode, Plan, Question
from service.engine.relevance import Judge, kinds_of, least_of
from service.engine.standing import Standing, standing
from service.engine.values import require_known
from service.engine.walks import Walk, Walked, WalkPlan
from service.explore import concepts
from service.explore.narrowing import narrowed
from service.explore.surveys import Surveys
from service.seen.timing import Timings

__all__ = ["Answer", "Mode", "Plan", "QueryEngine", "Question", "Refusal", "Walk", "Walked"]

Refusal: TypeAlias = InputError | SpaceMismatchError
"""Why one of many questions is not answered: the caller can mend it."""

_Aimed: TypeAlias = tuple[int, Plan, Vector | None]
"""A question by its place among others, and where it leads."""


class QueryEngine:
    """Answers questions about the collections of a store. Safe to use from many threads."""

    def __init__(self, store: Store, surveys: Surveys | None = None) -> None:
        self._store = store
        self._surveys = surveys or Surveys(store)
        self._max_k = store.settings.max_k

    def search(self, name: str, question: Question) -> Answer:
        """The whole way, in the calling thread.

        Raises:
            InputError, FilterError: the question cannot be asked like this.
            UnknownCollectionError, UnknownItemError: it names what is not there.
            SpaceMismatchError: a vector of another dimension, or the model has changed.
        """
        plan = self.plan(name, question)
        return self.answer(plan, self._placed(plan))

    def plan(self, name: str, question: Question, timings: Timings | None = None) -> Plan:
        """Check a question and look up what it names; no model is needed. Raises as `search`."""
        if not 1 <= question.k <= self._max_k:
            raise InputError(f"k must be between 1 and {self._max_k}, not {question.k}")
        require_an_aim(question.parts)
        require_words(question.parts, question.mode)
        pool = pool_of(question, self._max_k)
        order = None if question.sort_by is None else sorting.parse(question.sort_by)
        where = filters.parse(question.where)
        least = _least(question, self._store.settings)
        timings = timings or Timings()
        with timings.measure("catalog"):
            collection = self._store.collection(name)
            question = replace(question, parts=self._parts(collection, question))
            where = narrowed(
                self._surveys, collection, where, least=question.concepts, area=question.area
            )
            columns = concepts.columns_of(collection, question.with_concepts)
            if order is not None:
                require_known(collection, order.field, what="sort_by")
            if question.group_by not in (None, COPIES):
                require_known(collection, question.group_by, what="group_by")
            items = _named(collection, question.parts)
        calibration = registry.calibration(collection.space, self._store.settings)
        kinds = kinds_of(question.parts, {item.id: item.modality for item in items})
        known = {item.id: item.vector for item in items}
        mark = _fingerprint(collection, question)
        cursor = cursors.read(question.cursor, mark) if question.cursor is not None else None
        return Plan(
            collection,
            question,
            where,
            known,
            mark,
            cursor,
            pool,
            order,
            timings,
            Judge(collection, kinds, calibration, partial(self._store.chance, collection)),
            least,
            (calibration.cuts if calibration else None) or UNFITTED,
            columns=columns,
        )

    def answer(self, plan: Plan, placed: Sequence[Vector]) -> Answer:
        """Search with `placed`, the places of `plan.things` in their order. Raises as `search`."""
        return _answered(*_aimed(plan, placed))

    def answers(self, asked: Sequence[tuple[Plan, Sequence[Vector]]]) -> list[Answer | Refusal]:
        """As `answer` for each plan and its places; why not, in the place of an answer.

        Plain questions that differ in where they lead alone are searched together.
        """
        found: dict[int, Answer | Refusal] = {}
        alike: defaultdict[object, list[_Aimed]] = defaultdict(list)
        for place, (plan, placed) in enumerate(asked):
            try:
                plan, vector = _aimed(plan, placed)
            except (InputError, SpaceMismatchError) as error:
                found[place] = error
            else:
                question = plan.question
                # Equal filters may differ: 1 is True to Python.
                way = (id(plan.collection), question.k, question.modality, repr(plan.where))
                alike[way if plan.is_plain else place].append((place, plan, vector))
        for some in alike.values():
            found |= _answered_alike(some)
        return [found[place] for place in range(len(asked))]

    def standing(self, plan: Plan, placed: Sequence[Vector], most: int) -> Standing:
        """All hits of a question by key, in no pages. Raises as `search`."""
        plan, vector = _aimed(plan, placed)
        if vector is None:
            raise InputError(
                "mode 'keyword' compares words alone, which have no place in the space"
            )
        with plan.timings.measure("search"):
            found = standing(plan, vector, most)
        if not found.hits and plan.where is not None:
            _require_matchable(plan.collection, plan.where)
        return found

    def walk(self, name: str, walk: Walk) -> Walked:
        """A walk of neighbours from one thing to another, in the calling thread.

        Raises:
            InputError, FilterError: there is no way, or the walk cannot be asked for like this.
            UnknownCollectionError, UnknownItemError, SpaceMismatchError: as `search`.
        """
        plan = self.plan_walk(name, walk)
        return self.answer_walk(plan, self._placed(plan))

    def plan_walk(self, name: str, walk: Walk, timings: Timings | None = None) -> WalkPlan:
        """Check a walk and look up what it names; no model is needed. Raises as `walk`."""
        walks.require_steps(walk)
        where = filters.parse(walk.where)
        timings = timings or Timings()
        with timings.measure("catalog"):
            collection = self._store.collection(name)
            ends = concepts.resolved(collection, [walk.start, walk.end])
            walk = replace(walk, start=ends[0], end=ends[1])
            known = {item.id: item.vector for item in _named(collection, walk.parts)}
        return WalkPlan(collection, walk, where, known, timings)

    def answer_walk(self, plan: WalkPlan, placed: Sequence[Vector]) -> Walked:
        """Walk with `placed`, the places of `plan.things` in their order. Raises as `walk`."""
        return walks.walked(plan, placed)

    def _parts(self, collection: Collection, question: Question) -> Sequence[Part]:
        """The parts as they are to be placed: an analogy compares its very words."""
        parts = concepts.resolved(collection, question.parts)
        if question.is_analogy or question.is_verbatim or question.mode is Mode.KEYWORD:
            return parts
        return in_sentences(parts, collection.space, self._store.settings)

    def _placed(self, plan: Plan | WalkPlan) -> Sequence[Vector]:
        if not plan.things:
            return []
        embedder = self._store.embedder_for(plan.collection)
        return place_now(embedder, plan.things, self._store.settings, plan.timings)


def _explained(plan: Plan, page: Page) -> dict[str, JSON]:
    """How the hits were found, and as what the words were understood."""
    said: dict[str, JSON] = {
        text: list(sentences) for text, sentences in understood(plan.question.parts).items()
    }
    return {**page.explain, **({"understood_as": said} if said else {})}


def _require_matchable(collection: Collection, where: filters.Filter) -> None:
    """Refuse a filter that nothing can match for the kinds it compares. Raises FilterError."""
    if not collection.count(where=where):
        require_kinds(collection, where)


def _aimed(plan: Plan, placed: Sequence[Vector]) -> tuple[Plan, Vector | None]:
    """Where the question leads; None where only words are compared."""
    question = plan.question
    if question.mode == Mode.KEYWORD:
        return plan, None
    rows = rows_of(question.parts, plan.known, placed, plan.collection.space.dim)
    if question.is_analogy:
        require_three_things(rows)
        plan = replace(plan, apart=rows)
    return plan, direction(question.parts, rows)


def _answered(plan: Plan, vector: Vector | None) -> Answer:
    with plan.timings.measure("search"):
        if vector is None or plan.question.is_arranged:
            page = arranged(plan, vector)
        else:
            page = _nearest(plan, vector)
        _require_found(plan, page)
    return _told(plan, vector, page)


def _answered_alike(some: Sequence[_Aimed]) -> dict[int, Answer | Refusal]:
    """The answers of questions that may be searched together; alone where that cannot be."""
    if len(some) > 1:
        try:
            return _answered_together(some)
        except (InputError, SpaceMismatchError):
            pass  # what is wrong may be wrong with one of them
    found: dict[int, Answer | Refusal] = {}
    for place, plan, vector in some:
        try:
            found[place] = _answered(plan, vector)
        except (InputError, SpaceMismatchError) as error:
            found[place] = error
    return found


def _answered_together(some: Sequence[_Aimed]) -> dict[int, Answer | Refusal]:
    plans = [plan for _, plan, _ in some]
    vectors = [vector for _, _, vector in some if vector is not None]
    timings = Timings()
    with timings.measure("search"):
        found = nearby.nearby_each(plans, vectors, plans[0].question.k + 1)
        pages = [_page(plan, one) for plan, one in zip(plans, found, strict=True)]
        for plan, page in zip(plans, pages, strict=True):
            _require_found(plan, page)
    timings.share(plan.timings for plan in plans)
    return {
        place: _told(plan, vector, page)
        for (place, plan, vector), page in zip(some, pages, strict=True)
    }


def _require_found(plan: Plan, page: Page) -> None:
    """Raises FilterError: nothing was found, for nothing can match."""
    if not page.hits and plan.cursor is None and plan.where is not None:
        _require_matchable(plan.collection, plan.where)


def _told(plan: Plan, vector: Vector | None, page: Page) -> Answer:
    return Answer(
        plan.collection.name,
        plan.collection.space.model,
        _with_columns(page.hits, plan.columns),
        page.cursor,
        plan.timings.took_ms(),
        _explained(plan, page) if plan.question.explain else None,
        (vector is None and bool(page.hits)) or nearby.is_match(plan, page.hits),
    )


def _nearest(plan: Plan, vector: Vector) -> Page:
    """The next page of those nearest, best first."""
    after = plan.cursor.position if plan.cursor else None
    # One more than asked tells whether there is another page.
    return _page(plan, nearby.nearby(plan, vector, plan.question.k + 1, after=after), after)


def _page(plan: Plan, found: nearby.Nearby, after: JSON = None) -> Page:
    k = plan.question.k
    hits, is_more = found.hits[:k], len(found.hits) > k
    cursor = cursors.write(plan.fingerprint, nearby.position_of(hits, after)) if is_more else None
    return Page(hits, cursor, dict(found.explain))


def _with_columns(hits: list[Hit], columns: Mapping[str, Column]) -> list[Hit]:
    """The hits with the values that were asked for beside."""
    if not (hits and columns):
        return hits
    rows = np.stack([hit.item.vector for hit in hits])
    told = {name: column(rows).round(4).tolist() for name, column in columns.items()}
    return [
        replace(hit, concepts={name: told[name][place] for name in columns})
        for place, hit in enumerate(hits)
    ]


def _named(collection: Collection, parts: Sequence[Part]) -> list[Item]:
    """The items that parts name."""
    ids = list(dict.fromkeys(part.what.id for part in parts if isinstance(part.what, Like)))
    return collection.get(ids) if ids else []


def _least(question: Question, settings: Settings) -> float:
    if question.mode is Mode.KEYWORD and question.min_relevance is not None:
        raise InputError("mode 'keyword' compares words alone, and min_relevance means nothing")
    return least_of(question.min_relevance, settings)


def _fingerprint(collection: Collection, question: Question) -> str:
    asked: JSON = [
        collection.name,
        collection.space.fingerprint,
        [part.describe() for part in question.parts],
        dict(question.where or {}),
        question.modality,
        [question.mode, question.is_analogy, question.diversity, question.group_by],
        [question.sort_by, question.pool, question.min_relevance],
        dict(question.concepts),
        None if question.area is None else [[float(x) for x in corner] for corner in question.area],
    ]
    return cursors.fingerprint(asked)

"""Answers that are more than the nearest, best first: fused with words, grouped, diverse, sorted.

They arrange a pool of the best candidates. Pages of such an answer hold nothing twice, whatever
comes and goes meanwhile, for a cursor carries what was seen and where the pool ended. Knows nothing
about how vectors are searched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from latent.errors import InputError
from latent.items import JSON, Hit, Vector
from service.engine import cursors, fusion, nearby
from service.engine.diversity import diverse
from service.engine.fusion import Ranked
from service.engine.grouping import grouped
from service.engine.questions import Mode, Plan, Question
from service.engine.sorting import Place, read_place

POOL = 500
"""Hits that are arranged, if a question does not say how many."""


@dataclass(frozen=True, slots=True)
class Page:
    """Hits as they are answered, the cursor to those behind them, and how they were found."""

    hits: list[Hit]
    cursor: str | None
    explain: dict[str, JSON]


def pool_of(question: Question, max_k: int) -> int:
    """How many hits are arranged.

    Raises:
        InputError: options contradict each other, or have no meaning.
    """
    if question.diversity is not None and not 0 <= question.diversity <= 1:
        raise InputError(f"diversity is between 0 and 1, not {question.diversity}")
    if question.diversity is not None and question.sort_by is not None:
        raise InputError("diversity and sort_by both say in which order; ask for one of them")
    if question.pool is None:
        return max(question.k, min(POOL, max_k))
    if not question.is_arranged:
        raise InputError("pool says how many hits are grouped, sorted, diverse or fused; none are")
    if not question.k <= question.pool <= max_k:
        raise InputError(f"pool must be between k ({question.k}) and {max_k}, not {question.pool}")
    return question.pool


def arranged(plan: Plan, vector: Vector | None) -> Page:
    """A page of an answer that is arranged; `vector` is None where only words are compared.

    Raises:
        InputError: the cursor is none of ours.
    """
    end, last = _left_off(plan)
    ranked, end, explain = _candidates(plan, vector, end)
    ranked, names = _best_of_groups(plan, ranked)
    marks = {item_id: {cursors.mark(name) for name in some} for item_id, some in names.items()}
    page, is_more = _next(plan, ranked, last, marks)
    cursor = None
    if is_more:
        seen = _seen(plan).union(*(marks[hit.item.id] for hit in page))
        order = plan.order
        place: list[JSON] | None = [*order.place_of(page[-1])] if order else None
        cursor = cursors.write(plan.fingerprint, {"pool": end, "last": place}, seen)
    return Page(page, cursor, {**explain, "pool": len(ranked.hits)})


def _candidates(
    plan: Plan, vector: Vector | None, end: JSON
) -> tuple[Ranked, JSON, Mapping[str, JSON]]:
    """The pool, where its nearest end, and how it was found."""
    mode = plan.question.mode
    near: list[Hit] = []
    explain: Mapping[str, JSON] = {"plan": Mode.KEYWORD.value}
    if vector is not None:
        found = nearby.nearby(plan, vector, plan.pool, down_to=end)
        near, explain = found.hits, found.explain
        end = end if end is not None else nearby.position_of(near)
    if mode == Mode.VECTOR:
        return Ranked(near, [nearby.worth_of(hit) for hit in near]), end, explain
    words = fusion.saying(plan, vector, plan.pool)
    if vector is None:
        return words, None, {**explain, "words": len(words.hits)}
    both = fusion.fused(near, _judged(plan, vector, near, words.hits))
    return both, end, {**explain, "words": len(words.hits)}


def _judged(plan: Plan, vector: Vector, near: Sequence[Hit], saying: Sequence[Hit]) -> list[Hit]:
    """The hits of the words side, those that it alone found judged like the others."""
    known = {hit.item.id for hit in near}
    strangers = nearby.judged(plan, vector, [hit for hit in saying if hit.item.id not in known])
    by_id = {hit.item.id: hit for hit in strangers}
    return [by_id.get(hit.item.id, hit) for hit in saying]


def _best_of_groups(plan: Plan, ranked: Ranked) -> tuple[Ranked, Mapping[str, Sequence[str]]]:
    """The best hit of each group, or all of them, and by which names a page remembers each."""
    field = plan.question.group_by
    if field is None:
        return ranked, {hit.item.id: [hit.item.id] for hit in ranked.hits}
    worths = {hit.item.id: worth for hit, worth in zip(ranked.hits, ranked.worths, strict=True)}
    groups = grouped(ranked.hits, field, plan.cuts)
    return Ranked(groups.hits, [worths[hit.item.id] for hit in groups.hits]), groups.names


def _next(
    plan: Plan, ranked: Ranked, last: Place | None, marks: Mapping[str, set[bytes]]
) -> tuple[list[Hit], bool]:
    """The next k hits that were not seen, and whether there are more."""
    question, order, seen = plan.question, plan.order, _seen(plan)
    is_seen = [not seen.isdisjoint(marks[hit.item.id]) for hit in ranked.hits]
    rows = [row for row, done in enumerate(is_seen) if not done]
    if question.diversity is not None and rows:
        rows = diverse(
            np.stack([hit.item.vector for hit in ranked.hits]),
            ranked.worths,
            question.diversity,
            k=question.k + 1,
            chosen=[row for row, done in enumerate(is_seen) if done],
        )
    hits = [ranked.hits[row] for row in rows]
    if order is not None:
        hits = order.sorted(hits)
        if last is not None:
            hits = [hit for hit in hits if order.compare(last, order.place_of(hit)) < 0]
    return hits[: question.k], len(hits) > question.k


def _left_off(plan: Plan) -> tuple[JSON, Place | None]:
    """Where the pool ended, and the last place in the order, as the cursor has them."""
    if plan.cursor is None:
        return None, None
    match plan.cursor.position:
        case {"pool": end, "last": last}:
            return end, None if plan.order is None else read_place(last)
    raise cursors.not_ours()


def _seen(plan: Plan) -> frozenset[bytes]:
    return plan.cursor.seen if plan.cursor else frozenset()

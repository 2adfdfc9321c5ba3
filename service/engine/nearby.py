"""The candidates of an answer: the items nearest to a direction, by relevance, best first.

Photos and texts are searched apart, for their scores cannot be compared, and merged by relevance.
What is surely less relevant than asked is left out. Knows nothing about words, groups and orders.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import merge

import numpy as np

from latent.items import JSON, Hit, Modality, Vector
from latent.models.calibration import Spread
from service.engine import cursors
from service.engine.questions import Plan
from service.engine.relevance import SURE

MOST_POOLS = 8
"""How many times as large as it was a pool may grow between two pages, by items that came."""


@dataclass(frozen=True, slots=True)
class Nearby:
    """Hits, best first, and how they were found."""

    hits: list[Hit]
    explain: Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class _Side:
    """Judged hits of one kind, best first, and how they were found."""

    kind: Modality
    hits: list[Hit]
    spread: Spread
    explain: Mapping[str, JSON]


def nearby(
    plan: Plan,
    vector: Vector,
    most: int,
    *,
    after: JSON = None,
    down_to: JSON = None,
) -> Nearby:
    """The `most` best that match, without those the question names and what is not relevant.

    `after` is a position: only hits behind it. `down_to` is one too: all hits before and at it,
    however many there are.

    Raises:
        InputError: a position is none of `position_of`.
    """
    behind = None if after is None else _edges(after)
    before = None if down_to is None else _edges(down_to)
    asked = plan.question.modality
    kinds = plan.judge.kinds_found(asked)
    sides = []
    for kind in kinds or [asked or Modality.IMAGE]:
        if before is not None and kind not in before:
            continue  # there was nothing of it in the pool
        side = _Search(plan, vector, kind, kind if len(kinds) > 1 else asked)
        if before is None:
            sides.append(side.first(most, behind.get(kind) if behind else None))
        else:
            sides.append(side.down_to(before[kind][0], most))
    return _merged(sides, most if before is None else None)


def nearby_each(plans: Sequence[Plan], vectors: Sequence[Vector], most: int) -> list[Nearby]:
    """As `nearby` for each of plain questions that differ in nothing but their vectors.

    They are searched and read together, and judged one by one.
    """
    first = plans[0]
    asked = first.question.modality
    kinds = first.judge.kinds_found(asked) or [asked or Modality.IMAGE]
    rows = np.stack(vectors)
    sides: list[list[_Side]] = [[] for _ in plans]
    for kind in kinds:
        only = kind if len(kinds) > 1 else asked
        found = first.collection.explained_each(rows, most, where=first.where, modality=only)
        for plan, vector, one, some in zip(plans, vectors, found, sides, strict=True):
            # What a sample says of a vector does not depend on who asks.
            spread = first.judge.spread(vector, kind, _matched(plan, one.explain))
            some.append(_side(plan, kind, one.hits, _best(one.hits), spread, one.explain))
    return [_merged(some, most) for some in sides]


def position_of(hits: Sequence[Hit], after: JSON = None) -> JSON:
    """The position behind hits that follow each other, the first of them behind `after`."""
    edges: dict[str, JSON] = dict(after) if isinstance(after, dict) else {}
    for hit in hits:
        edges[hit.item.modality.value] = [hit.score, hit.item.id]
    return edges or None


def worth_of(hit: Hit) -> float:
    """What a candidate is worth beside the others."""
    return hit.score if hit.relevance is None else hit.relevance


def is_match(plan: Plan, hits: Sequence[Hit]) -> bool:
    """Whether there is a hit that is surely enough what was meant."""
    return any(hit.relevance is not None and hit.relevance >= (plan.least or SURE) for hit in hits)


def judged(plan: Plan, vector: Vector, hits: Sequence[Hit]) -> list[Hit]:
    """Hits that only their words found, as `nearby` would have given them."""
    found: dict[str, Hit] = {}
    for kind in {hit.item.modality for hit in hits}:
        spread = plan.judge.spread(vector, kind)
        alike = [hit for hit in hits if hit.item.modality is kind]
        best = _Search(plan, vector, kind, kind).best()
        found |= {hit.item.id: hit for hit in plan.judge.judged(alike, kind, best, spread)}
    return [found[hit.item.id] for hit in hits]


@dataclass(frozen=True, slots=True)
class _Search:
    """A search for one kind of things; `only` is None where there is no other kind."""

    plan: Plan
    vector: Vector
    kind: Modality
    only: Modality | None

    def first(self, most: int, after: tuple[float, str] | None = None) -> _Side:
        """The best that are relevant, behind an edge."""
        hits, explain = self._found(most, after)
        best = self.best() if after is not None else _best(hits)
        return self._judged(hits, best, explain)

    def best(self) -> float:
        """The best score of all."""
        return _best(self._found(1, None)[0])

    def down_to(self, least: float, most: int) -> _Side:
        """All that are relevant and have at least this score."""
        wanted = most
        while True:
            side = self.first(wanted)
            is_all = len(side.hits) < wanted or side.hits[-1].score < least
            if is_all or wanted >= MOST_POOLS * most:
                hits = [hit for hit in side.hits if hit.score >= least]
                return _Side(side.kind, hits, side.spread, side.explain)
            wanted *= 2

    def _found(
        self, most: int, after: tuple[float, str] | None
    ) -> tuple[list[Hit], Mapping[str, JSON]]:
        """The nearest that the question does not name, and how they were found."""
        plan, wanted = self.plan, most + self.plan.margin
        while True:
            found = plan.collection.explained(
                self.vector, wanted, where=plan.where, modality=self.only, after=after
            )
            hits = [hit for hit in found.hits if not plan.leaves_out(hit.item)]
            # One thing may be that of many items.
            if len(hits) >= most or len(found.hits) < wanted:
                return hits[:most], found.explain
            wanted *= 2

    def _judged(self, hits: Sequence[Hit], best: float, explain: Mapping[str, JSON]) -> _Side:
        plan = self.plan
        spread = plan.judge.spread(self.vector, self.kind, _matched(plan, explain))
        return _side(plan, self.kind, hits, best, spread, explain)


def _matched(plan: Plan, explain: Mapping[str, JSON]) -> int | None:
    """How many items may be found under a filter; None without one."""
    matched = explain["matched"] if plan.where is not None else None
    return matched if isinstance(matched, int) else None


def _side(
    plan: Plan,
    kind: Modality,
    hits: Sequence[Hit],
    best: float,
    spread: Spread,
    explain: Mapping[str, JSON],
) -> _Side:
    """The relevant ones of the hits of one kind."""
    some = plan.judge.judged(hits, kind, best, spread)
    relevant = [hit for hit in some if worth_of(hit) >= plan.least]
    return _Side(kind, relevant, spread, explain)


def _merged(sides: Sequence[_Side], most: int | None) -> Nearby:
    """Hits of all kinds, by relevance."""
    hits = list(merge(*(side.hits for side in sides), key=lambda hit: -worth_of(hit)))
    return Nearby(hits[:most], _explain(sides))


def _best(hits: Sequence[Hit]) -> float:
    return hits[0].score if hits else 0.0


def _explain(sides: Sequence[_Side]) -> dict[str, JSON]:
    """How the hits of all sides were found and judged."""
    relevance: dict[str, JSON] = {side.kind.value: _spread_json(side.spread) for side in sides}
    if len(sides) == 1:
        return {**sides[0].explain, "relevance": relevance}
    apart: dict[str, JSON] = {side.kind.value: dict(side.explain) for side in sides}
    return {"plan": "apart", **apart, "relevance": relevance}


def _spread_json(spread: Spread) -> JSON:
    return {
        "mean": round(spread.mean, 4),
        "deviation": round(spread.deviation, 4),
        "sampled": spread.sampled,
        "items": spread.items,
    }


def _edges(position: JSON) -> dict[Modality, tuple[float, str]]:
    """Score and id of the last hit of each kind."""
    if not isinstance(position, dict):
        raise cursors.not_ours()
    edges = {}
    for kind, edge in position.items():
        match edge:
            case [float() as score, str() as item_id] if math.isfinite(score):
                pass
            case _:
                raise cursors.not_ours()
        if kind not in list(Modality):
            raise cursors.not_ours()
        edges[Modality(kind)] = (score, item_id)
    return edges

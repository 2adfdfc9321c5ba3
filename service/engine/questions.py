"""What is asked of a collection, what is planned for it, and what is answered.

Knows nothing about how answers are found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from latent.collection import Collection
from latent.filters.language import Filter, Where
from latent.items import JSON, Hit, Item, Modality, Vector, Vectors
from latent.models.cuts import Cuts
from service.engine.cursors import Cursor
from service.engine.parts import Part, Picture, Text, Thing
from service.engine.relevance import Judge
from service.engine.sorting import Order
from service.seen.timing import Timings

Column = Callable[[Vectors], NDArray[np.float64]]
"""A value for each row of `(n, dim)`."""

IDENTICAL = 0.9999  # cosine; the same picture decoded twice differs by less


class Mode(StrEnum):
    """What is compared: places in the space, words, or both."""

    VECTOR = "vector"
    KEYWORD = "keyword"
    HYBRID = "hybrid"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a collection. `cursor` is that of the answer before, for its next page.

    `where` is a filter as JSON. `explain` asks how the hits were found. `is_analogy` says that the
    parts are those of `parts.analogy`. `group_by` and `sort_by` name a field; `sort_by` may end in
    `:desc`. `diversity` is 0 to 1. They arrange the best `pool` hits, as does a mode with words.
    `concepts` says how likely hits must have each of them, from 0 to 1; `with_concepts` names those
    of which hits tell how likely they have them. `area` are the corners of a part of the map, as
    `x, y`: only what lies in it (`service.explore.areas`).
    Hits below `min_relevance` are left out, by default below that of the settings; 0 leaves none.
    `is_verbatim` places words as they stand, bare nouns too.
    """

    parts: Sequence[Part]
    k: int = 10
    where: Where | None = None
    modality: Modality | None = None
    cursor: str | None = None
    explain: bool = False
    is_analogy: bool = False
    mode: Mode = Mode.VECTOR
    diversity: float | None = None
    group_by: str | None = None
    sort_by: str | None = None
    pool: int | None = None
    min_relevance: float | None = None
    concepts: Mapping[str, float] = field(default_factory=dict)
    with_concepts: Sequence[str] = ()
    area: Sequence[Sequence[float]] | None = None
    is_verbatim: bool = False

    @property
    def is_arranged(self) -> bool:
        """Whether the hits are not simply those nearest, best first."""
        asked = (self.diversity, self.group_by, self.sort_by)
        return self.mode != Mode.VECTOR or any(one is not None for one in asked)


@dataclass(frozen=True, slots=True)
class Answer:
    """The hits, best first; `cursor` leads to those behind them, None when there are no more.

    `explain` says how they were found, if that was asked. `match` says whether something stands out
    that is surely enough what was meant; of pages, whether there is such on this one.
    """

    collection: str
    model: str
    hits: list[Hit]
    cursor: str | None
    took_ms: Mapping[str, float]
    explain: Mapping[str, JSON] | None = None
    match: bool = True


@dataclass(frozen=True, slots=True)
class Plan:
    """A question that was checked: what is known of it, and the `things` a model must place.

    `known` are the vectors of items that it names, by id. `apart` are places, `(n, dim)`, whose
    things are left out of the hits. `columns` are values to tell with hits, by name. `pool` is how
    many hits are arranged, in the order `order` if there is one. What `judge` finds less relevant
    than `least` is left out, too. `cuts` say what cosines stand for where copies are grouped.
    """

    collection: Collection
    question: Question
    where: Filter | None
    known: Mapping[str, Vector]
    fingerprint: str
    cursor: Cursor | None
    pool: int
    order: Order | None
    timings: Timings
    judge: Judge
    least: float
    cuts: Cuts
    apart: Vectors | None = None
    columns: Mapping[str, Column] = field(default_factory=dict)

    @property
    def things(self) -> list[Thing]:
        """What only the collection's model can place, in the order of the parts."""
        if self.question.mode == Mode.KEYWORD:
            return []
        return things_in(self.question.parts)

    @property
    def is_plain(self) -> bool:
        """Whether it asks for those nearest to a vector and no more; such are searched together."""
        question = self.question
        is_more = question.is_arranged or question.is_analogy or question.explain
        return not (is_more or self.known or self.cursor)

    def leaves_out(self, item: Item) -> bool:
        """Whether the question names this very item, which is no answer to it then."""
        if item.id in self.known:
            return True
        return self.apart is not None and float((self.apart @ item.vector).max()) >= IDENTICAL

    @property
    def margin(self) -> int:
        """How many items may be left out, one for each thing."""
        return len(self.known) + (0 if self.apart is None else len(self.apart))


def things_in(parts: Sequence[Part]) -> list[Thing]:
    """The texts and pictures among parts, in their order; of a text what stands for it."""
    return [thing for part in parts for thing in _things_of(part)]


def _things_of(part: Part) -> list[Thing]:
    match part.what:
        case Text(_, said) if said:
            return [Text(one) for one in said]
        case Text() | Picture():
            return [part.what]
    return []

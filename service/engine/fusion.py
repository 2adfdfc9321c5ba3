"""The words side of an answer, and both sides made one: reciprocal rank fusion.

Cormack, Clarke and Büttcher, "Reciprocal rank fusion outperforms Condorcet and individual rank
learning methods", SIGIR 2009, with its k = 60. Knows nothing about where vectors come from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from latent.errors import InputError
from latent.index.vectors import cosines
from latent.items import Hit, Vector
from service.engine.parts import Part, Text
from service.engine.questions import Mode, Plan

RANK = 60  # added to each rank; the larger, the less the first places count
VECTOR, KEYWORD = Mode.VECTOR.value, Mode.KEYWORD.value


@dataclass(frozen=True, slots=True)
class Ranked:
    """Hits, best first, and how much each is worth beside the others."""

    hits: list[Hit]
    worths: list[float]


def require_words(parts: Sequence[Part], mode: Mode) -> None:
    """Refuse questions whose words cannot be searched for.

    Raises:
        InputError: there are none, other things where only words are compared, or no such mode.
    """
    if mode not in list(Mode):
        raise InputError(f"mode is {', '.join(Mode)}; there is none named {mode!r}")
    if mode == Mode.VECTOR:
        return
    if not words_in(parts).strip():
        raise InputError(
            f"mode {Mode(mode).value!r} needs a text with a positive weight to search for"
        )
    if mode == Mode.KEYWORD and not all(is_word(part) for part in parts):
        raise InputError(
            "mode 'keyword' compares words alone: no pictures, items, vectors or negative weights;"
            " mode 'hybrid' takes them"
        )


def is_word(part: Part) -> bool:
    """Whether a part is a text to look for."""
    return isinstance(part.what, Text) and part.weight > 0


def words_in(parts: Sequence[Part]) -> str:
    """The texts to look for, as one. Weights play no part in it, and what leads away has none."""
    texts = (part.what.text for part in parts if isinstance(part.what, Text) and part.weight > 0)
    return " ".join(texts)


def saying(plan: Plan, vector: Vector | None, most: int) -> Ranked:
    """The items that say the words best; with a vector they have their cosines, else NaN."""
    question = plan.question
    found = plan.collection.matching_words(
        words_in(question.parts),
        most + plan.margin,
        where=plan.where,
        modality=question.modality,
    )
    kept = [(item, worth) for item, worth in found if not plan.leaves_out(item)][:most]
    scores = [math.nan] * len(kept)
    if vector is not None and kept:
        scores = cosines(np.stack([item.vector for item, _ in kept]), vector).tolist()
    hits = [
        Hit(item, score, found_by=(KEYWORD,)) for (item, _), score in zip(kept, scores, strict=True)
    ]
    return Ranked(hits, [worth for _, worth in kept])


def fused(near: Sequence[Hit], saying: Sequence[Hit]) -> Ranked:
    """Both lists as one: each place is worth 1 / (60 + rank), ranks from 1, and adds up.

    Of equals the nearer comes first. A hit knows which lists it stood in.
    """
    hits = {hit.item.id: replace(hit, found_by=(VECTOR,)) for hit in near}
    worths = {hit.item.id: 1 / (RANK + rank) for rank, hit in enumerate(near, 1)}
    for rank, hit in enumerate(saying, 1):
        item_id = hit.item.id
        known = hits.get(item_id)
        sides = (KEYWORD,) if known is None else (VECTOR, KEYWORD)
        hits[item_id] = replace(known or hit, found_by=sides)
        worths[item_id] = worths.get(item_id, 0.0) + 1 / (RANK + rank)
    order = sorted(hits, key=lambda item_id: (-worths[item_id], -hits[item_id].score, item_id))
    return Ranked([hits[item_id] for item_id in order], [worths[item_id] for item_id in order])

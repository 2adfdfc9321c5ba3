"""Is something like this in a collection? What is nearest by place, and what looks like it.

Copies are looked for by their bytes and picture hashes too, because a model may place a blurred
copy far from what it was made of. Knows nothing about the web.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from latent.collection import Collection
from latent.items import JSON, Hit, Item, Modality
from latent.models import registry
from latent.models.cuts import Cuts
from latent.settings import Settings
from latent.store import Store
from service.checks.looks import Look, look_at, look_at_item
from service.checks.matching import Wanted
from service.checks.tiers import NEAR_PICTURE, Tier, tier_of
from service.engine.parts import Like, Part, Picture, Text
from service.engine.questions import Question
from service.query import QueryEngine

MOST_COPIES = 100
"""Copies that are looked for beside the nearest."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A hit, and its tier; None where what was asked is no single thing."""

    hit: Hit
    tier: Tier | None

    def is_match(self, wanted: Wanted) -> bool:
        """Whether it is what is asked of a match, by default a copy or very near."""
        return wanted.is_met_by_default(self.hit.score, self.tier, self.hit.relevance)


def check(store: Store, name: str, question: Question) -> list[Seen]:
    """The nearest of a collection and all copies, each with its tier, in the calling thread.

    Most alike first. Nothing is left out for being little relevant, unless the question says so.

    Raises:
        As `QueryEngine.search`.
    """
    engine, settings = QueryEngine(store), store.settings
    question = relevant_or_not(question)
    collection = store.collection(name)
    look = asked_look(question.parts, collection, settings)
    hits = engine.search(name, question).hits
    copies = copies_question(question, look, collection, settings.max_k)
    more = [] if copies is None else engine.search(name, copies).hits
    cuts = registry.cuts(collection.space, settings)
    return seen([*hits, *more], look, cuts, settings)


def relevant_or_not(question: Question) -> Question:
    """The question without a least relevance, unless it has one: a copy may be far away."""
    return replace(question, min_relevance=0.0) if question.min_relevance is None else question


def asked_look(parts: Sequence[Part], collection: Collection, settings: Settings) -> Look | None:
    """What the one thing that is asked about looks like; None of a mix or a vector.

    Raises:
        UnknownItemError: it is an item that is not there.
        UnreadableImageError, ImageTooLargeError: it is no picture that can be read.
    """
    if len(parts) != 1:
        return None
    match parts[0].what:
        case (Text() | Picture()) as thing:
            return look_at(thing, settings)
        case Like(item_id):
            return look_at_item(collection.get([item_id])[0], settings)
        case _:
            return None


def copies_question(
    question: Question, look: Look | None, collection: Collection, most: int
) -> Question | None:
    """The same question about pictures that look like the one asked about; None without any.

    At most `most` of them are asked for.
    """
    if look is None or look.modality is not Modality.IMAGE:
        return None
    same = collection.with_content(sorted(look.contents)).values()
    ids = [item.id for items in same for item in items]
    if look.picture_hash:
        ids += collection.looking_like(look.picture_hash, NEAR_PICTURE, MOST_COPIES)
    if not ids:
        return None
    copies: list[JSON] = list(dict.fromkeys(ids))
    where: dict[str, JSON] = {"$id": {"$in": copies}}
    if question.where is not None:
        where = {"$and": [dict(question.where), where]}
    return replace(question, where=where, k=min(len(copies), most), min_relevance=0.0)


def seen(hits: Iterable[Hit], look: Look | None, cuts: Cuts, settings: Settings) -> list[Seen]:
    """Every hit once with its tier, most alike first, then by score."""
    once: Mapping[str, Hit] = {hit.item.id: hit for hit in hits}
    found = [
        Seen(hit, None if look is None else _tier(look, hit.item, hit.score, cuts, settings))
        for hit in once.values()
    ]
    return sorted(found, key=lambda one: (-one.tier.rank if one.tier else 0, -one.hit.score))


def _tier(look: Look, item: Item, score: float, cuts: Cuts, settings: Settings) -> Tier:
    tier = tier_of(look, look_at_item(item), score, cuts)
    # A part of a picture is found by its pixels alone; those of the unrelated are not read.
    is_open = tier in (Tier.ALIKE, Tier.RELATED) and item.modality is look.modality
    if is_open and look.small is not None:
        tier = tier_of(look, look_at_item(item, settings), score, cuts)
    return tier

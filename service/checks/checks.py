"""Is something like this in a collection? What is nearest by place, and what looks like it.

Copies are looked for by their bytes and picture hashes too, because a model may place a blurred
copy far from what it was made of. Knows nothing about the web.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from latent.collection import Collection
from latent.items import JSON, Hit, Modality
from latent.models import registry
from latent.settings import Settings
from latent.store import Store
from service.checks.looks import Look, look_at, look_at_item
from service.checks.matching import Wanted
from service.checks.stored import look_at_stored
from service.checks.tiers import NEAR_PICTURE, Tier, tier_of
from service.engine.parts import Like, Part, Picture, Text
from service.engine.questions import Question
from service.query import QueryEngine

MOST_COPIES = 100
"""Copies that are looked for beside the nearest."""


MOST_LOOKS = 100
"""Pictures of a collection whose pixels are read for one question."""

SEEN_IN_PIXELS = (Tier.SAME_PICTURE, Tier.NEAR_COPY, Tier.ALIKE, Tier.RELATED)
"""Tiers that pixels may change."""


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
    question = as_check(question)
    collection = store.collection(name)
    look = asked_look(question.parts, collection, settings)
    hits = engine.search(name, question).hits
    copies = copies_question(question, look, collection, settings.max_k)
    more = [] if copies is None else engine.search(name, copies).hits
    return seen([*hits, *more], look, collection, settings)


def as_check(question: Question) -> Question:
    """The question about the very words, as stored ones are placed.

    Without a least relevance, unless it has one: a copy may be far away.
    """
    least = 0.0 if question.min_relevance is None else question.min_relevance
    return replace(question, min_relevance=least, is_verbatim=True)


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
            return look_at_stored(collection, collection.get([item_id])[0], settings)
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


def seen(
    hits: Iterable[Hit], look: Look | None, collection: Collection, settings: Settings
) -> list[Seen]:
    """Every hit once with its tier, most alike first, then by score.

    The pixels of the `MOST_LOOKS` nearest are looked at, where those can tell more.
    """
    once: Mapping[str, Hit] = {hit.item.id: hit for hit in hits}
    nearest = sorted(once.values(), key=lambda hit: -hit.score)
    judge = _Tiers(look, collection, settings)
    found = [Seen(hit, judge.tier(hit)) for hit in nearest]
    return sorted(found, key=lambda one: (-one.tier.rank if one.tier else 0, -one.hit.score))


class _Tiers:
    """Tells the tiers of hits, with their pixels as long as there are not too many of them."""

    def __init__(self, look: Look | None, collection: Collection, settings: Settings) -> None:
        self._look, self._collection, self._settings = look, collection, settings
        self._cuts = registry.cuts(collection.space, settings)
        self._left = MOST_LOOKS

    def tier(self, hit: Hit) -> Tier | None:
        """The tier of a hit; None where what was asked is no single thing."""
        if self._look is None:
            return None
        item = hit.item
        tier = tier_of(self._look, look_at_item(item), hit.score, self._cuts)
        # Covers and parts are seen in pixels alone; those of the unrelated are not read.
        is_open = tier in SEEN_IN_PIXELS and item.modality is self._look.modality
        if not is_open or self._look.small is None or not self._left:
            return tier
        self._left -= 1
        stored = look_at_stored(self._collection, item, self._settings)
        return tier_of(self._look, stored, hit.score, self._cuts)

"""All groups of copies in a collection: near pairs, joined wherever they touch.

Nothing is deleted; a group says which of its items is best kept. Pictures are compared by bytes,
picture hash (as it is and mirrored) and cosine, texts by their words and cosine. Knows nothing
about the web.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from latent.collection import Collection
from latent.errors import InputError
from latent.items import JSON, Item, Modality, Vectors
from latent.media.fingerprints import distances, prints_of
from latent.models import registry
from latent.models.cuts import Cuts
from latent.settings import Settings
from service.checks.near_pairs import Places, near_pairs, near_prints
from service.checks.tiers import NEAR_PICTURE, SAME_PICTURE, Tier, is_near_text
from service.checks.wording import normalised

FINDABLE = (
    Tier.IDENTICAL,
    Tier.SAME_PICTURE,
    Tier.SAME_TEXT,
    Tier.NEAR_COPY,
    Tier.ALIKE,
    Tier.PARAPHRASE,
)
"""What groups may be made of. A tier of pictures stands for that of texts of the same rank too."""

AT_ONCE = 500
_NONE: Places = np.empty((2, 0), np.int64)
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Group:
    """Items that are copies of each other; `tier` is that of the weakest link that holds it."""

    tier: Tier
    keep: Item
    extra: list[Item]


@dataclass(frozen=True, slots=True)
class Duplicates:
    """The groups, strongest and largest first, of how many items, down to which tier.

    `unknown` pictures have no hash: they were stored by an older version, or came as vectors.
    `is_calibrated` says whether the cuts of cosines were fitted to the model.
    """

    groups: list[Group]
    items: int
    tier: Tier
    unknown: int
    is_calibrated: bool

    @property
    def extra(self) -> int:
        """How many items could go."""
        return sum(len(group.extra) for group in self.groups)


def duplicates(
    collection: Collection,
    settings: Settings,
    tier: Tier = Tier.NEAR_COPY,
    *,
    progress: Progress = lambda step: None,
) -> Duplicates:
    """All groups of items that are at least so alike.

    Raises:
        InputError: groups cannot be made of so weak a tier.
    """
    require_findable(tier)
    progress("reading")
    shelf = _Shelf.of(collection)
    chains = _Chains(len(shelf.ids))
    cuts = registry.cuts(collection.space, settings)
    for rank, ones, twos in _links(shelf, collection, cuts, tier, progress):
        chains.join(rank, ones, twos)
    groups = [
        _group(collection.get([shelf.ids[place] for place in places]), shelf, places, rank)
        for places, rank in chains.groups()
    ]
    groups.sort(key=lambda group: (-group.tier.rank, -len(group.extra), group.keep.id))
    return Duplicates(groups, len(shelf.ids), tier, shelf.unknown, cuts.is_fitted)


def require_findable(tier: Tier) -> None:
    """Refuse tiers that are too weak.

    Raises:
        InputError: naming those there are.
    """
    if tier not in FINDABLE:
        named = ", ".join(FINDABLE)
        raise InputError(f"groups cannot be made of what is {tier}; there are: {named}")


@dataclass(frozen=True, slots=True)
class _Shelf:
    """What is compared, by place: ids, what they say or show, and vectors in that order."""

    ids: list[str]
    modalities: list[Modality]
    contents: list[str | None]
    hashes: list[str | None]
    words: list[bytes]
    vectors: Vectors

    @classmethod
    def of(cls, collection: Collection) -> _Shelf:
        keys, vectors = collection.vectors()
        place = {int(key): i for i, key in enumerate(keys)}
        found = [one for one in collection.contents() if one.key in place]
        rows = np.array([place[one.key] for one in found], np.int64)
        said = [one.text or "" for one in found]
        return cls(
            [one.id for one in found],
            [one.modality for one in found],
            [
                # The content of a passage is that of its whole file.
                one.content_hash if one.modality is Modality.IMAGE else _digest(text).hex()
                for one, text in zip(found, said, strict=True)
            ],
            [one.picture_hash for one in found],
            [_digest(normalised(text)) for text in said],
            vectors[rows],
        )

    @property
    def unknown(self) -> int:
        return sum(
            one is None and modality is Modality.IMAGE
            for one, modality in zip(self.hashes, self.modalities, strict=True)
        )

    def places(self, modality: Modality) -> Places:
        return np.array([i for i, one in enumerate(self.modalities) if one is modality], np.int64)


Links = Iterator[tuple[int, Places, Places]]
"""Ranks of tiers, strongest first, and the places of pairs that have them."""


def _links(
    shelf: _Shelf, collection: Collection, cuts: Cuts, least: Tier, progress: Progress
) -> Links:
    pictures, texts = shelf.places(Modality.IMAGE), shelf.places(Modality.TEXT)
    progress("bytes and words")
    yield Tier.IDENTICAL.rank, *_equal(pictures, [shelf.contents[i] for i in pictures])
    yield Tier.IDENTICAL.rank, *_equal(texts, [shelf.contents[i] for i in texts])
    if least.rank > Tier.SAME_TEXT.rank:
        return
    yield Tier.SAME_TEXT.rank, *_equal(texts, [shelf.words[i].hex() for i in texts])
    progress("picture hashes")
    by_hash = _by_hash(pictures, [shelf.hashes[i] for i in pictures])
    yield Tier.SAME_PICTURE.rank, *by_hash[Tier.SAME_PICTURE]
    if least.rank > Tier.NEAR_COPY.rank:
        return
    yield Tier.NEAR_COPY.rank, *by_hash[Tier.NEAR_COPY]
    progress("vectors")
    for ones, twos in near_pairs(shelf.vectors[pictures], cuts.pictures.near_copy):
        yield Tier.NEAR_COPY.rank, pictures[ones], pictures[twos]
    for ones, twos in near_pairs(shelf.vectors[texts], cuts.texts.alike):
        near = _near_texts(shelf, collection, texts[ones], texts[twos])
        yield Tier.NEAR_COPY.rank, texts[ones][near], texts[twos][near]
    if least.rank <= Tier.ALIKE.rank:
        progress("what is alike")
        for places, cut in ((pictures, cuts.pictures.alike), (texts, cuts.texts.alike)):
            for ones, twos in near_pairs(shelf.vectors[places], cut):
                yield Tier.ALIKE.rank, places[ones], places[twos]


def _equal(places: Places, values: Sequence[str | None]) -> tuple[Places, Places]:
    """Each place whose value was there before, with the first that has it."""
    first: dict[str, int] = {}
    pairs = [
        (first.setdefault(value, int(place)), int(place))
        for place, value in zip(places, values, strict=True)
        if value is not None
    ]
    found = np.array([pair for pair in pairs if pair[0] != pair[1]], np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def _by_hash(places: Places, hashes: Sequence[str | None]) -> dict[Tier, tuple[Places, Places]]:
    """Pairs of pictures whose hashes are near, as they are or mirrored."""
    prints, known = prints_of(hashes)
    prints, places = prints[known], places[known]
    same, near = [_NONE], [_NONE]
    for ones, twos in near_prints(prints, NEAR_PICTURE):
        is_same = distances(prints[ones], prints[twos]) <= SAME_PICTURE
        pairs = np.stack([places[ones], places[twos]])
        same.append(pairs[:, is_same])
        near.append(pairs[:, ~is_same])
    found = {Tier.SAME_PICTURE: np.hstack(same), Tier.NEAR_COPY: np.hstack(near)}
    return {tier: (pairs[0], pairs[1]) for tier, pairs in found.items()}


def _near_texts(
    shelf: _Shelf, collection: Collection, ones: Places, twos: Places
) -> NDArray[np.bool_]:
    """Which of the pairs are near copies by their words."""
    near = np.zeros(len(ones), np.bool_)
    for start in range(0, len(ones), AT_ONCE):
        pairs = list(zip(ones[start : start + AT_ONCE], twos[start : start + AT_ONCE], strict=True))
        ids = {shelf.ids[place] for pair in pairs for place in pair}
        said = {item_id: item.text or "" for item_id, item in collection.find(list(ids)).items()}
        for number, (one, two) in enumerate(pairs, start):
            near[number] = is_near_text(said.get(shelf.ids[one], ""), said.get(shelf.ids[two], ""))
    return near


class _Chains:
    """Union-find (Tarjan 1975) over places; links are to come strongest first."""

    def __init__(self, count: int) -> None:
        self._above = list(range(count))
        self._weakest: dict[int, int] = {}

    def join(self, rank: int, ones: Places, twos: Places) -> None:
        """Let linked places be of one group."""
        for one, two in zip(ones.tolist(), twos.tolist(), strict=True):
            first, second = sorted((self._root(one), self._root(two)))
            if first != second:
                self._above[second] = first
                self._weakest.pop(second, None)
                self._weakest[first] = rank

    def groups(self) -> list[tuple[list[int], int]]:
        """Groups of two places or more, with the rank of their weakest needed link."""
        found: dict[int, list[int]] = {}
        for place in range(len(self._above)):
            if (root := self._root(place)) in self._weakest:
                found.setdefault(root, []).append(place)
        return [(places, self._weakest[root]) for root, places in found.items()]

    def _root(self, place: int) -> int:
        above = self._above
        while above[place] != place:
            above[place] = above[above[place]]  # each step shortens the way of the next one
            place = above[place]
        return place


def _group(items: Sequence[Item], shelf: _Shelf, places: Sequence[int], rank: int) -> Group:
    is_picture = shelf.modalities[places[0]] is Modality.IMAGE
    tiers = [tier for tier in FINDABLE if tier.rank == rank]
    keep, *extra = sorted(items, key=_worth)
    return Group(tiers[0] if is_picture else tiers[-1], keep, extra)


def _worth(item: Item) -> tuple[float, float, str]:
    """Largest first (pixels, or characters), then most bytes, then oldest."""
    facts = item.metadata
    pixels = _number(facts.get("width")) * _number(facts.get("height"))
    size = pixels if item.modality is Modality.IMAGE else float(len(item.text or ""))
    return -size, -_number(facts.get("size")), str(facts.get("taken_at") or facts.get("modified"))


def _number(value: JSON) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _digest(text: str) -> bytes:
    return blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()

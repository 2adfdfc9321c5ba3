"""Which things are copies of each other: pairs, strongest first, and the chains that they make.

Pictures are compared by bytes, picture hash (as it is and mirrored) and cosine, texts by their
words and cosine. Knows nothing about what is done with copies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from latent.collection import Collection
from latent.items import Item, Modality, Vectors
from latent.media.fingerprints import distances, prints_of
from latent.models.cuts import Cuts
from service.checks.near_pairs import Pairs, Places, near_pairs, near_prints
from service.checks.tiers import NEAR_PICTURE, SAME_UNSEEN, Tier, is_near_text
from service.checks.wording import NOTHING, Shingles, normalised, shingles

AT_ONCE = 500
_NONE: Places = np.empty((2, 0), np.int64)
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Shelf:
    """What is compared, by place: ids, what they say or show, and vectors in that order.

    `wording` gives the shingles of text items by id. With `most_texts` each is held
    against the words of so many of those whose places are nearest, else of all that are near.
    `threads` compare at once.
    """

    ids: list[str]
    modalities: list[Modality]
    contents: list[str | None]
    hashes: list[str | None]
    words: list[bytes]
    vectors: Vectors
    wording: Callable[[list[str]], Mapping[str, Shingles]]
    most_texts: int | None = None
    threads: int = 1

    @classmethod
    def of(cls, collection: Collection, threads: int = 1) -> Shelf:
        """All of a collection; what texts say is read where it is needed."""
        keys, vectors = collection.vectors()
        place = {int(key): i for i, key in enumerate(keys)}
        found = [one for one in collection.contents() if one.key in place]
        rows = np.array([place[one.key] for one in found], np.int64)
        said = [one.text or "" for one in found]
        return cls(
            [one.id for one in found],
            [one.modality for one in found],
            [
                _content(one.modality, one.content_hash, text)
                for one, text in zip(found, said, strict=True)
            ],
            [one.picture_hash for one in found],
            [_digest(normalised(text)) for text in said],
            vectors[rows],
            lambda ids: _shingles(collection.find(ids).values()),
            threads=threads,
        )

    @classmethod
    def of_items(cls, items: Sequence[Item], most_texts: int) -> Shelf:
        """Some items that are at hand."""
        said = {item.id: item.text or "" for item in items}
        return cls(
            [item.id for item in items],
            [item.modality for item in items],
            [_content(item.modality, item.content_hash, item.text or "") for item in items],
            [item.picture_hash for item in items],
            [_digest(normalised(text)) for text in said.values()],
            np.stack([item.vector for item in items]),
            _Wording(items),
            most_texts,
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


def links(shelf: Shelf, cuts: Cuts, least: Tier, progress: Progress = lambda step: None) -> Links:
    """All pairs that are at least so alike, strongest first."""
    pictures, texts = shelf.places(Modality.IMAGE), shelf.places(Modality.TEXT)
    progress("bytes and words")
    yield Tier.IDENTICAL.rank, *_equal(pictures, [shelf.contents[i] for i in pictures])
    yield Tier.IDENTICAL.rank, *_equal(texts, [shelf.contents[i] for i in texts])
    if least.rank > Tier.SAME_TEXT.rank:
        return
    yield Tier.SAME_TEXT.rank, *_equal(texts, [shelf.words[i].hex() for i in texts])
    progress("picture hashes")
    by_hash = _by_hash(pictures, [shelf.hashes[i] for i in pictures], shelf.threads)
    yield Tier.SAME_PICTURE.rank, *by_hash[Tier.SAME_PICTURE]
    if least.rank > Tier.NEAR_COPY.rank:
        return
    yield Tier.NEAR_COPY.rank, *by_hash[Tier.NEAR_COPY]
    progress("vectors")
    for ones, twos in _near(shelf, pictures, cuts.pictures.near_copy):
        yield Tier.NEAR_COPY.rank, ones, twos
    for ones, twos in _near(shelf, texts, cuts.texts.alike):
        if shelf.most_texts is not None:
            ones, twos = _nearest(shelf.vectors, ones, twos, shelf.most_texts)
        near = _near_texts(shelf, ones, twos)
        yield Tier.NEAR_COPY.rank, ones[near], twos[near]
    if least.rank <= Tier.ALIKE.rank:
        progress("what is alike")
        for places, cut in ((pictures, cuts.pictures.alike), (texts, cuts.texts.alike)):
            for ones, twos in _near(shelf, places, cut):
                yield Tier.ALIKE.rank, ones, twos


def _near(shelf: Shelf, places: Places, cut: float) -> Pairs:
    """Pairs of these places whose vectors are near."""
    for ones, twos in near_pairs(shelf.vectors[places], cut, threads=shelf.threads):
        yield places[ones], places[twos]


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


def _by_hash(
    places: Places, hashes: Sequence[str | None], threads: int
) -> dict[Tier, tuple[Places, Places]]:
    """Pairs of pictures whose hashes are near, as they are or mirrored."""
    prints, known = prints_of(hashes)
    prints, places = prints[known], places[known]
    same, near = [_NONE], [_NONE]
    for ones, twos in near_prints(prints, NEAR_PICTURE, threads=threads):
        is_same = distances(prints[ones], prints[twos]) <= SAME_UNSEEN
        pairs = np.stack([places[ones], places[twos]])
        same.append(pairs[:, is_same])
        near.append(pairs[:, ~is_same])
    found = {Tier.SAME_PICTURE: np.hstack(same), Tier.NEAR_COPY: np.hstack(near)}
    return {tier: (pairs[0], pairs[1]) for tier, pairs in found.items()}


def _nearest(rows: Vectors, ones: Places, twos: Places, most: int) -> tuple[Places, Places]:
    """Of the pairs those that are among so many nearest of one of both."""
    scores = np.einsum("nd,nd->n", rows[ones], rows[twos])
    kept = np.zeros(len(ones), np.bool_)
    for places in (ones, twos):
        order = np.lexsort((-scores, places))  # by place, the nearest first
        starts = np.searchsorted(places[order], places[order], "left")
        kept[order[np.arange(len(order)) - starts < most]] = True
    return ones[kept], twos[kept]


def _near_texts(shelf: Shelf, ones: Places, twos: Places) -> NDArray[np.bool_]:
    """Which of the pairs are near copies by their words."""
    near = np.zeros(len(ones), np.bool_)
    for start in range(0, len(ones), AT_ONCE):
        pairs = list(zip(ones[start : start + AT_ONCE], twos[start : start + AT_ONCE], strict=True))
        ids = {shelf.ids[place] for pair in pairs for place in pair}
        said = shelf.wording(list(ids))
        for number, (one, two) in enumerate(pairs, start):
            ours, theirs = (said.get(shelf.ids[place], NOTHING) for place in (one, two))
            near[number] = is_near_text(ours, theirs)
    return near


class Chains:
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


class _Wording:
    """The shingles of items at hand, made when they are first needed."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items
        self._said: dict[str, Shingles] | None = None

    def __call__(self, ids: list[str]) -> Mapping[str, Shingles]:
        if self._said is None:
            self._said = _shingles(self._items)
        return self._said


def _shingles(items: Iterable[Item]) -> dict[str, Shingles]:
    return {item.id: shingles(item.text or "") for item in items}


def _content(modality: Modality, content_hash: str | None, text: str) -> str | None:
    """What is the same for the same bytes; the content of a passage is that of its whole file."""
    return content_hash if modality is Modality.IMAGE else _digest(text).hex()


def _digest(text: str) -> bytes:
    return blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()

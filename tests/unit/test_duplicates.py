"""Groups of copies: found, joined, and what to keep of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from latent.collection import Collection
from latent.errors import InputError
from latent.items import Item, Metadata, Modality, Vectors
from latent.media.fingerprints import BITS, prints_of, views
from latent.store import Store
from service.checks import near_pairs as near_pairs_module
from service.checks.duplicates import Duplicates, duplicates
from service.checks.near_pairs import near_pairs, near_prints
from service.checks.tiers import Tier

DIM = 16
CHANCE = np.random.default_rng(0)
HASHES = [CHANCE.bytes(BITS // 8) for _ in range(40)]


def place(number: int) -> Vectors:
    row = np.zeros(DIM, np.float32)
    row[number % DIM] = 1.0
    return row


def flipped(content: bytes, bits: int) -> bytes:
    """The hash with so many of its bits changed."""
    row = np.unpackbits(np.frombuffer(content, np.uint8))
    row[:bits] ^= 1
    return np.packbits(row).tobytes()


def photo(
    item_id: str,
    look: bytes | None,
    at: int = 0,
    *,
    content: str | None = None,
    metadata: Metadata | None = None,
) -> Item:
    return Item(
        item_id,
        Modality.IMAGE,
        place(at),
        metadata=metadata or {},
        content_hash=content or f"hash of {item_id}",
        picture_hash=None if look is None else look.hex(),
    )


def note(item_id: str, words: str, at: int = 0) -> Item:
    return Item(item_id, Modality.TEXT, place(at), text=words)


def found(store: Store, items: Sequence[Item], tier: Tier = Tier.NEAR_COPY) -> Duplicates:
    collection = store.ensure("main")
    collection.put(items)
    return duplicates(collection, store.settings, tier)


def named(result: Duplicates) -> list[tuple[str, set[str]]]:
    return [
        (group.tier.value, {item.id for item in (group.keep, *group.extra)})
        for group in result.groups
    ]


def test_a_collection_without_copies_has_no_groups(store: Store) -> None:
    result = found(store, [photo(f"p{i}", HASHES[i], i) for i in range(10)])
    assert result.groups == []
    assert (result.items, result.extra, result.unknown) == (10, 0, 0)


def test_an_empty_collection_has_no_groups(store: Store) -> None:
    assert found(store, []).groups == []


def test_the_same_bytes_are_identical(store: Store) -> None:
    items = [photo("a", HASHES[0], 0, content="x"), photo("b", HASHES[1], 1, content="x")]
    assert named(found(store, items, Tier.IDENTICAL)) == [("identical", {"a", "b"})]


def test_near_hashes_are_the_same_picture_or_a_near_copy(store: Store) -> None:
    items = [
        *(photo("a", HASHES[0], 0), photo("b", flipped(HASHES[0], 25), 1)),
        *(photo("c", HASHES[1], 2), photo("d", flipped(HASHES[1], 60), 3)),
        *(photo("e", HASHES[2], 4), photo("f", flipped(HASHES[2], 90), 5)),
    ]
    assert named(found(store, items)) == [("same_picture", {"a", "b"}), ("near_copy", {"c", "d"})]
    assert named(duplicates(store.collection("main"), store.settings, Tier.SAME_PICTURE)) == [
        ("same_picture", {"a", "b"})
    ]


def test_a_mirrored_picture_is_a_near_copy(store: Store) -> None:
    mirrored = views(prints_of([HASHES[0].hex()])[0])[1].tobytes()
    items = [photo("a", HASHES[0], 0), photo("b", mirrored, 1), photo("c", HASHES[1], 2)]
    assert named(found(store, items)) == [("near_copy", {"a", "b"})]


def test_near_vectors_make_copies_of_pictures_without_hashes(store: Store) -> None:
    result = found(store, [photo("a", None, 3), photo("b", None, 3), photo("c", b"", 4)])
    assert named(result) == [("near_copy", {"a", "b"})]
    assert result.unknown == 2


def test_flat_pictures_of_other_colours_are_no_copies(store: Store) -> None:
    assert found(store, [photo("a", b"", 1), photo("b", b"", 2)]).groups == []


def test_pictures_and_texts_are_never_copies_of_each_other(store: Store) -> None:
    result = found(store, [photo("a", HASHES[0], 5), note("b", "words", 5)], Tier.ALIKE)
    assert result.groups == []


def test_texts_are_grouped_by_their_words(store: Store) -> None:
    words = "two brown dogs run through the deep snow behind a house"
    items = [
        *(note("a", words, 0), note("b", words, 1), note("c", words.upper() + "!", 2)),
        *(note("d", "one cat sleeps on a warm red sofa", 3),),
        *(note("e", "one cat sleeps on a warm blue sofa", 3),),
        *(note("f", "quite other words", 4), note("g", "nothing of the kind", 4)),
    ]
    assert named(found(store, items)) == [
        ("same_text", {"a", "b", "c"}),
        ("near_copy", {"d", "e"}),
    ]
    assert named(duplicates(store.collection("main"), store.settings, Tier.PARAPHRASE))[-1] == (
        "paraphrase",
        {"f", "g"},
    )


def test_chains_are_joined_and_told_by_their_weakest_link(store: Store) -> None:
    items = [
        photo("a", HASHES[0], 0, content="x"),
        photo("b", HASHES[0], 1, content="x"),
        photo("c", flipped(HASHES[0], 25), 2),
        photo("d", flipped(HASHES[0], 90), 3),
    ]
    assert named(found(store, items)) == [("near_copy", {"a", "b", "c", "d"})]
    groups = named(duplicates(store.collection("main"), store.settings, Tier.SAME_PICTURE))
    assert groups == [("same_picture", {"a", "b", "c"})]


def test_the_largest_is_kept_then_the_oldest(store: Store) -> None:
    def sized(item_id: str, width: int, size: int, modified: str) -> Item:
        facts: Metadata = {"width": width, "height": 10, "size": size, "modified": modified}
        return photo(item_id, HASHES[0], 0, metadata=facts)

    items = [
        sized("small", 10, 900, "2020"),
        sized("new", 20, 500, "2024"),
        sized("old", 20, 500, "2021"),
        sized("heavy", 20, 600, "2025"),
    ]
    (group,) = found(store, items).groups
    assert [group.keep.id, *(item.id for item in group.extra)] == ["heavy", "old", "new", "small"]


def test_what_is_only_related_makes_no_groups(store: Store) -> None:
    with pytest.raises(InputError, match=r"related.*there are: identical"):
        duplicates(store.ensure("main"), store.settings, Tier.RELATED)


@pytest.mark.parametrize("threads", [1, 3])
def test_blocks_together_find_what_brute_force_finds(
    monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    monkeypatch.setattr(near_pairs_module, "BLOCK", 7)
    rows = np.random.default_rng(1).standard_normal((40, 4)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    expected = {(i, j) for i in range(40) for j in range(i + 1, 40) if rows[i] @ rows[j] >= 0.6}
    pairs = [
        pair
        for ones, twos in near_pairs(rows, 0.6, threads=threads)
        for pair in zip(ones.tolist(), twos.tolist(), strict=True)
    ]
    assert set(pairs) == expected
    assert len(pairs) == len(expected) > 20


def test_what_is_dropped_while_others_are_compared_is_in_no_group(store: Store) -> None:
    collection = store.ensure("main")
    looks = [("a", 0), ("b", 0), ("c", 0), ("d", 1), ("e", 1)]
    collection.put([photo(name, HASHES[look], look) for name, look in looks])

    def drop_some(step: str) -> None:
        if step == "vectors":
            collection.drop(["b", "e"])

    (group,) = duplicates(collection, store.settings, progress=drop_some).groups
    assert {group.keep.id, *(item.id for item in group.extra)} == {"a", "c"}


def test_blocks_that_are_shared_out_have_a_thread_each_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(near_pairs_module, "BLOCK", 7)
    rows = np.ones((20, 4), np.float32)
    before = threads_of_blas()
    with threadpool_limits(2, user_api="blas"):
        pairs = near_pairs(rows, 0.5, threads=2)
        next(pairs)
        assert threads_of_blas() == {1}
        assert len(list(pairs)) > 1
        assert threads_of_blas() == {2}
    assert threads_of_blas() == before


def threads_of_blas() -> set[int]:
    return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}


@pytest.mark.parametrize("threads", [1, 3])
def test_hashes_are_near_by_their_bits_also_mirrored(
    monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    monkeypatch.setattr(near_pairs_module, "BLOCK", 5)
    first = HASHES[0]
    mirrored = views(prints_of([first.hex()])[0])[1].tobytes()
    contents = [*HASHES[:8], flipped(first, 50), flipped(first, 110), flipped(mirrored, 40)]
    prints, _ = prints_of([one.hex() for one in contents])
    pairs = {
        pair
        for ones, twos in near_prints(prints, 51 / BITS, threads=threads)
        for pair in zip(ones.tolist(), twos.tolist(), strict=True)
    }
    assert pairs == {(0, 8), (0, 10), (8, 10)}


def test_looking_like_follows_what_is_put_and_dropped(store: Store) -> None:
    collection: Collection = store.ensure("main")
    collection.put([photo("a", HASHES[0], 0), photo("b", flipped(HASHES[0], 10), 1)])
    asked = HASHES[0].hex()
    assert collection.looking_like(asked, 0.14, 9) == ["a", "b"]
    collection.drop(["a"])
    collection.put([photo("c", views(prints_of([asked])[0])[2].tobytes(), 2)])
    assert collection.looking_like(asked, 0.14, 9) == ["c", "b"]
    assert collection.looking_like(asked, 0.14, 1) == ["c"]
    assert collection.looking_like("", 0.14, 9) == []

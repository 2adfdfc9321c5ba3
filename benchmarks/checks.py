"""How often the tiers are right: on copies of photos, and on texts that were changed.

Every copy is held against its own photo and against others. Photos and captions are `val` ones,
which no cut was fitted on. Knows nothing about how tiers are decided.
"""

from __future__ import annotations

import random
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.bench import MINI, Bench
from benchmarks.captioned import read_val
from benchmarks.copies import COPYINGS
from benchmarks.rows import Row, at_least, at_most
from latent.items import Item, Modality, Vectors
from latent.models import registry
from latent.models.embedder import Embedder
from latent.settings import Settings
from latent.wiring import open_store
from service.checks.duplicates import duplicates
from service.checks.looks import Look, look_at
from service.checks.tiers import Tier, tier_of
from service.embedding.placing import place_now
from service.engine.parts import Picture, Text, Thing
from service.seen.timing import Timings

OTHER = "another photo"
OTHERS = 10
"""Other things that each copy is compared with."""


@dataclass(frozen=True, slots=True)
class Told:
    """A pair: what kind it is, how alike it is meant to be at least and at most, what was told."""

    kind: str
    meant: Tier
    told: Tier


def copies_rows(bench: Bench) -> Iterator[Row]:
    """Twenty kinds of copies at three strengths, with and without the pixels of the original."""
    photos = val_photos(8 if bench.is_quick else 100)
    pairs = list(told_of_copies(bench.embedder(MINI), bench.settings(), photos))
    how = f"{len(photos)} photos, {len(pairs)} pairs"
    seen, stored = [one for one, _ in pairs], [one for _, one in pairs]
    yield from _rows("pictures", seen, f"{how}, pixels of both at hand", COPIES)
    yield from _rows("pictures, stored", stored, f"{how}, hash and vector alone", COPIES)
    yield from _kinds(seen, stored)


COPIES = (Tier.SAME_PICTURE, Tier.NEAR_COPY)


def told_of_copies(
    embedder: Embedder, settings: Settings, photos: Sequence[bytes]
) -> Iterator[tuple[Told, Told]]:
    """Every copy beside its photo, and beside others: with the photo's pixels, and without."""
    chance, cuts = random.Random(0), registry.cuts(embedder.space, settings)
    looks = [look_at(Picture(photo), settings) for photo in photos]
    rows = _placed(embedder, [Picture(photo) for photo in photos], settings)
    for number, photo in enumerate(photos):
        picture = Image.open(BytesIO(photo)).convert("RGB")
        for copying in COPYINGS:
            copies = [Picture(copy) for copy in copying.copies(picture)]
            places = _placed(embedder, copies, settings)
            for strength, (copy, place) in enumerate(zip(copies, places, strict=True), 1):
                look, kind = look_at(copy, settings), f"{copying.name} {strength}"
                others = chance.sample(
                    [i for i in range(len(photos)) if i != number], min(OTHERS, len(photos) - 1)
                )
                for at in (number, *others):
                    score = float(place @ rows[at])
                    is_own = at == number
                    tiers = [
                        tier_of(look, other, score, cuts)
                        for other in (looks[at], _stored(looks[at]))
                    ]
                    told, told_stored = (
                        Told(
                            kind if is_own else OTHER,
                            copying.tier if is_own else Tier.RELATED,
                            tier,
                        )
                        for tier in tiers
                    )
                    yield told, told_stored


def _stored(look: Look) -> Look:
    """What is known of a picture whose file is not there."""
    return Look(look.modality, look.contents, None, look.picture_hash)


def texts_rows(bench: Bench) -> Iterator[Row]:
    """Captions beside changed ones, others of the same photo, and those of other photos."""
    captions = val_captions(20 if bench.is_quick else 500)
    embedder, settings = bench.embedder(MINI), bench.settings()
    told = list(told_of_texts(embedder, settings, captions))
    tiers = (Tier.SAME_TEXT, Tier.NEAR_COPY, Tier.PARAPHRASE)
    yield from _rows("texts", told, f"captions of {len(captions)} photos, {len(told)} pairs", tiers)


def told_of_texts(
    embedder: Embedder, settings: Settings, captions: Sequence[Sequence[str]]
) -> Iterator[Told]:
    """The tier of pairs of texts."""
    chance, cuts = random.Random(0), registry.cuts(embedder.space, settings)
    for number, (first, *own) in enumerate(captions):
        pairs = [(name, meant, change(first)) for name, meant, change in CHANGES]
        pairs += [("same photo", Tier.PARAPHRASE, one) for one in own]
        others = chance.sample([i for i in range(len(captions)) if i != number], OTHERS)
        pairs += [(OTHER, Tier.RELATED, captions[other][0]) for other in others]
        texts = [first, *(text for _, _, text in pairs)]
        rows = _placed(embedder, [Text(text) for text in texts], settings)
        looks = [look_at(Text(text), settings) for text in texts]
        for at, (kind, meant, _) in enumerate(pairs, 1):
            score = float(rows[0] @ rows[at])
            yield Told(kind, meant, tier_of(looks[0], looks[at], score, cuts))


def _typo(text: str) -> str:
    middle = len(text) // 2
    return text[: middle - 1] + text[middle] + text[middle - 1] + text[middle + 1 :]


def _without_a_word(text: str) -> str:
    words = text.split()
    return " ".join(words[: len(words) // 2] + words[len(words) // 2 + 1 :])


def _with_more(text: str) -> str:
    return f"{text} Seen today."


def _another_word(text: str) -> str:
    words = text.split()
    words[len(words) // 2] = "something"
    return " ".join(words)


CHANGES: tuple[tuple[str, Tier, Callable[[str], str]], ...] = (
    ("capitals", Tier.SAME_TEXT, str.upper),
    ("no punctuation", Tier.SAME_TEXT, lambda text: re.sub(r"[^\w\s]+", "", text)),
    ("spaces", Tier.SAME_TEXT, lambda text: text.replace(" ", "  ")),
    ("two letters swapped", Tier.NEAR_COPY, _typo),
    ("a word less", Tier.NEAR_COPY, _without_a_word),
    ("two words more", Tier.NEAR_COPY, _with_more),
    ("another word", Tier.NEAR_COPY, _another_word),
)


def duplicates_rows(bench: Bench) -> Iterator[Row]:
    """How long it takes to find all groups of copies."""
    count = 2_000 if bench.is_quick else 100_000
    copies = count // 20
    with tempfile.TemporaryDirectory() as folder, open_store(Settings(data=Path(folder))) as store:
        collection = store.ensure("main", "vectors:384")
        for items in _made(count, copies):
            collection.put(items)
        collection.summary()  # the index is read before the clock runs
        started, worked = time.perf_counter(), time.process_time()
        found = duplicates(collection, store.settings)
        seconds, worked = time.perf_counter() - started, time.process_time() - worked
    how = (
        f"{count:,} pictures of random vectors and hashes, {copies:,} of them copies; "
        f"{worked:.0f} s of processor on {bench.threads} cores"
    )
    yield Row("duplicates: time", seconds, "s", how, at_most(120))
    pairs = sum(len(group.extra) == 1 for group in found.groups)
    yield Row("duplicates: copies found", pairs / copies, "", how, at_least(0.999))


def _made(count: int, copies: int) -> Iterator[list[Item]]:
    chance = np.random.default_rng(0)
    rows = chance.standard_normal((count, 384)).astype(np.float32)
    prints = chance.integers(0, 256, (count, 32), dtype=np.uint8)
    prints[-copies:] = prints[:copies] ^ np.uint8(1)  # an eighth of the bits
    for start in range(0, count, 2_000):
        yield [
            Item(
                f"i{i}",
                Modality.IMAGE,
                rows[i],
                content_hash=f"{i}",
                picture_hash=prints[i].tobytes().hex(),
            )
            for i in range(start, min(count, start + 2_000))
        ]


def _rows(name: str, told: Sequence[Told], how: str, tiers: Sequence[Tier]) -> Iterator[Row]:
    """Precision and recall of each tier: how alike at least things are."""
    for tier in tiers:
        meant = [one for one in told if one.meant.reaches(tier)]
        said = [one for one in told if one.told.reaches(tier)]
        right = sum(one.meant.reaches(tier) for one in said)
        recall = sum(one.told.reaches(tier) for one in meant) / max(1, len(meant))
        yield Row(f"{name}: {tier}: precision", right / max(1, len(said)), "", how)
        yield Row(f"{name}: {tier}: recall", recall, "", how)
    others = [one for one in told if one.kind == OTHER]
    false = sum(one.told.reaches(Tier.NEAR_COPY) for one in others) / max(1, len(others))
    yield Row(f"{name}: others called copies", false, "", how, at_most(0.001))


def _kinds(seen: Sequence[Told], stored: Sequence[Told]) -> Iterator[Row]:
    """Of each kind and strength of copy, the share that reaches the tier it is meant to."""
    kinds: dict[str, list[tuple[Told, Told]]] = {}
    for pair in zip(seen, stored, strict=True):
        kinds.setdefault(pair[0].kind, []).append(pair)
    for kind, pairs in kinds.items():
        if kind != OTHER:
            meant = pairs[0][0].meant
            reached = [sum(pair[way].told.reaches(meant) for pair in pairs) for way in (0, 1)]
            near = sum(one.told.reaches(Tier.NEAR_COPY) for one, _ in pairs) / len(pairs)
            how = f"as {meant}; stored {reached[1] / len(pairs):.2f}; as near_copy {near:.2f}"
            yield Row(f"copies: {kind}", reached[0] / len(pairs), "", how)


def val_photos(count: int) -> list[bytes]:
    """Some of every second `val` photo as files; on the others cuts were chosen.

    Raises UnmeasuredError.
    """
    photos = list(read_val().photos.values())[1::2]
    return photos[:: max(1, len(photos) // count)][:count]


def val_captions(count: int) -> list[list[str]]:
    """The captions of some `val` photos. Raises UnmeasuredError."""
    found: dict[str, list[str]] = {}
    for name, caption in read_val().captions:
        found.setdefault(name, []).append(caption)
    return list(found.values())[:count]


def _placed(embedder: Embedder, things: Sequence[Thing], settings: Settings) -> Vectors:
    return np.stack(place_now(embedder, things, settings, Timings()))

"""Questions of one word: which nouns find what photos show, and are told where nothing does.

A photo shows a noun if two of its five captions say it. Asked of the product as people ask it, and
once more with the word standing for itself. Knows nothing about how nouns are understood.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.bench import Bench
from benchmarks.captioned import Captioned, unanswerable
from benchmarks.relevance import AUROC, KEPT, PHOTOS, TOLD, ask, opened, sure
from benchmarks.rows import Row
from latent.items import Hit
from latent.models.calibrating.logistic import parting
from latent.store import Store
from service.engine.relevance import SURE

NOUNS = Path(__file__).parent / "nouns.txt"
SAYING = 2  # captions of a photo that must name what it shows
MANY = {"person": "people", "woman": "women", "bench": "benches", "beach": "beaches"}


def rows(bench: Bench) -> Iterator[Row]:
    """All rows of this part."""
    with opened(bench) as (store, val):
        yield from _asked(store, val, "nouns", is_phrased=True)
        yield from _asked(store, val, "nouns as bare words", is_phrased=False)


def nouns(path: Path = NOUNS) -> dict[str, list[str]]:
    """Nouns that are there, and absent ones."""
    return {
        kind: [noun for line in lines for noun in line.split()]
        for kind, lines in unanswerable(path).items()
    }


def showing(val: Captioned, noun: str) -> set[str]:
    """The names of the photos that show it."""
    forms = {noun, MANY.get(noun, noun + "s")}
    said = Counter(
        name
        for name, caption in val.captions
        if forms.intersection(re.findall("[a-z]+", caption.lower()))
    )
    return {name for name, count in said.items() if count >= SAYING}


def _asked(store: Store, val: Captioned, name: str, *, is_phrased: bool) -> Iterator[Row]:
    known = nouns()
    hits, strange = (
        [one.hits for one in ask(store, PHOTOS, known[kind], is_phrased=is_phrased)]
        for kind in ("there", "absent")
    )
    best, chance = (sure([some[0] for some in group]) for group in (hits, strange))
    own = [
        found
        for noun, some in zip(known["there"], hits, strict=True)
        if (found := _first_of(some, showing(val, noun)))
    ]
    targets = (AUROC, TOLD, KEPT) if is_phrased else (None, None, None)
    against = f"{len(best)} that photos show, {len(chance)} that none does"
    yield Row(f"{name}: match or no match", parting(best, chance), "AUROC", against, targets[0])
    told = float(np.mean([one < SURE for one in chance]))
    yield Row(f"{name}: absent, told so", told, "share", "at the default", targets[1])
    kept = float(np.mean([one >= SURE for one in sure(own)]))
    against = f"{len(own)} with such a photo among the first ten"
    yield Row(f"{name}: keep it", kept, "share", against, targets[2])


def _first_of(hits: list[Hit], names: set[str]) -> Hit | None:
    return next((hit for hit in hits if hit.item.uri.rsplit("/", 1)[-1] in names), None)

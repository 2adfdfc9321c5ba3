"""A check in the calling thread, as Python asks it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from indexer.pipeline import index
from latent.errors import UnknownItemError
from latent.settings import Settings
from latent.store import Store
from service.checks.checks import check
from service.checks.tiers import Tier
from service.engine.parts import parse
from service.engine.questions import Question


@pytest.fixture
def filled(store: Store, photos: Path, settings: Settings) -> Store:
    index([photos], store.ensure("main"), store.embedder(), settings)
    return store


def test_a_file_that_was_indexed_is_identical_to_its_item(filled: Store, photos: Path) -> None:
    image = (photos / "green.png").read_bytes()
    first, *others = check(filled, "main", Question(parse([{"image": image}]), k=3))
    assert (first.hit.item.uri, first.tier) == ("photos/green.png", Tier.IDENTICAL)
    assert {one.tier for one in others} == {Tier.UNRELATED}


def test_an_item_is_compared_without_itself(filled: Store) -> None:
    item = filled.collection("main").scroll(1)[0]
    found = check(filled, "main", Question(parse([{"id": item.id}]), k=9))
    assert item.id not in [one.hit.item.id for one in found]
    assert len(found) == 7


def test_an_item_that_is_not_there_is_unknown(filled: Store) -> None:
    with pytest.raises(UnknownItemError):
        check(filled, "main", Question(parse([{"id": "nobody"}])))


def test_a_vector_has_no_tiers(filled: Store) -> None:
    found = check(filled, "main", Question(parse([{"vector": [1.0] + [0.0] * 15}]), k=2))
    assert [one.tier for one in found] == [None, None]


def test_all_copies_come_beside_the_nearest_however_few_are_asked_for(
    store: Store, photos: Path, settings: Settings
) -> None:
    chance = np.random.default_rng(0)
    grain = Image.fromarray(chance.integers(0, 255, (9, 12, 3), dtype=np.uint8))
    for number in range(6):
        grain.resize((240, 180)).save(photos / f"grain {number}.png")
    index([photos], store.ensure("main"), store.embedder(), settings)
    image = (photos / "grain 0.png").read_bytes()
    found = check(store, "main", Question(parse([{"image": image}]), k=1))
    assert [one.tier for one in found] == [Tier.IDENTICAL] * 6

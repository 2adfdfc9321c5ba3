"""Samples of a collection: one who draws anew holds up nobody who has an older one."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from latent.catalog.changes import Changes, Match
from latent.columns.matches import Matches
from latent.filters.language import Filter
from latent.index.samples import PART, SOONER, Samples
from latent.index.served import Served
from latent.items import Modality

DIM = 4
PATIENCE = 30


class Listed(Matches):
    """All keys that are served; listing them may be held up."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.asked = 0
        self.begun = threading.Event()
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def at(self, sequence: int, where: Filter | None, modality: Modality | None) -> Match:
        self.asked += 1
        self.begun.set()
        assert self.may_go_on.wait(PATIENCE)
        return Match(sequence, self.served.index.keys())


def put(served: Served, count: int, *, are_images: bool | None = None) -> None:
    first = len(served.index)
    keys = np.arange(first + 1, first + count + 1, dtype=np.int64)
    rows = np.tile(np.eye(DIM, dtype=np.float32), (count // DIM + 1, 1))[:count]
    told = None if are_images is None else np.full(count, are_images)
    served.take(Changes(served.sequence + 1, keys, rows, are_images=told))


@pytest.fixture
def served() -> Served:
    one = Served(DIM, None)
    put(one, 40)
    return one


@pytest.mark.parametrize(("part", "most"), [(PART, 4), (SOONER, 2)])
def test_a_sample_is_kept_until_so_much_has_changed(served: Served, part: int, most: int) -> None:
    listed = Listed(served)
    samples = Samples(listed)
    first = samples.of(served, Modality.IMAGE)
    put(served, most)
    assert samples.of(served, Modality.IMAGE, part=part) is first
    put(served, 1)
    assert samples.of(served, Modality.IMAGE, part=part).items == 41 + most
    assert listed.asked == 2


def test_a_sample_outlives_a_new_form_of_the_same_items_and_no_other(served: Served) -> None:
    samples = Samples(Listed(served))
    first = samples.of(served, Modality.IMAGE)
    other = Served(DIM, None)
    put(other, 40)
    other.follow_on(served)
    assert samples.of(other, Modality.IMAGE) is first
    put(other, 5)
    assert samples.of(other, Modality.IMAGE) is not first
    stranger = Served(DIM, None)
    put(stranger, 40)
    assert samples.of(stranger, Modality.IMAGE) is not first


def test_items_of_the_other_modality_do_not_make_a_sample_old(served: Served) -> None:
    listed = Listed(served)
    samples = Samples(listed)
    first = samples.of(served, Modality.TEXT)
    put(served, 30, are_images=True)
    assert samples.of(served, Modality.TEXT) is first
    put(served, 5, are_images=False)
    assert samples.of(served, Modality.TEXT).items == 75


def test_what_is_replaced_or_dropped_may_have_been_of_either_modality(served: Served) -> None:
    listed = Listed(served)
    samples = Samples(listed)
    rows = np.eye(DIM, dtype=np.float32)[[0, 1, 2, 3, 0]]
    for change in (
        Changes(2, np.arange(1, 6), rows, are_images=np.ones(5, np.bool_)),
        Changes(3, np.empty(0, np.int64), rows[:0], np.arange(1, 6)),
    ):
        before = samples.of(served, Modality.TEXT)
        served.take(change)
        assert samples.of(served, Modality.TEXT) is not before


def test_others_go_by_the_older_sample_while_one_draws_anew(served: Served) -> None:
    listed = Listed(served)
    samples = Samples(listed)
    older = samples.of(served, Modality.IMAGE)
    put(served, 10)
    listed.begun.clear()
    listed.may_go_on.clear()
    with ThreadPoolExecutor(2) as pool:
        drawing = pool.submit(samples.of, served, Modality.IMAGE)
        try:
            assert listed.begun.wait(PATIENCE)
            assert pool.submit(samples.of, served, Modality.IMAGE).result(PATIENCE) is older
        finally:
            listed.may_go_on.set()
        assert drawing.result(PATIENCE).items == 50
    assert samples.of(served, Modality.IMAGE).items == 50
    assert listed.asked == 2


def test_the_first_sample_is_drawn_once_however_many_ask(served: Served) -> None:
    listed = Listed(served)
    samples = Samples(listed)
    listed.may_go_on.clear()
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(samples.of, served, Modality.IMAGE) for _ in range(4)]
        assert listed.begun.wait(PATIENCE)
        listed.may_go_on.set()
        found = [one.result(PATIENCE) for one in asked]
    assert {id(one) for one in found} == {id(found[0])}
    assert listed.asked == 1


def test_who_fails_to_draw_leaves_the_turn_to_the_next(served: Served) -> None:
    class Failing(Listed):
        def at(self, sequence: int, where: Filter | None, modality: Modality | None) -> Match:
            if not self.asked:
                self.asked += 1
                raise OSError("not now")
            return super().at(sequence, where, modality)

    samples = Samples(Failing(served))
    with pytest.raises(OSError, match="not now"):
        samples.of(served, Modality.IMAGE)
    assert samples.of(served, Modality.IMAGE).items == 40

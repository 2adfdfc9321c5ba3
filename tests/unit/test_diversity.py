"""Maximal marginal relevance, against the definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.engine.diversity import diverse

COUNT = 12


def rows(seed: int, count: int = COUNT) -> NDArray[np.float32]:
    found = np.random.default_rng(seed).standard_normal((count, 4))
    unit: NDArray[np.float32] = (found / np.linalg.norm(found, axis=1, keepdims=True)).astype("f4")
    return unit


def by_definition(
    vectors: NDArray[np.float32], worths: list[float], diversity: float, k: int
) -> list[int]:
    low, high = min(worths), max(worths)
    scaled = [(worth - low) / (high - low) for worth in worths]
    taken = [int(np.argmax(worths))]
    while len(taken) < k:
        free = [row for row in range(len(worths)) if row not in taken]
        gains = {
            row: (1 - diversity) * scaled[row]
            - diversity * max(float(vectors[row] @ vectors[other]) for other in taken)
            for row in free
        }
        taken.append(max(free, key=lambda row: gains[row]))
    return taken


@given(st.integers(0, 1000), st.floats(0, 1), st.integers(1, COUNT))
def test_each_next_one_is_the_best_by_the_definition(seed: int, diversity: float, k: int) -> None:
    vectors = rows(seed)
    worths = np.random.default_rng(seed + 1).random(COUNT).tolist()
    assert diverse(vectors, worths, diversity, k=k) == by_definition(vectors, worths, diversity, k)


@given(st.integers(0, 1000), st.floats(0, 1), st.integers(1, COUNT - 1))
def test_pages_are_the_list_cut_into_pieces(seed: int, diversity: float, cut: int) -> None:
    vectors = rows(seed)
    worths = np.random.default_rng(seed + 1).random(COUNT).tolist()
    whole = diverse(vectors, worths, diversity, k=COUNT)
    first = diverse(vectors, worths, diversity, k=cut)
    rest = diverse(vectors, worths, diversity, k=COUNT, chosen=sorted(first))
    assert first + rest == whole


def test_without_diversity_worth_alone_decides() -> None:
    assert diverse(rows(1, 3), [0.1, 0.9, 0.5], 0.0, k=3) == [1, 2, 0]


def test_the_same_thing_twice_comes_last_if_hits_should_differ() -> None:
    twin, other = np.eye(2, dtype=np.float32)
    assert diverse(np.stack([twin, twin, other]), [1.0, 0.9, 0.5], 0.5, k=3) == [0, 2, 1]


@pytest.mark.parametrize("diversity", [0.0, 0.5, 1.0])
def test_the_first_is_always_the_best(diversity: float) -> None:
    assert diverse(rows(2, 4), [0.1, 0.2, 0.9, 0.3], diversity, k=1) == [2]


def test_equals_come_in_their_order_and_no_more_than_there_are() -> None:
    same = np.ones((3, 1), dtype=np.float32)
    assert diverse(same, [0.5, 0.5, 0.5], 0.5, k=10) == [0, 1, 2]
    assert diverse(same[:0], [], 0.5, k=10) == []

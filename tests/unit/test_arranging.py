"""Rows of a graph lie in its order: what is linked lies together, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from latent.index.arranging import AT_ONCE, order_of
from latent.index.bases import Base, Kind, Quantisation, build
from latent.index.building import KEYS, VECTORS, Task, make
from latent.index.faiss_index import FaissIndex
from latent.index.plans import Plan, Way
from latent.index.recall import Questions, lines_of
from latent.index.row_files import save, save_parts

DIM = 16


def order(links: NDArray[np.int32], first: int = 0) -> list[int]:
    found: list[int] = order_of(len(links), lambda rows: links[rows], first=first).tolist()
    return found


def clustered(count: int) -> NDArray[np.float32]:
    """Rows of forty topics, one after another, so that like ones lie far apart."""
    chance = np.random.default_rng(0)
    topics = chance.standard_normal((40, DIM), np.float32)
    rows = topics[np.arange(count) % 40] + 0.3 * chance.standard_normal((count, DIM), np.float32)
    unit: NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def arranged(base: Base) -> Base:
    rows = order_of(len(base.keys), base.links_of, first=base.entry())
    return base.arranged(rows, base.keys[rows], base.vectors[rows])


def test_rows_follow_those_that_lead_to_them_and_the_unreached_come_last() -> None:
    links = np.array([[2, -1], [0, 3], [4, 0], [-1, -1], [2, -1], [1, -1]], np.int32)
    assert order(links) == [0, 2, 4, 1, 3, 5]
    assert order(links, first=5) == [5, 1, 0, 3, 2, 4]
    assert order(np.full((1, 2), -1, np.int32)) == [0]


@given(st.integers(1, 30), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_every_row_has_one_place_whatever_the_links(count: int, most: int, seed: int) -> None:
    chance = np.random.default_rng(seed)
    links = chance.integers(-1, count, (count, most)).astype(np.int32)
    first = int(chance.integers(count))
    found = order(links, first)
    assert sorted(found) == list(range(count))
    assert found[0] == first


def test_more_rows_than_are_followed_at_once() -> None:
    count = 2 * AT_ONCE + 3
    links = np.full((count, 2), -1, np.int32)
    links[:-1, 0] = np.arange(1, count)
    links[::2, 1] = (np.arange(0, count, 2) + AT_ONCE) % count
    found = order(links)
    assert sorted(found) == list(range(count))
    places = np.argsort(found)
    # Breadth first: the row that first leads to a row stands before it, and leaders keep order.
    leads = {row: np.flatnonzero((links == row).any(axis=1)) for row in found[1:40]}
    leader = {row: min(int(places[one]) for one in ones) for row, ones in leads.items()}
    assert all(leader[row] < places[row] for row in leader)
    assert [leader[row] for row in found[1:40]] == sorted(leader.values())


@pytest.mark.parametrize("quantisation", Quantisation)
def test_an_arranged_graph_finds_the_same(quantisation: Quantisation) -> None:
    rows, keys = clustered(3_000), np.arange(0, 9_000, 3, dtype=np.int64)
    before = build(keys, rows, Kind.HNSW, quantisation=quantisation)
    asked = clustered(3_040)[3_000:]
    plan, only = Plan(Way.GRAPH, 128), keys[::2]
    index = FaissIndex(before)
    all_found = [hits for hits, _ in index.traced(asked, 10, plan=plan)]
    exact = FaissIndex(build(keys, rows, Kind.EXACT)).search(asked, 10, only=only)
    base = arranged(before)
    assert not (base.keys[1:] > base.keys[:-1]).all()
    index = FaissIndex(base)
    walked = [hits for hits, _ in index.traced(asked, 10, plan=plan)]
    # Codes that tie are walked in another order now and then.
    same = sum(len({*a} & {*b}) for a, b in zip(all_found, walked, strict=True))
    assert same >= 0.98 * 400
    assert index.search(asked, 10, only=only) == exact


def test_rows_that_are_linked_lie_together() -> None:
    rows, keys = clustered(4_000), np.arange(4_000, dtype=np.int64)
    before = build(keys, rows, Kind.HNSW)
    scattered = _close(before)
    assert _close(arranged(before)) > 10 * scattered


def _close(base: Base) -> float:
    """The share of links that lead no farther than a page of memory holds rows."""
    every = np.arange(len(base.keys))
    links = base.links_of(every)
    return float((np.abs(links - every[:, None])[links >= 0] <= 10).mean())


def test_keys_are_found_wherever_their_rows_are() -> None:
    rows, keys = clustered(500), np.arange(0, 1_000, 2, dtype=np.int64)
    base = arranged(build(keys, rows, Kind.HNSW))
    assert base.keys[base.places(keys)].tolist() == keys.tolist()
    assert np.array_equal(base.vectors[base.places(keys)], rows)
    assert base.places(np.array([-1, 1, 999, 5_000])).tolist() == [-1, -1, -1, -1]
    some = np.array([6, 2, 2, 7, 998])
    assert sorted(base.keys[base.positions(some)].tolist()) == [2, 6, 998]
    assert base.holds_just(keys)
    assert not base.holds_just(keys[1:])
    assert not base.holds_just(np.append(keys[1:], 2_000))


def test_an_item_is_not_its_own_neighbour_wherever_its_row_is() -> None:
    rows, keys = clustered(500), np.arange(0, 1_000, 2, dtype=np.int64)
    before = build(keys, rows, Kind.HNSW)
    asked = Questions(rows[:20], np.append(keys[:19], -1))
    lines = lines_of(replace(before, faiss_index=None), asked)
    assert np.allclose(lines_of(arranged(before), asked), lines, atol=1e-6)


def test_the_files_have_the_order_of_the_graph(tmp_path: Path) -> None:
    rows, keys = clustered(5_000), np.arange(7, 5_007, dtype=np.int64)
    save(tmp_path / KEYS, keys)
    save_parts(tmp_path / VECTORS, [rows[:10], rows[10:]], rows.shape)
    make(tmp_path, Task(Kind.HNSW), {})
    found, vectors = (np.load(tmp_path / name) for name in (KEYS, VECTORS))
    assert sorted(found.tolist()) == keys.tolist()
    assert found.tolist() != keys.tolist()
    assert np.array_equal(vectors, rows[found - 7])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index.faiss", KEYS, VECTORS]

"""What holds of maps, groups and axes whatever the vectors are: copies and zeros too."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from latent.errors import InputError
from latent.items import Vectors
from service.engine.parts import Part, Text
from service.explore.clustering import clusters_of, neighbours_of
from service.explore.groups import assigned, grouped
from service.explore.insight import along
from service.explore.projecting import Method, placed_among, projected
from service.explore.why import shares

DIM = 6

often = settings(max_examples=30, deadline=None)
numbers = st.floats(-1, 1, width=32).map(lambda one: round(one, 3))


@st.composite
def clouds(draw: st.DrawFn, most: int = 40) -> Vectors:
    """Centred rows of length 1, some of them copies, some at the middle itself, which is zero."""
    n = draw(st.integers(1, most))
    rows = draw(arrays(np.float32, (n, DIM), elements=numbers))
    copied = draw(arrays(np.int64, n, elements=st.integers(0, n - 1)))
    rows = np.where(draw(arrays(np.bool_, (n, 1))), rows[copied], rows)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Vectors = np.where(lengths > 1e-3, rows / np.maximum(lengths, 1e-3), 0)
    return unit.astype(np.float32)


@often
@given(clouds())
def test_every_item_is_in_one_group_of_each_level(rows: Vectors) -> None:
    found = grouped(rows)
    upper = [number for number, group in enumerate(found.groups) if group.parent is None]
    lower = [number for number, group in enumerate(found.groups) if group.parent is not None]
    assert upper == list(range(len(upper)))
    assert set(np.unique(found.labels)) == set(lower)
    counts = np.bincount(found.labels, minlength=len(found.groups))
    assert [found.groups[number].size for number in lower] == counts[lower].tolist()
    for number in upper:
        inner = [one for one in lower if found.groups[one].parent == number]
        assert found.groups[number].size == sum(found.groups[one].size for one in inner)
    for number in lower:
        members = set(np.flatnonzero(found.labels == number).tolist())
        examples = {*found.groups[number].central, *found.groups[number].border}
        assert examples <= members
    assert set(assigned(rows, found.groups).tolist()) <= set(lower)


@often
@given(clouds())
def test_the_same_rows_have_the_same_groups(rows: Vectors) -> None:
    one, other = grouped(rows), grouped(rows.copy())
    np.testing.assert_array_equal(one.labels, other.labels)


@often
@given(clouds(), st.integers(1, 9))
def test_no_cluster_is_empty_and_none_is_missing(rows: Vectors, k: int) -> None:
    found = clusters_of(rows, k)
    assert np.isfinite(found.centres).all()
    assert 1 <= len(found.centres) <= min(k, len(rows))
    assert set(found.labels.tolist()) == set(range(len(found.centres)))


@often
@given(clouds(), st.integers(1, 9))
def test_neighbours_are_others_nearest_first(rows: Vectors, k: int) -> None:
    found = neighbours_of(rows, k)
    assert found.places.shape == (len(rows), min(k, len(rows) - 1))
    if len(rows) == 1:
        return
    assert (found.places != np.arange(len(rows))[:, None]).all()
    assert all(len(set(one)) == len(one) for one in found.places.tolist())
    assert (np.diff(found.cosines, axis=1) <= 1e-6).all()
    cosines = rows @ rows.T
    np.fill_diagonal(cosines, -2)
    best = -np.sort(-cosines, axis=1)[:, : found.cosines.shape[1]]
    np.testing.assert_allclose(found.cosines, best, atol=1e-5)


@often
@given(clouds())
def test_points_lie_on_the_map_and_new_ones_among_their_neighbours(rows: Vectors) -> None:
    near = neighbours_of(rows, 15)
    points = projected(rows, near, Method.PCA, threads=1)
    assert points.shape == (len(rows), 2)
    assert np.isfinite(points).all()
    assert np.abs(points).max() <= 1
    placed = placed_among(near, points)
    if near.places.shape[1]:
        around = points[near.places[:, :3]]
        assert (placed >= around.min(1) - 1e-5).all()
        assert (placed <= around.max(1) + 1e-5).all()


@often
@given(arrays(np.float32, (2, DIM), elements=numbers))
def test_an_axis_turned_round_leads_back(ends: Vectors) -> None:
    try:
        way = along(ends)
    except InputError:
        assert np.linalg.norm(ends[0] - ends[1]) < 0.01
        return
    assert np.linalg.norm(way) == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(along(ends[::-1]), -way, atol=1e-6)
    assert float(way @ ends[1]) > float(way @ ends[0])


@often
@given(clouds(most=6), st.data())
def test_what_the_parts_gave_adds_up_whatever_their_weights(
    rows: Vectors, data: st.DataObject
) -> None:
    weights = data.draw(st.lists(numbers, min_size=len(rows), max_size=len(rows)))
    aim = np.asarray(weights) @ rows
    length = float(np.linalg.norm(aim))
    if length < 1e-2:
        return
    parts = [Part(Text("a"), weight) for weight in weights]
    gave = shares(parts, rows, rows[0])
    assert sum(gave) == pytest.approx(float(aim @ rows[0]) / length, abs=1e-4)

"""Where parts lie, and the direction they make together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latent.errors import InputError, SpaceMismatchError
from service.engine import directions, parts
from service.engine.parts import Coordinates, Like, Part, Text

EAST, NORTH = np.eye(2, dtype=np.float32)


def test_rows_are_the_places_of_parts_in_their_order() -> None:
    asked = [Part(Text("a")), Part(Like("b")), Part(Coordinates(EAST * 7)), Part(Text("c"))]
    rows = directions.rows_of(asked, {"b": NORTH}, [EAST, NORTH], 2)
    assert rows.tolist() == [EAST.tolist(), NORTH.tolist(), EAST.tolist(), NORTH.tolist()]
    with pytest.raises(SpaceMismatchError):
        directions.rows_of([Part(Coordinates(np.ones(3, np.float32)))], {}, [], 2)


def test_weights_add_up_and_only_their_ratio_counts() -> None:
    rows = np.stack([EAST, NORTH])
    for scale in (1e-300, 1.0, 1e300):
        asked = [Part(Text("a"), 3 * scale), Part(Text("b"), -4 * scale)]
        assert directions.direction(asked, rows) == pytest.approx(np.array([0.6, -0.8]))


def test_what_leads_away_from_everything_is_refused() -> None:
    with pytest.raises(InputError, match="leads away"):
        directions.require_an_aim([Part(Text("a"), -1.0), Part(Text("b"), -0.1)])
    with pytest.raises(InputError, match="leads away"):
        directions.require_an_aim([Part(Text("a"), -1.0), Part(Text("b"), 0.0)])
    directions.require_an_aim([Part(Text("a"), -1.0), Part(Text("b"), 0.1)])


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=6))
def test_weights_of_one_thing_that_cancel_are_refused_whatever_they_are(
    weights: list[float],
) -> None:
    asked = [Part(Text("a"), weight) for weight in weights]
    asked += [Part(Text("a"), -weight) for weight in weights]
    rows = np.stack([EAST] * len(asked))
    with pytest.raises(InputError, match="cancel"):
        directions.direction(asked, rows)


def test_things_at_the_same_place_cancel_too() -> None:
    nearly = np.array([1.0, 1e-5], dtype=np.float32)
    with pytest.raises(InputError, match="cancel"):
        directions.direction([Part(Text("a")), Part(Like("b"), -1.0)], np.stack([EAST, nearly]))


def test_a_small_difference_is_a_direction_yet() -> None:
    turned = np.array([np.cos(0.01), np.sin(0.01)], dtype=np.float32)
    asked = [Part(Text("a"), -1.0), Part(Text("b"))]
    assert directions.direction(asked, np.stack([EAST, turned]))[1] == pytest.approx(1, abs=0.01)


def test_an_analogy_is_the_third_and_second_without_the_first() -> None:
    a, b, c = (Part(Text(word)) for word in "abc")
    assert parts.analogy(a, b, c) == (c, b, Part(Text("a"), -1.0))


def test_an_analogy_between_equal_things_is_refused() -> None:
    west = -EAST
    directions.require_three_things(np.stack([NORTH, NORTH, EAST]))
    with pytest.raises(InputError, match="A and B"):
        directions.require_three_things(np.stack([west, EAST, EAST]))
    with pytest.raises(InputError, match="A and C"):
        directions.require_three_things(np.stack([EAST, west, EAST]))


@pytest.mark.parametrize(
    "given", [{"text": "a", "weight": 1}, ["a"], 7, {}, {"text": "a", "id": "b"}]
)
def test_a_place_is_one_thing_without_a_weight(given: object) -> None:
    with pytest.raises(InputError):
        parts.place(given)

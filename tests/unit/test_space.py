"""Vectors from outside become unit rows, one by one as many together, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from latent.errors import InputError, SpaceMismatchError
from latent.items import Vector
from latent.space import unit_row, unit_rows

DIM = 4
numbers = st.floats(-1e4, 1e4, width=32)
vectors = arrays.arrays(np.float32, DIM, elements=numbers).filter(np.any)


@given(vectors)
def test_one_vector_becomes_what_it_becomes_among_many(vector: Vector) -> None:
    alone = unit_row(vector, DIM)
    assert alone.dtype == np.float32
    assert alone.tobytes() == unit_rows(np.stack([vector, vector]), DIM)[1].tobytes()


@given(vectors)
def test_a_unit_row_stays_as_it_is(vector: Vector) -> None:
    unit = unit_row(vector, DIM)
    assert unit_row(unit, DIM).tobytes() == unit.tobytes()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_points_nowhere_is_refused(value: float) -> None:
    with pytest.raises(InputError, match="NaN or infinity"):
        unit_row(np.array([1, value, 0, 0], np.float32), DIM)
    with pytest.raises(InputError, match="all zeros"):
        unit_row(np.zeros(DIM, np.float32), DIM)


def test_another_dimension_is_refused() -> None:
    with pytest.raises(SpaceMismatchError, match="3 dimensions, but this space has 4"):
        unit_row(np.ones(3, np.float32), DIM)

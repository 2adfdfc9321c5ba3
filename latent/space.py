"""A space: which model made it and how many dimensions it has. Two spaces never mix.

Knows nothing about how the model works.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latent.errors import InputError, SpaceMismatchError
from latent.items import Modality, Vector, Vectors

ROUNDED = 1e-7
"""How far from 1 the length of a unit row may be, once its numbers are rounded to float32."""

PIECE = 64  # rows whose lengths are computed together


@dataclass(frozen=True, slots=True)
class Space:
    """A latent space: the model that made it, its dimension, and a fingerprint of the weights.

    `model` is the name a user gave (`mini`, `openclip:ViT-B-32/laion2b_s34b_b79k`).
    `fingerprint` changes whenever the same input would land elsewhere: other weights, other
    preprocessing. Spaces are the same when dimension and fingerprint are the same.
    """

    model: str
    dim: int
    fingerprint: str
    modalities: frozenset[Modality] = frozenset(Modality)

    def is_same_as(self, other: Space) -> bool:
        """Whether vectors of both may be compared."""
        return self.dim == other.dim and self.fingerprint == other.fingerprint

    def require_same(self, other: Space, *, what: str) -> None:
        """Refuse to mix.

        Raises:
            SpaceMismatchError: naming both spaces.
        """
        if not self.is_same_as(other):
            raise SpaceMismatchError(f"{what} is in the space of {other}, not of {self}")

    def __str__(self) -> str:
        return f"{self.model} ({self.dim}-d, {self.fingerprint[:8]})"


def unit_rows(vectors: Vectors, dim: int) -> Vectors:
    """Check and normalise vectors that came from outside: `(n, dim)` float32, unit rows.

    Rows that are of length 1 as nearly as float32 has it stay as they are, to the last bit.

    Raises:
        SpaceMismatchError: the dimension is another one.
        InputError: a value is not finite, or a row is all zeros and points nowhere.
    """
    rows = np.atleast_2d(np.asarray(vectors, dtype=np.float32))
    if rows.ndim != 2 or rows.shape[1] != dim:
        raise SpaceMismatchError(
            f"a vector has {rows.shape[-1]} dimensions, but this space has {dim}"
        )
    lengths = _lengths(rows)
    beyond = np.abs(lengths - 1)
    if beyond.max(initial=0) <= ROUNDED:  # NaN is not
        return np.ascontiguousarray(rows)
    if not np.isfinite(lengths).all():
        raise InputError("a vector holds NaN or infinity")
    if (lengths == 0).any():
        raise InputError("a vector is all zeros, which points nowhere")
    lengths[beyond <= ROUNDED] = 1
    unit: Vectors = np.ascontiguousarray(rows / lengths, dtype=np.float32)
    return unit


def unit_row(vector: Vector, dim: int) -> Vector:
    """As `unit_rows` for one vector, `(dim,)`, with fewer calls of numpy: each question needs it.

    Raises: as `unit_rows`.
    """
    row = np.asarray(vector, dtype=np.float32)
    if row.shape == (dim,):
        wide = row.astype(np.float64)
        length = math.sqrt(np.vecdot(wide, wide))
        if abs(length - 1) <= ROUNDED:
            return np.ascontiguousarray(row)
        if 0 < length < math.inf:  # NaN is not
            return (wide / length).astype(np.float32)
    only: Vector = unit_rows(row, dim)[0]
    return only


def _lengths(rows: Vectors) -> NDArray[np.float64]:
    """The length of each row, `(n, 1)`; not finite where a number of it is not."""
    lengths = np.empty((len(rows), 1))
    # By pieces that stay in the cache: thousands of rows in twice their width would be fetched
    # from new memory each time.
    for start in range(0, len(rows), PIECE):
        piece = rows[start : start + PIECE].astype(np.float64)
        lengths[start : start + PIECE, 0] = np.sqrt(np.vecdot(piece, piece))
    return lengths

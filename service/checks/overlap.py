"""Whether one picture shows a part of another: found by sliding one over the other, made small.

The better of both ways round, each also mirrored and upside down. For pictures whose pixels are at
hand; knows nothing about models, hashes and collections.
"""

from __future__ import annotations

from functools import cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 32
"""Pixels of each side that pictures are compared at, squeezed to a square."""

FINE = 12
"""Pixels of each side of what is compared at once: a whole picture, or a window of another."""

WINDOWS = range(32, 15, -2)
"""Sides of the windows: a part of less than a quarter of a picture is not looked for."""

STEP = 2

LEAST = 1.0 * FINE
"""Windows with less contrast match nothing: each would be like any other of one colour."""

Small: TypeAlias = NDArray[np.float32]
"""A grey picture, `(SIDE, SIDE)` float32."""


def small(picture: Image.Image) -> Small:
    """What two pictures are compared by."""
    grey = picture.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX, reducing_gap=2.0)
    return np.asarray(grey, np.float32)


def overlap(one: Small, other: Small) -> float:
    """The best correlation of one picture with a part of the other: 1 for the same, 0 for none."""
    parts = _parts(one), _parts(other)
    turned = _whole(other), _whole(one)
    return float(max((part @ whole.T).max() for part, whole in zip(parts, turned, strict=True)))


def _parts(picture: Small) -> NDArray[np.float32]:
    """Every window at every place, `(n, FINE * FINE)`; the whole picture is the first."""
    lines = _lines()
    bands = np.swapaxes(lines, 1, 2) @ picture  # (lines, FINE, SIDE)
    return _unit(bands[:, None] @ lines[None])


def _whole(picture: Small) -> NDArray[np.float32]:
    """The picture as it is, mirrored, and upside down, `(3, FINE * FINE)`."""
    line = _lines()[0]
    views = np.stack([picture, picture[:, ::-1], picture[::-1]])
    return _unit(line.T @ views @ line)


@cache
def _lines() -> NDArray[np.float32]:
    """Every stretch of a side, as what makes `FINE` averages of it: `(n, SIDE, FINE)`."""
    starts = ((size, start) for size in WINDOWS for start in range(0, SIDE - size + 1, STEP))
    return np.stack([_band(size, start) for size, start in starts])


def _band(size: int, start: int) -> NDArray[np.float32]:
    """Averages of `FINE` equal stretches of a line from `start` on, `(SIDE, FINE)`."""
    edges = start + np.linspace(0, size, FINE + 1)
    pixels = np.arange(SIDE)[:, None]
    covered = np.minimum(pixels + 1, edges[1:]) - np.maximum(pixels, edges[:-1])
    shares: NDArray[np.float32] = (covered.clip(0) * FINE / size).astype(np.float32)
    return shares


def _unit(rows: NDArray[np.floating]) -> NDArray[np.float32]:
    flat = rows.reshape(-1, FINE * FINE)
    centred = flat - flat.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    unit: NDArray[np.float32] = np.where(lengths > LEAST, centred / (lengths + 1e-9), 0.0)
    return unit

"""Whether two pictures show the same thing everywhere, or one has something laid over a part of it.

Each place of one is held against the same place of the other by how its fine structure runs, which
a change of light, colours or quality leaves as it is: the structure term of Wang et al., "Image
quality assessment: from error visibility to structural similarity", IEEE TIP 13(4), 2004. What
makes all of a picture poorer lowers all places; a cover lowers those that it lies on. For pictures
whose pixels are at hand; knows nothing about models, hashes and collections.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 64
"""Pixels of each side that pictures are compared at, squeezed to a square."""

LEAST = 96
"""Pixels that the short side of a picture must have; less leave no fine structure to see."""

AROUND = 5
"""Pixels of each side that a pixel is held against, so that only fine structure is left."""

PLACE = 11
"""Pixels of each side of a place."""

STEADY = 0.06
"""Of a picture's mean variance, what is added to each place: smooth places say little."""

Fine: TypeAlias = NDArray[np.float32]
"""A grey picture, `(SIDE, SIDE)` float32."""


def fine(picture: Image.Image) -> Fine | None:
    """What two pictures are compared by; None of a picture that is too small for it."""
    if min(picture.size) < LEAST:
        return None
    grey = picture.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX, reducing_gap=2.0)
    return np.asarray(grey, np.float32)


def covered(one: Fine, other: Fine) -> float:
    """How much less alike the least alike place is than most are: 0 where all are, up to 2."""
    ones, others = _structure(one), _structure(other)
    own, theirs = _means(ones * ones, PLACE), _means(others * others, PLACE)
    least, least_2 = STEADY * own.mean() + 1e-6, STEADY * theirs.mean() + 1e-6
    shared = _means(ones * others, PLACE) + np.sqrt(least * least_2)
    agreement = shared / np.sqrt((own + least) * (theirs + least_2))
    return float(np.median(agreement) - agreement.min())


def _structure(picture: Fine) -> NDArray[np.float64]:
    edge = AROUND // 2
    return picture - _means(np.pad(picture.astype(np.float64), edge, mode="edge"), AROUND)


def _means(values: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """The mean of every square of this side that lies inside, by summed areas."""
    sums = np.pad(values.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    ends = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    means: NDArray[np.float64] = ends / (side * side)
    return means

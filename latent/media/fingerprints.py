"""What a picture looks like in 256 bits: a perceptual hash, and how far two of them are apart.

The hash is that of ImageHash (`phash`), bit for bit but for what ImageHash rounds where it resizes:
which of the lowest frequencies of the grey picture are above their median. It is computed here, for
ImageHash brings SciPy: every thread that reads waited for its import, and each picture took many
times as long. It stays nearly the same when a picture is encoded anew, resized, or made lighter; it
says nothing about what is in it. Knows nothing about models and collections.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 16
BITS = SIDE * SIDE
SEEN = 4 * SIDE  # pixels of each side that the hash is taken from
LEAST_CONTRAST = 3.0  # grey levels: below it the signs are those of noise

NOISE = 1e-6
"""What rounding may make of a frequency that is not there: half are not in a mirrored picture."""

FLAT = ""
"""The hash of a picture that shows nothing: one colour, or nearly so. It is near to none."""

Prints: TypeAlias = NDArray[np.uint8]
"""Hashes as bits: `(n, BITS / 8)` uint8."""

MIRRORED: Prints = np.tile(np.array([0b01010101], np.uint8), BITS // 8)
UPSIDE_DOWN: Prints = np.tile(np.repeat(np.array([0, 255], np.uint8), SIDE // 8), SIDE // 2)

LOBES = 3  # of the Lanczos filter, on either side
LONGEST = 8 * SEEN  # pixels of a side once it is averaged; the `_waves` of all lengths are 17 MB

_COSINES = np.cos(np.pi / (2 * SEEN) * np.outer(np.arange(SIDE), 2 * np.arange(SEEN) + 1))
"""The lowest frequencies of the cosine transform (DCT-II): `(SIDE, SEEN)` float64."""

_SHARES = np.repeat([1.0, 2.0], [1, SIDE - 1]) / SEEN**2
"""What the square of each frequency of one side adds to the mean square: `(SIDE,)` float64."""

_ONES = np.array([value.bit_count() for value in range(256)], np.uint8)


def picture_hash(picture: Image.Image) -> str:
    """The hash of an upright picture: 64 hexadecimal digits, or `FLAT`."""
    # Grey first, for that is a third of what there is to average; and averaged, because whole
    # pixels are many times faster than what `_waves` does with all of them.
    least = max(1, min(picture.size) // (2 * SEEN))
    across, down = (max(least, math.ceil(side / LONGEST)) for side in picture.size)
    grey = picture.convert("L").reduce((across, down))
    width, height = grey.size
    low = _waves(height) @ np.asarray(grey, np.float64) @ _waves(width).T
    if _is_faint(low) and _is_flat(grey):
        return FLAT
    return np.packbits(low > _median(low) + NOISE).tobytes().hex()


def prints_of(hashes: Sequence[str | None]) -> tuple[Prints, NDArray[np.bool_]]:
    """Hashes as bits, and which of them say something: neither flat nor unknown."""
    known = np.array([bool(one) for one in hashes], np.bool_)
    blank = "0" * (BITS // 4)
    packed = bytes.fromhex("".join(one or blank for one in hashes))
    return np.frombuffer(packed, np.uint8).reshape(len(hashes), BITS // 8), known


def views(prints: Prints) -> list[Prints]:
    """Of each picture as it is, mirrored, upside down, and both, what its hash is or nearly is.

    A turned picture has the same frequencies with the signs of every other one changed.
    """
    both = MIRRORED ^ UPSIDE_DOWN
    return [prints, prints ^ MIRRORED, prints ^ UPSIDE_DOWN, prints ^ both]


def distances(ones: Prints, others: Prints) -> NDArray[np.float32]:
    """Share of the bits that differ, row by row: 0 for the same, about 0.5 by chance."""
    shares: NDArray[np.float32] = _ONES[ones ^ others].sum(axis=-1, dtype=np.float32) / BITS
    return shares


@dataclass(frozen=True, slots=True)
class Apart:
    """How far two pictures are apart: as they are, and if one may be turned over as well."""

    upright: float
    turned: float


def apart(one: str | None, other: str | None) -> Apart:
    """The distance of two hashes; 1 where one of them says nothing."""
    prints, known = prints_of([one, other])
    if not known.all():
        return Apart(1.0, 1.0)
    upright, *turned = (float(distances(view[0], prints[1])) for view in views(prints))
    return Apart(upright, min(upright, *turned))


@lru_cache(LONGEST)
def _waves(length: int) -> NDArray[np.float64]:
    """A side of `length` pixels brought to `SEEN` and then to frequencies: `(SIDE, length)`.

    Both are sums with fixed weights, so one product does them. The weights are those of Pillow's
    `resize` with `LANCZOS`, and of no effect on a side that has `SEEN` pixels already.
    """
    scale = length / SEEN
    centres = (np.arange(SEEN) + 0.5) * scale
    away = (np.arange(length) + 0.5 - centres[:, None]) / max(scale, 1.0)
    weights = np.where(abs(away) < LOBES, np.sinc(away) * np.sinc(away / LOBES), 0.0)
    waves: NDArray[np.float64] = _COSINES @ (weights / weights.sum(axis=1, keepdims=True))
    waves.flags.writeable = False
    return waves


def _is_faint(low: NDArray[np.float64]) -> bool:
    """Whether these frequencies alone do not tell that a picture is not flat."""
    spread = _SHARES @ low**2 @ _SHARES - (low[0, 0] / SEEN**2) ** 2
    return bool(spread < LEAST_CONTRAST**2)


def _is_flat(grey: Image.Image) -> bool:
    """Whether the standard deviation is below `LEAST_CONTRAST`."""
    small = grey.resize((SEEN, SEEN), Image.Resampling.LANCZOS)
    return bool(np.asarray(small, np.float64).std() < LEAST_CONTRAST)


def _median(low: NDArray[np.float64]) -> float:
    """The median of `BITS` values, as `np.median` has it: that takes ten times as long."""
    ordered = np.sort(low, axis=None)
    return float(ordered[BITS // 2 - 1] + ordered[BITS // 2]) / 2

"""What a picture looks like in 256 bits: a perceptual hash, and how far two of them are apart.

The hash is that of ImageHash (`phash`), bit for bit: which of the lowest frequencies of the grey
picture are above their median. It is computed here, for ImageHash brings SciPy: every thread that
reads waited for its import, and each picture took five times as long. It stays nearly the same when
a picture is encoded anew, resized, or made lighter; it says nothing about what is in it. Knows
nothing about models and collections.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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

_COSINES = np.cos(np.pi / (2 * SEEN) * np.outer(np.arange(SIDE), 2 * np.arange(SEEN) + 1))
"""The lowest frequencies of the cosine transform (DCT-II): `(SIDE, SEEN)` float64."""

_ONES = np.array([value.bit_count() for value in range(256)], np.uint8)


def picture_hash(picture: Image.Image) -> str:
    """The hash of an upright picture: 64 hexadecimal digits, or `FLAT`."""
    grey = np.asarray(_small(picture), np.float64)
    if _is_flat(grey):
        return FLAT
    low = _COSINES @ grey @ _COSINES.T
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


def _is_flat(grey: NDArray[np.float64]) -> bool:
    """Whether the standard deviation is below `LEAST_CONTRAST`; exact, for the values are whole."""
    values = grey.ravel()
    total = float(values.sum())
    spread = values.size * float(values @ values) - total * total
    return spread < (LEAST_CONTRAST * values.size) ** 2


def _median(low: NDArray[np.float64]) -> float:
    """The median of `BITS` values, as `np.median` has it: that takes ten times as long."""
    ordered = np.sort(low, axis=None)
    return float(ordered[BITS // 2 - 1] + ordered[BITS // 2]) / 2


def _small(picture: Image.Image) -> Image.Image:
    """Grey, and so small that the hash takes no time."""
    # Grey first, for that is a third of what there is to average. Then in two steps, because
    # averaging whole pixels is many times faster than a fine resize of all.
    grey = picture.convert("L")
    factor = max(1, min(picture.size) // (2 * SEEN))
    return grey.reduce(factor).resize((SEEN, SEEN), Image.Resampling.LANCZOS)

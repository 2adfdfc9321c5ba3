"""A collection as a cloud of points, with the gap between photos and texts centred away.

Models of the kind of CLIP put photos and texts into two cones (Liang et al., arXiv 2203.02053):
without centring, the only thing a map shows is which is which. Knows nothing about maps and groups.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latent.catalog.changes import Content
from latent.collection import Collection
from latent.index.vectors import Keys
from latent.items import Modality, Vector, Vectors

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Cloud:
    """All items at one moment: keys ascending, `(n,)`, and rows `(n, dim)`, unit, not centred."""

    keys: Keys
    contents: list[Content]
    rows: Vectors
    sequence: int

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def ids(self) -> list[str]:
        return [content.id for content in self.contents]

    def of(self, modality: Modality) -> Flags:
        """Which items are of this modality."""
        return np.array([one.modality is modality for one in self.contents], np.bool_)

    def means(self) -> dict[Modality, Vector]:
        """The middle of each modality that is there."""
        flags = {modality: self.of(modality) for modality in Modality}
        return {
            modality: self.rows[some].mean(0, dtype=np.float64).astype(np.float32)
            for modality, some in flags.items()
            if some.any()
        }

    def centred(self, means: Mapping[Modality, Vector] | None = None) -> Vectors:
        """Rows from the middle of their own modality, of length 1; one at the middle is zero."""
        middles = self.means() if means is None else means
        rows = self.rows.copy()
        for modality, mean in middles.items():
            rows[self.of(modality)] -= mean
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        rows /= np.maximum(lengths, 1e-6)
        return rows


def gap(means: Mapping[Modality, Vector]) -> float | None:
    """How far the middles of photos and texts are apart; None where only one is there.

    Vectors have length 1, so 2 is the most there can be.
    """
    if len(means) < 2:
        return None
    return float(np.linalg.norm(means[Modality.IMAGE] - means[Modality.TEXT]))


def cloud_of(collection: Collection) -> Cloud:
    """All items of a collection; what comes or goes while they are read is left out."""
    sequence = collection.sequence
    contents = {content.key: content for content in collection.contents()}
    keys, rows = collection.vectors()
    there = np.array([int(key) in contents for key in keys], np.bool_)
    keys, rows = keys[there], rows[there]
    return Cloud(keys, [contents[int(key)] for key in keys], np.asarray(rows, np.float32), sequence)

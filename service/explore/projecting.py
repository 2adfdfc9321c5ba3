"""Points in a plane, near where they are near in the space: by t-SNE, or without it by PCA.

t-SNE (van der Maaten and Hinton 2008; with Fourier transforms, Linderman et al. 2019) is of the
package `openTSNE`, the extra `map`. It begins where PCA puts the points, which keeps what is far
apart and lets a map look alike when it is built again (Kobak and Linderman 2021).
`docs/reference/map.md` has what it was chosen over. Knows nothing about items.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from latent.errors import InputError
from latent.items import Vectors
from service.explore.clustering import Labels, Neighbours

Points = NDArray[np.float32]
"""Places on a map: `(n, 2)` float32, within -1 and 1."""

NEIGHBOURS = 15
"""Neighbours that a point is held near to."""

LEAST = 2 * NEIGHBOURS
"""Of fewer items no neighbourhoods can be told; PCA shows them well."""

FEW = 5_000  # items; for fewer the trees of Barnes and Hut are quicker than Fourier transforms
ROUNDS = ((250, 12.0), (500, 1.0))
"""Rounds of the layout, and by how much points pull each other more than they push in them."""

TRIED = 1_000  # points that trustworthiness is estimated with
AT_ONCE = 32  # of them, held against all rows in one product


class Method(StrEnum):
    """How a map is drawn."""

    TSNE = "tsne"
    PCA = "pca"


def best_method() -> Method:
    """t-SNE where its package is installed."""
    return Method.TSNE if importlib.util.find_spec("openTSNE") else Method.PCA


def require(method: Method) -> None:
    """Refuse a method whose package is not here.

    Raises:
        InputError: saying how to install it.
    """
    if method is Method.TSNE and best_method() is not Method.TSNE:
        raise InputError("openTSNE is not installed; install it with pip install 'nearfield[map]'")


def projected(
    rows: Vectors,
    near: Neighbours,
    method: Method,
    *,
    threads: int,
    progress: Callable[[float], None] = lambda done: None,
) -> Points:
    """Where each row lies on a map.

    Raises:
        InputError: the package of the method is not installed.
    """
    require(method)
    if len(rows) < 3:
        return np.linspace((-0.5, 0), (0.5, 0), len(rows), dtype=np.float32)
    flat = principal(rows, 2)
    if method is Method.PCA or len(rows) < LEAST:
        return within(flat)
    return within(_tsne(near, flat, threads, progress))


def principal(rows: Vectors, dim: int) -> NDArray[np.float32]:
    """The coordinates of rows in the directions that they differ most in, `(n, dim)`.

    The sign of a direction is that of its largest part, so that it is always the same one.
    """
    middle = rows.mean(0, dtype=np.float64)
    spread = (rows.T.astype(np.float64) @ rows) / max(1, len(rows)) - np.outer(middle, middle)
    _, directions = np.linalg.eigh(spread)
    chosen = directions[:, ::-1][:, :dim]
    signs = np.sign(chosen[np.abs(chosen).argmax(0), np.arange(chosen.shape[1])])
    flat: NDArray[np.float32] = ((rows - middle) @ (chosen * signs)).astype(np.float32)
    if flat.shape[1] < dim:
        flat = np.pad(flat, ((0, 0), (0, dim - flat.shape[1])))
    return flat


def within(points: NDArray[np.floating]) -> Points:
    """Points moved and scaled, alike in both directions, to lie within -1 and 1."""
    if not len(points):
        return np.zeros((0, 2), np.float32)
    low, high = points.min(0), points.max(0)
    half = max(float((high - low).max()) / 2, 1e-9)
    fitted: Points = ((points - (low + high) / 2) / half).astype(np.float32)
    return np.clip(fitted, -1.0, 1.0)


def placed_among(near: Neighbours, points: Points) -> Points:
    """Where new rows lie, by the points of their neighbours: the nearest few count most.

    The middle of the three nearest by their likeness; neighbours of one place give that place.
    """
    if not near.places.shape[1]:
        return np.zeros((len(near.places), 2), np.float32)
    few = near.places[:, :3]
    likeness = np.maximum(near.cosines[:, :3], 0.0) ** 4 + 1e-6
    weights = likeness / likeness.sum(1, keepdims=True)
    placed: Points = (points[few] * weights[:, :, None]).sum(1).astype(np.float32)
    return placed


def trustworthiness(rows: Vectors, points: Points, *, k: int = 10) -> float | None:
    """Whether neighbours on the map are neighbours in the space: 1 if all are, 0.5 by chance.

    Venna and Kaski, ICANN 2001; estimated from `TRIED` points. None for too few items.
    """
    n = len(rows)
    if n < 4 * k:
        return None
    tried = np.random.default_rng(0).choice(n, min(n, TRIED), replace=False)
    far = 0.0
    for some in np.split(tried, range(AT_ONCE, len(tried), AT_ONCE)):
        for point, likeness in zip(some, rows[some] @ rows.T, strict=True):
            likeness[point] = 2.0
            away = ((points - points[point]) ** 2).sum(1)
            away[point] = np.inf
            shown: Labels = np.argpartition(away, k)[:k]
            ranks = (likeness[None, :] > likeness[shown, None]).sum(1)
            far += float(np.maximum(0, ranks - k).sum())
    return 1 - far * 2 / (len(tried) * k * (2 * n - 3 * k - 1))


def _tsne(
    near: Neighbours, start: Points, threads: int, progress: Callable[[float], None]
) -> NDArray[np.float64]:
    from openTSNE import TSNEEmbedding, affinity, nearest_neighbors

    away = np.sqrt(np.maximum(0.0, 2.0 - 2.0 * near.cosines.astype(np.float64)))
    known = nearest_neighbors.PrecomputedNeighbors(near.places, away)
    pulls = affinity.Uniform(knn_index=known, k_neighbors=near.places.shape[1], n_jobs=threads)
    spread = max(float(start[:, 0].std()), 1e-9)
    points = TSNEEmbedding(
        1e-4 * start.astype(np.float64) / spread,
        pulls,
        negative_gradient_method="fft" if len(start) > FEW else "bh",
        n_jobs=threads,
        random_state=0,
    )
    done = 0
    for rounds, exaggeration in ROUNDS:

        def tell(number: int, error: float, now: object, before: int = done) -> None:
            progress((before + number) / sum(count for count, _ in ROUNDS))

        points.optimize(
            n_iter=rounds,
            exaggeration=exaggeration,
            momentum=0.8,
            inplace=True,
            callbacks=tell,
            callbacks_every_iters=10,
        )
        done += rounds
    return np.asarray(points, np.float64)

"""Why did this match? What in a photo, which words of a text, and what each part of the query gave.

Knows nothing about requests and how hits are found.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from latent.items import Vector, Vectors
from latent.models.embedder import Embedder
from service.engine.parts import Part
from service.explore.deletion import Explained, Scores, explained

USUAL_CELLS = 7
"""Along each side of a photo, where nothing is known of the model: the patches of a ViT-B-32."""
FEWEST_CELLS, MOST_CELLS = 5, 9
"""Fewer say too little; the model looks at the photo about (cells + 1)² times."""
BLURRED = 8  # parts of its side that a covered piece is blurred by
AT_ONCE = 16
MOST_PIECES = 48  # of a text; a longer one is taken in pieces of several words
_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a text: where it stands, in characters, half open, and what it gave."""

    start: int
    end: int
    gave: float


def shares(parts: Sequence[Part], rows: Vectors, vector: Vector) -> list[float]:
    """What each part of a query gave to the score of a vector; they add up to it exactly.

    `rows` are the places of the parts. The score is the cosine to their weighted sum.
    """
    weights = np.array([part.weight for part in parts], np.float64)
    length = float(np.linalg.norm(weights @ rows))
    gave = weights * (rows @ vector.astype(np.float64)) / max(length, 1e-9)
    return [float(one) for one in gave]


def heat_of(picture: Image.Image, direction: Vector, embedder: Embedder) -> Explained:
    """What of a photo speaks for a direction: `gave` is `(cells * cells,)`, row by row.

    Pieces are blurred, not blackened, so that none looks like something new.
    """
    side = embedder.picture_side
    cells = cells_of(side, embedder.picture_patch)
    sharp = np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR), np.uint8)
    blur = ImageFilter.GaussianBlur(max(1, side // BLURRED))
    blurred = np.asarray(Image.fromarray(sharp).filter(blur), np.uint8)
    cell = np.minimum(np.arange(side) * cells // side, cells - 1)

    def scored(without: Sequence[NDArray[np.bool_]]) -> Scores:
        found = []
        for start in range(0, len(without), AT_ONCE):
            covered = [
                Image.fromarray(
                    np.where(one.reshape(cells, cells)[cell][:, cell, None], blurred, sharp)
                )
                for one in without[start : start + AT_ONCE]
            ]
            found.append(embedder.embed_images([embedder.prepare(one) for one in covered]))
        scores: Scores = np.concatenate(found) @ direction
        return scores

    return explained(_windows(cells), scored)


def squared(found: Explained) -> Scores:
    """What each piece of a photo gave, `(cells, cells)`, as `heat_of` found it."""
    cells = math.isqrt(len(found.gave))
    return found.gave.reshape(cells, cells)


def cells_of(side: int, patch: int) -> int:
    """In how many pieces along each side a photo of so many pixels is explained.

    Each is made of whole patches of the model, if its size is known: a patch that is blurred by
    half is neither there nor away.
    """
    patches = side // patch if patch else USUAL_CELLS
    fit = [n for n in range(FEWEST_CELLS, MOST_CELLS + 1) if patches % n == 0]
    return max(fit, default=USUAL_CELLS)


def words_of(text: str, direction: Vector, embedder: Embedder) -> tuple[Explained, list[Piece]]:
    """Which words of a text speak for a direction.

    Raises:
        InputError: the text cannot be placed.
    """
    spans = [match.span() for match in _WORD.finditer(text)]
    step = -(-len(spans) // MOST_PIECES) or 1
    joined = [
        (spans[start][0], spans[min(start + step, len(spans)) - 1][1])
        for start in range(0, len(spans), step)
    ]

    def scored(without: Sequence[NDArray[np.bool_]]) -> Scores:
        left = [_left(text, joined, one) for one in without]
        places = [embedder.embed_texts(left[i : i + AT_ONCE]) for i in range(0, len(left), AT_ONCE)]
        scores: Scores = np.concatenate(places) @ direction
        return scores

    if len(joined) < 2:
        score = float(scored([np.zeros(len(joined), np.bool_)])[0])
        alone = Explained(score, np.full(len(joined), score, np.float32), None)
        return alone, [Piece(*span, score) for span in joined]
    found = explained(np.eye(len(joined), dtype=np.bool_), scored)
    gave = found.gave.tolist()
    return found, [Piece(*span, one) for span, one in zip(joined, gave, strict=True)]


def _windows(cells: int) -> NDArray[np.bool_]:
    """Pieces of two by two cells, at every place, those at the rims smaller: `(windows, cells)`."""
    found = []
    for top in range(-1, cells):
        for left in range(-1, cells):
            window = np.zeros((cells, cells), np.bool_)
            window[max(0, top) : top + 2, max(0, left) : left + 2] = True
            found.append(window.ravel())
    return np.array(found)


def _left(text: str, spans: Sequence[tuple[int, int]], without: NDArray[np.bool_]) -> str:
    kept = [text[a:b] for (a, b), gone in zip(spans, without, strict=True) if not gone]
    return " ".join(kept) or text

"""A tiny embedder that knows only colours: for tests and for trying things without weights.

`"a green thing"` lands beside `green.png`. Deterministic; needs no file.
Knows nothing about anything else in the world.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import numpy as np
from PIL import Image

from latent.errors import InputError
from latent.items import Vectors
from latent.models.embedder import Prepared
from latent.space import Space

COLOURS = {
    "red": (255, 0, 0),
    "green": (0, 160, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "white": (255, 255, 255),
    "black": (0, 0, 0),
    "grey": (128, 128, 128),
    "purple": (128, 0, 128),
}
DIM = 16
MAX_TOKENS = 64


class ColourEmbedder:
    """The first dimensions say how much of each colour; the rest tell unlike words apart."""

    def __init__(self) -> None:
        self._palette = np.array(list(COLOURS.values()), dtype=np.float32)

    @property
    def space(self) -> Space:
        return Space("colours", DIM, hashlib.sha256(b"colours 1").hexdigest())

    @property
    def picture_side(self) -> int:
        return 8

    @property
    def picture_patch(self) -> int:
        return 0

    @property
    def max_tokens(self) -> int:
        return MAX_TOKENS

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        return [match.span() for match in re.finditer(r"\w+|[^\w\s]", text)]

    def prepare(self, picture: Image.Image) -> Prepared:
        return np.asarray(picture.convert("RGB").resize((8, 8), Image.Resampling.BOX))

    def embed_images(self, pictures: Sequence[Prepared]) -> Vectors:
        rows = np.zeros((len(pictures), DIM), dtype=np.float32)
        for row, pixels in zip(rows, pictures, strict=True):
            distances = np.linalg.norm(
                pixels.reshape(-1, 1, 3).astype(np.float32) - self._palette, axis=2
            )
            shares = np.bincount(distances.argmin(1), minlength=len(COLOURS)) / len(distances)
            row[: len(COLOURS)] = shares
            row[-1] = 0.05
        return _unit(rows)

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        rows = np.zeros((len(texts), DIM), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            words = [text[start:end].lower() for start, end in self.token_spans(text)]
            if not words:
                raise InputError("an empty text has no place in the space")
            if len(words) > MAX_TOKENS:
                raise InputError(f"the text has {len(words)} tokens; this model reads {MAX_TOKENS}")
            for word in words:
                if word in COLOURS:
                    row[list(COLOURS).index(word)] += 1.0
                else:
                    row[
                        len(COLOURS)
                        + int(hashlib.sha256(word.encode(errors="replace")).hexdigest(), 16) % 7
                    ] += 0.05
        return _unit(rows)


def _unit(rows: Vectors) -> Vectors:
    unit: Vectors = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return unit

"""Spaces of vectors that were made elsewhere: `vectors:DIM` compares, and embeds nothing.

Knows only the dimension.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from PIL import Image

from latent.errors import InputError, UnsupportedMediaError
from latent.items import Vectors
from latent.models.embedder import Prepared
from latent.space import Space

MAX_DIM = 65_536


class VectorsOnly:
    """An `Embedder` that refuses both modalities: its vectors are brought along."""

    def __init__(self, dim: int) -> None:
        """Make the space.

        Raises:
            InputError: not a dimension that vectors may have.
        """
        if not 1 <= dim <= MAX_DIM:
            raise InputError(f"vectors may have 1 to {MAX_DIM} dimensions, not {dim}")
        fingerprint = hashlib.sha256(f"vectors {dim}".encode()).hexdigest()
        self._space = Space(f"vectors:{dim}", dim, fingerprint)

    @property
    def space(self) -> Space:
        return self._space

    @property
    def picture_side(self) -> int:
        return 1

    @property
    def picture_patch(self) -> int:
        return 0

    @property
    def max_tokens(self) -> int:
        return 0

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        return []

    def prepare(self, picture: Image.Image) -> Prepared:
        raise self._refusal("pictures")

    def embed_images(self, pictures: Sequence[Prepared]) -> Vectors:
        raise self._refusal("pictures")

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        raise self._refusal("texts")

    def _refusal(self, what: str) -> UnsupportedMediaError:
        return UnsupportedMediaError(
            f"{self._space.model} is a space of your own vectors and embeds no {what};"
            " give a vector, or use a model such as 'mini'"
        )

"""The seam every model fits: things in, places in one space out.

Knows nothing about which models exist; `registry` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from latent.items import Vectors
from latent.space import Space

Prepared: TypeAlias = NDArray[np.generic]
"""A picture as its model wants it: a small array, ready to be stacked into a batch."""


class Embedder(Protocol):
    """Places pictures and texts in one space.

    Both `embed_…` promise `(n, dim)` float32, unit rows, finite, in input order, and the same
    row whatever else is in the batch (within 1e-4). An empty sequence gives `(0, dim)`.
    All methods may be called from several threads at once.
    """

    @property
    def space(self) -> Space:
        """The space the rows are in."""
        ...

    @property
    def picture_side(self) -> int:
        """The side in pixels the model looks at; decoding need not deliver much more."""
        ...

    @property
    def picture_patch(self) -> int:
        """The side in pixels of the pieces a picture is read in; 0 where that is not known."""
        ...

    @property
    def max_tokens(self) -> int:
        """How many tokens of a text are read, markers not counted."""
        ...

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """Where each token of `text` stands, in characters, half open; markers not counted."""
        ...

    def prepare(self, picture: Image.Image) -> Prepared:
        """Resize and crop an upright RGB picture as the model wants it; runs on decoding threads.

        Raises:
            UnsupportedMediaError: the model takes no pictures; names models that do.
        """
        ...

    def embed_images(self, pictures: Sequence[Prepared]) -> Vectors:
        """Place prepared pictures.

        Raises:
            UnsupportedMediaError: the model takes no pictures; names models that do.
        """
        ...

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """Place texts.

        Raises:
            InputError: a text is empty, or has more than `max_tokens` tokens (never cut silently).
            UnsupportedMediaError: the model takes no texts.
        """
        ...

"""Everyday words and where they lie in a space: to say in words what vectors have in common.

The words were written for Nearfield (`vocabulary.txt`); they are placed once for each model and
kept. Knows nothing about collections.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from latent.items import Vector, Vectors
from latent.models.embedder import Embedder
from service.explore import kept

FORM = "vocabulary 1"
SENTENCES = ("{}", "a photo of {}")
"""A word stands at the middle of these: as it is said, and as what a photo shows."""
AT_ONCE = 64
ALIKE = 0.75  # cosine from which a word says nothing that another has not said


@dataclass(frozen=True, slots=True, eq=False)
class Vocabulary:
    """Words, and where they lie from the middle of them all: `(n, dim)`, unit rows."""

    words: tuple[str, ...]
    rows: Vectors
    middle: Vector

    def nearest(self, direction: Vector, most: int) -> list[tuple[str, float]]:
        """The words nearest to a direction, from the middle, that say different things.

        With the cosine of each, best first.
        """
        return self.telling(self.rows @ direction, most)

    def telling(self, scores: NDArray[np.float32], most: int) -> list[tuple[str, float]]:
        """The words of most score, one of those that say the same; best first."""
        picked: list[int] = []
        for place in np.argsort(-scores, kind="stable")[: 20 * most]:
            likeness = self.rows[picked] @ self.rows[place] if picked else np.zeros(0)
            if not (likeness >= ALIKE).any() and not self._contains(picked, int(place)):
                picked.append(int(place))
            if len(picked) == most:
                break
        return [(self.words[place], float(scores[place])) for place in picked]

    def _contains(self, picked: Sequence[int], place: int) -> bool:
        """Whether a word is a part of one that was picked, or the other way round."""
        own = set(self.words[place].split())
        return any(own & set(self.words[one].split()) for one in picked)


@cache
def words() -> tuple[str, ...]:
    """The words of the list, each once."""
    text = resources.files("service.explore").joinpath("vocabulary.txt").read_text("utf-8")
    lines = [line.partition(":")[2] for line in text.splitlines() if not line.startswith("#")]
    listed = [word.strip() for line in lines for word in line.split(",")]
    return tuple(dict.fromkeys(word for word in listed if word))


def vocabulary_of(embedder: Embedder, folder: Path) -> Vocabulary:
    """The words in the space of a model, placed if nobody has done it before.

    Raises:
        UnsupportedMediaError: the model takes no texts.
        StoreError: they cannot be kept.
    """
    path = folder / f"vocabulary-{embedder.space.fingerprint[:16]}.kept"
    held = kept.load(path, FORM)
    if held is not None and held.about.get("words") == list(words()):
        return Vocabulary(words(), held.arrays["rows"], held.arrays["middle"])
    made = _placed(embedder)
    kept.save(path, FORM, {"words": list(made.words)}, {"rows": made.rows, "middle": made.middle})
    return made


def _placed(embedder: Embedder) -> Vocabulary:
    said = [sentence.format(word) for word in words() for sentence in SENTENCES]
    parts = [
        embedder.embed_texts(said[start : start + AT_ONCE])
        for start in range(0, len(said), AT_ONCE)
    ]
    rows = np.concatenate(parts).reshape(len(words()), len(SENTENCES), -1).mean(1)
    middle = rows.mean(0)
    rows -= middle
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
    return Vocabulary(words(), rows.astype(np.float32), middle.astype(np.float32))

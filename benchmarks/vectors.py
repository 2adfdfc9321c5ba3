"""Vectors that lie as those of real models do: in clusters of every size, in few real dimensions.

Embeddings share a direction (the cone that a model's modality lies in), their variance falls off
with a power of the dimension, and topics differ in how many things they have. Questions in words
come from a cone of their own: what they say is of the same topics, where they lie is elsewhere
(the modality gap, arXiv 2203.02053). Knows nothing about indexes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latent.items import Vectors

PER_TOPIC = 100  # things in a topic, on average
FALL = 0.8  # variance of the i-th real dimension: i to the power of minus this
OWN = 0.8  # how far a thing lies from its topic, against how far topics lie from one another
CONE = 0.7  # length of the shared direction, against all that tells things apart
PIECE = 50_000


@dataclass(frozen=True, slots=True)
class Drawn:
    """`things` `(n, dim)`, and questions that did not go into an index, `(m, dim)` each."""

    things: Vectors
    like_things: Vectors
    in_words: Vectors


def draw(n: int, dim: int, *, questions: int, seed: int = 0) -> Drawn:
    """The same vectors for the same numbers."""
    chance = np.random.default_rng([seed, n, dim])
    spread = np.arange(1, dim + 1) ** (-FALL / 2)
    spread /= np.linalg.norm(spread)
    turn = np.linalg.qr(chance.standard_normal((dim, dim)))[0].astype(np.float32)
    cone, other_cone = turn[:, -1], turn[:, -2]
    topics = (chance.standard_normal((max(8, n // PER_TOPIC), dim)) * spread).astype(np.float32)
    shares = 1 / np.arange(1, len(topics) + 1)
    shares /= shares.sum()

    def some(count: int, shared: Vectors, own: float) -> Vectors:
        found = np.empty((count, dim), np.float32)
        for start in range(0, count, PIECE):
            size = min(PIECE, count - start)
            topic = chance.choice(len(topics), size, p=shares)
            noise = chance.standard_normal((size, dim), np.float32) * spread.astype(np.float32)
            rows = (topics[topic] + own * noise) @ turn + CONE * shared
            rows /= np.linalg.norm(rows, axis=1, keepdims=True)
            found[start : start + size] = rows
        return found

    return Drawn(some(n, cone, OWN), some(questions, cone, OWN), some(questions, other_cone, OWN))

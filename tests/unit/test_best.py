"""The best of a heap of candidates: by score, ties by key, however many there are."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from latent.index.vectors import FEW, Neighbour, best

scored = st.lists(st.sampled_from([-0.5, -0.0, 0.0, 0.25, 1.0]), max_size=3 * FEW)


@given(scored, st.integers(1, 2 * FEW))
def test_few_and_many_are_ranked_alike(scores: list[float], k: int) -> None:
    keys = np.random.default_rng(len(scores)).permutation(len(scores)).astype(np.int64)
    ranked = sorted(zip(scores, keys.tolist(), strict=True), key=lambda one: (-one[0], one[1]))
    expected = [Neighbour(key, score) for score, key in ranked[:k]]
    assert best(keys, np.array(scores, np.float32), k) == expected

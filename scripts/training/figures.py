"""What a tower is measured by, while it learns and when it is shipped: rows in, shares out.

Knows nothing about models and files.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def recalls(
    images: NDArray[np.float32], captions: NDArray[np.float32], owners: NDArray[np.int64]
) -> dict[str, float]:
    """Recall both ways: the photo of a caption, and any caption of a photo, among the first k."""
    scores = captions @ images.T
    own = scores[np.arange(len(owners)), owners]
    before_photo = (scores > own[:, None]).sum(1)
    best_own = np.array([own[owners == photo].max() for photo in range(len(images))])
    before_caption = (scores > best_own[None, :]).sum(0)
    return {
        "text_to_image_recall_at_1": float((before_photo < 1).mean()),
        "text_to_image_recall_at_10": float((before_photo < 10).mean()),
        "image_to_text_recall_at_1": float((before_caption < 1).mean()),
        "image_to_text_recall_at_10": float((before_caption < 10).mean()),
    }


def named(
    images: NDArray[np.float32], names: NDArray[np.float32], classes: NDArray[np.int64]
) -> dict[str, float]:
    """How often a photo's class is the nearest of all class names, and among the first five."""
    scores = images @ names.T
    before = (scores > scores[np.arange(len(classes)), classes][:, None]).sum(1)
    return {
        "class_named_at_1": float((before < 1).mean()),
        "class_named_at_5": float((before < 5).mean()),
    }


def same_class_first(images: NDArray[np.float32], classes: NDArray[np.int64]) -> float:
    """How often the photo nearest to a photo is of the same class."""
    scores = images @ images.T
    np.fill_diagonal(scores, -np.inf)
    return float((classes[scores.argmax(1)] == classes).mean())


def pair_scores(texts: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cosines of neighbouring and of distant captions: pairs that mean the same, and that don't."""
    scores = [np.einsum("nd,nd->n", texts, np.roll(texts, shift, axis=0)) for shift in (1, 2, 997)]
    return np.concatenate(scores)


def spearman(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Rank correlation."""
    return float(np.corrcoef(one.argsort().argsort(), other.argsort().argsort())[0, 1])

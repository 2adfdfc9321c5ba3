"""Names of groups: the words that set each apart from the others of its level.

Groups of texts by the words their texts say, more often than the others do; groups of photos by the
words that lie where they lie, and not where the others lie. Knows nothing about how groups are
found.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from math import log

import numpy as np

from latent.items import Modality, Vectors
from service.explore.cloud import Cloud
from service.explore.groups import Grouping
from service.explore.vocabulary import Vocabulary

WORDS = 4  # of a name
_WORD = re.compile(r"[^\W\d_]{3,}")
RARE = 3  # items that a word must be in


def name(grouping: Grouping, cloud: Cloud, rows: Vectors, vocabulary: Vocabulary | None) -> None:
    """Give every group its words; `rows` are those the groups were found among."""
    lower = grouping.labels
    parents = np.array([-1 if g.parent is None else g.parent for g in grouping.groups], np.int64)
    upper = parents[lower] if len(lower) else lower
    is_photo = cloud.of(Modality.IMAGE)
    tops = [number for number, group in enumerate(grouping.groups) if group.parent is None]
    levels = [(upper, tops)]
    for top in tops:
        below = [number for number, group in enumerate(grouping.groups) if group.parent == top]
        levels.append((np.where(upper == top, lower, -1), below))
    for labels, numbers in levels:
        said = _said(cloud, labels, numbers)
        shown = _shown(rows, labels, numbers, is_photo, vocabulary)
        for number in numbers:
            members = labels == number
            first, second = said[number], shown[number]
            if 2 * int((members & is_photo).sum()) >= int(members.sum()):
                first, second = second, first
            grouping.groups[number].words = (first or second)[:WORDS]


def _said(cloud: Cloud, labels: np.ndarray, numbers: Sequence[int]) -> dict[int, list[str]]:
    """The words of each group's texts that most tell it from the others.

    A word counts its share of the texts, times how many times more common it is than elsewhere.
    """
    counts: dict[int, Counter[str]] = {number: Counter() for number in numbers}
    texts: Counter[int] = Counter()
    for content, label in zip(cloud.contents, labels.tolist(), strict=True):
        if content.text and label in counts:
            texts[label] += 1
            counts[label].update(set(_WORD.findall(content.text.lower())))
    everywhere = sum(counts.values(), Counter())
    total = sum(texts.values())

    def worth(number: int, word: str) -> float:
        here, there = counts[number][word], everywhere[word] - counts[number][word]
        share = here / texts[number]
        elsewhere = (there + 0.5) / (total - texts[number] + 1)
        return share * log(share / elsewhere)

    found = {}
    for number in numbers:
        known = [word for word, count in counts[number].items() if count >= RARE]
        best = sorted(known, key=lambda word: (-worth(number, word), word))[:WORDS]
        found[number] = [word for word in best if len(numbers) == 1 or worth(number, word) > 0]
    return found


def _shown(
    rows: Vectors,
    labels: np.ndarray,
    numbers: Sequence[int],
    is_photo: np.ndarray,
    vocabulary: Vocabulary | None,
) -> dict[int, list[str]]:
    """The words of the vocabulary nearest to each group's photos and far from the others'."""
    if vocabulary is None:
        return {number: [] for number in numbers}
    means = {n: _mean(rows[(labels == n) & is_photo]) for n in numbers}
    near = {n: vocabulary.rows @ mean for n, mean in means.items() if mean is not None}
    middle = sum(near.values()) / len(near) if near else np.zeros(len(vocabulary.words))
    found: dict[int, list[str]] = {number: [] for number in numbers}
    for number, scores in near.items():
        # Near, and nearer than to the others: by half each.
        apart = scores if len(near) == 1 else scores + (scores - middle)
        found[number] = [word for word, _ in vocabulary.telling(apart, WORDS)]
    return found


def _mean(rows: Vectors) -> Vectors | None:
    if not len(rows):
        return None
    mean = rows.mean(0)
    unit: Vectors = mean / max(float(np.linalg.norm(mean)), 1e-6)
    return unit

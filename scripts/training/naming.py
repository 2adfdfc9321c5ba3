"""Learn how surely a label fits: from lists of labels with the right one among them, and without.

Pictures are photos of one class each, half of the classes; the other half are for measuring.
Texts are captions, whose labels are words that stand in them. Knows nothing about manifests.
"""

from __future__ import annotations

import csv
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from latent.items import Modality, Vectors
from latent.media.decode import Limits, decode
from latent.models.cuts import Sureness
from latent.models.embedder import Embedder
from latent.settings import Settings
from scripts.training.held import members
from service.checks.classify import Labels, label_rows

BATCH = 32
COUNTS = (2, 3, 5, 10, 20, 50)
"""How many labels there are to choose from."""

TURNS = 2
"""Lists of each length with the label of a thing, and as many without."""

WORDS = (
    "dog",
    "child",
    "beach",
    "bicycle",
    "snow",
    "water",
    "football",
    "motorcycle",
    "mountain",
    "horse",
    "tennis",
    "guitar",
    "tree",
    "car",
    "skateboard",
    "swing",
    "pool",
    "rock",
    "camera",
    "hat",
    "boat",
    "crowd",
    "umbrella",
    "basketball",
)
"""Labels of captions."""


@dataclass(frozen=True)
class Named:
    """Cosines `(things, labels)`, and the label that is right for each thing."""

    cosines: NDArray[np.float64]
    right: NDArray[np.int64]

    def halves(self) -> tuple[Named, Named]:
        """Things of one half of the labels, with those labels alone, and of the other half."""
        labels = np.random.default_rng(0).permutation(self.cosines.shape[1])
        middle = len(labels) // 2
        return self._only(labels[:middle]), self._only(labels[middle:])

    def _only(self, labels: NDArray[np.int64]) -> Named:
        place = {int(label): i for i, label in enumerate(labels)}
        rows = np.flatnonzero(np.isin(self.right, labels))
        right = np.array([place[int(self.right[i])] for i in rows])
        return Named(self.cosines[np.ix_(rows, labels)], right)

    def trials(self, counts: Sequence[int] = COUNTS) -> Iterator[tuple[NDArray[np.float64], bool]]:
        """Cosines of a thing with some labels, the right one first, or without it."""
        chance = random.Random(0)
        labels = range(self.cosines.shape[1])
        for cosines, right in zip(self.cosines, self.right, strict=True):
            for count in (one for one in counts if one < len(labels)):
                for turn in range(2 * TURNS):
                    others = chance.sample([one for one in labels if one != right], count)
                    is_there = turn % 2 == 0
                    if is_there:
                        others[0] = int(right)
                    yield cosines[others], is_there


def of_pictures(embedder: Embedder, data: Path, settings: Settings) -> Sureness:
    """Learnt from photos of half of the classes."""
    return learnt(named_photos(embedder, data, settings).halves()[0])


def of_texts(embedder: Embedder, data: Path, settings: Settings) -> Sureness:
    """Learnt from captions."""
    return learnt(named_captions(embedder, data, "train"))


def named_photos(embedder: Embedder, data: Path, settings: Settings) -> Named:
    """Photos of one class each, with the names of all classes."""
    files = sorted(members(data / "class_photos.tar").items())
    names = (data / "imagenet_labels.txt").read_text().splitlines()[1:]
    labels = Labels(tuple(name.split(",")[0].strip() for name in names))
    places, limits = [], Limits.of(settings)
    for start in range(0, len(files), BATCH):
        batch = [
            decode(content, name=name, limits=limits, side=embedder.picture_side).picture
            for name, content in files[start : start + BATCH]
        ]
        places.append(embedder.embed_images([embedder.prepare(picture) for picture in batch]))
    rows = _rows(embedder, labels, Modality.IMAGE)
    return Named((np.concatenate(places) @ rows.T).astype(np.float64), np.arange(len(files)))


def named_captions(embedder: Embedder, data: Path, split: str, most: int = 1_000) -> Named:
    """Captions in which one of the words stands, and no other of them."""
    with (data / "captioned_photos.tsv").open(newline="") as lines:
        rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        captions = [row["caption"] for row in rows if row["split"] == split]
    random.Random(0).shuffle(captions)
    found: list[tuple[str, int]] = []
    for caption in captions:
        said = [i for i, one in enumerate(WORDS) if re.search(rf"\b{one}s?\b", caption.lower())]
        if len(said) == 1 and len(found) < most:
            found.append((caption, said[0]))
    texts = [caption for caption, _ in found]
    labels = _rows(embedder, Labels(WORDS), Modality.TEXT)
    return Named(
        (_texts(embedder, texts) @ labels.T).astype(np.float64),
        np.array([label for _, label in found]),
    )


def learnt(named: Named) -> Sureness:
    """The most likely parameters: of none against any, and among the labels."""
    trials = list(named.trials())
    best = np.array([cosines.max() for cosines, _ in trials])
    tries = np.log([len(cosines) for cosines, _ in trials])
    is_there = np.array([there for _, there in trials])

    def doubted(values: NDArray[np.float64]) -> float:
        slope, offset, weight = values
        odds = offset + weight * tries - slope * best
        return float(np.logaddexp(0, np.where(is_there, odds, -odds)).mean())

    def missed(values: NDArray[np.float64]) -> float:
        return float(
            np.mean(
                [
                    np.logaddexp.reduce(values[0] * (cosines - cosines[0]))
                    for cosines, there in trials
                    if there
                ]
            )
        )

    slope, offset, weight = _least(doubted, [20.0, 5.0, 0.5])
    (scale,) = _least(missed, [20.0])
    return Sureness(scale=scale, slope=slope, offset=offset, tries=weight)


def _least(loss: Callable[[NDArray[np.float64]], float], start: Sequence[float]) -> list[float]:
    """Where a smooth, convex loss is least."""
    found = minimize(loss, start, method="BFGS")
    return [round(float(value), 3) for value in found.x]


def _rows(embedder: Embedder, labels: Labels, modality: Modality) -> Vectors:
    prompts = [prompt.text for prompt in labels.prompts(modality)]
    return label_rows(_texts(embedder, prompts), labels)


def _texts(embedder: Embedder, texts: Sequence[str]) -> Vectors:
    batches = (texts[start : start + BATCH] for start in range(0, len(texts), BATCH))
    return np.concatenate([embedder.embed_texts(batch) for batch in batches])

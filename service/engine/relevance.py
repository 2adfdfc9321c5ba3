"""Relevance: how surely a hit is what was meant, and no chance hit; between 0 and 1.

A judge is made for one question. It weighs a score by what was learnt of the model, how the
question scores on a sample of the collection, and how many items could have been found. Knows
nothing about how hits are found.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from latent.collection import Collection
from latent.errors import InputError
from latent.index.samples import Sample
from latent.items import Hit, Modality, Vector, Vectors
from latent.models import registry
from latent.models.calibration import Calibration, Curve, Spread, Unlearnt, pair
from latent.models.chance import Chance
from latent.models.places import without_places
from latent.settings import Settings
from latent.space import Space
from service.engine.parts import Coordinates, Like, Part, Text, Thing

SURE = 0.5
"""What counts as a match where nothing is left out: more likely meant than not."""


def kinds_of(parts: Sequence[Part], known: Mapping[str, Modality]) -> dict[Modality | None, float]:
    """How much of each kind there is in a question: the weights that lead towards something.

    A vector has no kind. `known` are the kinds of stored items, by id.
    """
    kinds: defaultdict[Modality | None, float] = defaultdict(float)
    for part in parts:
        match part.what:
            case Text():
                kind: Modality | None = Modality.TEXT
            case Like(item_id):
                kind = known[item_id]
            case Coordinates():
                kind = None
            case _:
                kind = Modality.IMAGE
        kinds[kind] += max(part.weight, 0.0)
    return {kind: weight for kind, weight in kinds.items() if weight > 0}


def least_of(given: float | None, settings: Settings) -> float:
    """The relevance below which hits are left out.

    Raises:
        InputError: it is not between 0 and 1.
    """
    if given is None:
        return settings.min_relevance
    if not 0 <= given <= 1:
        raise InputError(f"min_relevance is between 0 and 1, not {given}")
    return given


class Judge:
    """Judges the scores of one question about one collection.

    `kinds` are those of the question: the relevance by each is mixed by weight. `chance` gives
    questions that hardly anything answers, for a model of which nothing was learnt.
    """

    def __init__(
        self,
        collection: Collection,
        kinds: Mapping[Modality | None, float],
        calibration: Calibration | None,
        chance: Callable[[], Vectors | None] = lambda: None,
    ) -> None:
        self._chance = chance
        self._collection = collection
        self._kinds = dict(kinds)
        self._calibration = calibration

    @cached_property
    def _background(self) -> Mapping[Modality, Sample]:
        return self._collection.background()

    def kinds_found(self, only: Modality | None) -> list[Modality]:
        """Which kinds of things there are to be found."""
        wanted = list(Modality) if only is None else [only]
        return [kind for kind in wanted if self._background[kind].items]

    def spread(self, vector: Vector, found: Modality, items: int | None = None) -> Spread:
        """How the question scores on a sample of one kind; `items` if only so many may be found."""
        sample = self._background[found]
        # Row by row: a product would be shared out among threads that other searches need.
        scores = np.vecdot(sample.vectors, vector).astype(np.float64)
        spread = Spread.of(scores, sample.items)
        return spread if items is None else replace(spread, items=items)

    def judged(
        self, hits: Sequence[Hit], found: Modality, best: float, spread: Spread
    ) -> list[Hit]:
        """Hits of one kind with their relevance; `best` is the best score of that kind."""
        relevance = self.judging(found, best, spread)
        return [
            # Many times a question: `replace` takes twice as long.
            Hit(hit.item, hit.score, hit.found_by, hit.group, relevance(hit.score), hit.concepts)
            for hit in hits
        ]

    def judging(self, found: Modality, best: float, spread: Spread) -> Callable[[float], float]:
        """The relevance of a score of one kind; it falls with the score."""
        curves = [
            (self._curve(kind, found, spread).judging(best, spread), weight)
            for kind, weight in self._kinds.items()
        ]
        if len(curves) == 1:  # nearly every question is all words, or one picture
            return curves[0][0]
        total = sum(weight for _, weight in curves)
        return lambda score: sum(weight * judging(score) for judging, weight in curves) / total

    def _curve(
        self, asked: Modality | None, found: Modality, spread: Spread
    ) -> Curve | Chance | Unlearnt:
        if asked is not None and self._calibration is not None:
            learnt = self._calibration.curve(asked, found)
            if learnt is not None:
                return learnt
        questions = self._chance() if asked is Modality.TEXT else None
        sample = None if questions is None else self._background[found].vectors
        if questions is None or sample is None or not len(sample):
            return Unlearnt(self._collection.space.dim)
        return Chance.of(questions, sample, spread.items)


def kind_of(thing: Thing) -> Modality:
    """Whether a thing is a text or a picture."""
    return Modality.TEXT if isinstance(thing, Text) else Modality.IMAGE


class PairJudge:
    """Judges the scores of two things that are in no collection."""

    def __init__(self, space: Space, settings: Settings) -> None:
        self._space = space
        self._calibration = registry.calibration(space, settings)

    def require(self, least: float | None) -> None:
        """Refuse to ask for relevance where there is none.

        Raises:
            InputError: nothing was learnt of the model.
        """
        if least is not None and self._calibration is None:
            shown = without_places(self._space.model)
            raise InputError(
                f"the model {shown} has no calibration, so that two things alone have"
                " no relevance; give a threshold instead of min_relevance"
            )

    def relevance(self, score: float, asked: Modality, found: Modality) -> float | None:
        """How surely both belong together; None where nothing was learnt of the model."""
        lines = self._calibration.alone if self._calibration else {}
        line = lines.get(pair(asked, found))
        return line.relevance(score) if line else None

"""Zero-shot: which of some labels fits a picture or a text, or none of them.

Each label is put into sentences, whose mean place stands for it (Radford et al., arXiv 2103.00020).
How sure a cosine is was learnt for each model (`latent.models.cuts`); `docs/how-to/classify.md`
says how "none" is decided. Knows nothing about the web.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log

import numpy as np
from numpy.typing import NDArray

from latent.errors import InputError
from latent.items import Modality, Vector, Vectors
from latent.models import registry
from latent.models.cuts import Sureness
from latent.models.embedder import Embedder
from latent.settings import Settings
from service.embedding.placing import place_now
from service.engine.parts import Text, Thing
from service.seen.timing import Timings

TEMPLATES = {
    Modality.IMAGE: ("a photo of a {}", "{}"),
    Modality.TEXT: ("{}", "a text about {}"),
}
"""Sentences that labels are put into, where none are given, by what is to be named."""

LONGEST = 200
"""Characters that a label or a template may have."""

NONE_FROM = 0.5
"""From this probability of none on, no label is given."""


@dataclass(frozen=True, slots=True)
class Labels:
    """What may be chosen from, and the sentences to put it into; None: those of `TEMPLATES`."""

    names: tuple[str, ...]
    templates: tuple[str, ...] | None = None

    def prompts(self, modality: Modality) -> list[Text]:
        """Every label in every sentence, label by label."""
        templates = self.templates or TEMPLATES[modality]
        return [Text(one.replace("{}", name)) for name in self.names for one in templates]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`label` is None where none fits. `probabilities` and `scores` are in the labels' order.

    Together with `none` the probabilities add up to 1. A score is the cosine.
    """

    label: str | None
    none: float
    probabilities: tuple[float, ...]
    scores: tuple[float, ...]


def labels_of(names: Sequence[str], templates: Sequence[str] | None, settings: Settings) -> Labels:
    """Labels and templates, checked.

    Raises:
        InputError: fewer than two labels, one that is empty, too long or there twice, a template
            without {}, or more sentences than the limit on one request.
    """
    given = tuple(name.strip() for name in names)
    if len(given) < 2:
        raise InputError(f"there must be two labels at least to choose from, not {len(given)}")
    seen: set[str] = set()
    for name in given:
        _require_short(name, "label")
        if name.casefold() in seen:
            raise InputError(f"the label {name!r} is there twice")
        seen.add(name.casefold())
    kept = None if templates is None else tuple(dict.fromkeys(templates))
    if kept is not None and not kept:
        raise InputError("templates must hold one at least; leave them out for the default ones")
    for template in kept or ():
        _require_short(template, "template")
        if template.count("{}") != 1:
            raise InputError(
                f"the template {template!r} must have {{}} once, where the label is to stand"
            )
    most, usual = settings.max_batch_items, max(map(len, TEMPLATES.values()))
    if len(given) * (len(kept) if kept else usual) > most:
        raise InputError(f"labels times templates must not be more than {most}")
    return Labels(given, kept)


def modality_of(thing: Thing) -> Modality:
    """What kind of thing it is."""
    return Modality.TEXT if isinstance(thing, Text) else Modality.IMAGE


def label_rows(prompts: Vectors, labels: Labels) -> Vectors:
    """The places of labels, `(labels, dim)` unit rows, from those of their prompts, in order."""
    rows = prompts.reshape(len(labels.names), -1, prompts.shape[1]).mean(axis=1)
    unit: Vectors = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return unit


def verdict(place: Vector, rows: Vectors, labels: Labels, sureness: Sureness) -> Verdict:
    """Which label fits a thing at this place, and how surely."""
    scores = rows.astype(np.float64) @ place.astype(np.float64)
    none, shares = sure(scores, sureness)
    return Verdict(
        None if none >= NONE_FROM else labels.names[int(scores.argmax())],
        none,
        tuple(map(float, shares)),
        tuple(map(float, scores)),
    )


def sure(scores: NDArray[np.float64], sureness: Sureness) -> tuple[float, NDArray[np.float64]]:
    """The probability of none, and of each label, from their cosines; together they are 1."""
    best = scores.max()
    doubt = sureness.offset + sureness.tries * log(len(scores)) - sureness.slope * best
    none = 1 / (1 + exp(-min(700.0, max(-700.0, doubt))))
    shares = np.exp(sureness.scale * (scores - best))
    return none, shares * ((1 - none) / shares.sum())


def classify(
    embedder: Embedder,
    things: Sequence[Thing],
    names: Sequence[str],
    settings: Settings,
    *,
    templates: Sequence[str] | None = None,
) -> list[Verdict]:
    """A verdict on each thing, in the calling thread.

    Raises:
        InputError: see `labels_of`; or a thing cannot be read.
        UnsupportedMediaError: the model does not take texts, or not these things.
    """
    labels, timings = labels_of(names, templates, settings), Timings()
    placed = place_now(embedder, things, settings, timings)
    kinds = dict.fromkeys(modality_of(thing) for thing in things)
    rows = {
        kind: label_rows(
            np.stack(place_now(embedder, labels.prompts(kind), settings, timings)), labels
        )
        for kind in kinds
    }
    cuts = registry.cuts(embedder.space, settings)
    return [
        verdict(place, rows[kind], labels, cuts.naming(kind))
        for place, kind in zip(placed, map(modality_of, things), strict=True)
    ]


def _require_short(text: str, what: str) -> None:
    if not text.strip():
        raise InputError(f"a {what} is empty")
    if len(text) > LONGEST:
        raise InputError(f"a {what} has {len(text)} characters; the limit is {LONGEST}")

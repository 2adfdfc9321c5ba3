"""Bare nouns among the parts of a question are put into the sentences that the model wants.

Knows nothing about where sentences lie.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from latent.models import registry
from latent.models.nouns import is_bare, sentences
from latent.settings import Settings
from latent.space import Space
from service.engine.parts import Part, Text


def in_sentences(parts: Sequence[Part], space: Space, settings: Settings) -> Sequence[Part]:
    """The parts, each bare noun with the sentences that stand for it in this space."""
    if not any(isinstance(part.what, Text) and is_bare(part.what.text) for part in parts):
        return parts
    forms = registry.nouns(space, settings)
    return [_in_sentences(part, forms) for part in parts]


def understood(parts: Sequence[Part]) -> dict[str, list[str]]:
    """The sentences that stand for each bare noun, for those who ask how hits were found."""
    return {
        part.what.text: list(part.what.said)
        for part in parts
        if isinstance(part.what, Text) and part.what.said
    }


def _in_sentences(part: Part, forms: Sequence[str]) -> Part:
    if not isinstance(part.what, Text):
        return part
    return replace(part, what=Text(part.what.text, sentences(part.what.text, forms)))

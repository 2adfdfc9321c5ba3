"""What cosines of one model's space stand for: related, alike, a copy; and how surely a label fits.

Cosines of one model mean nothing in another. The cuts of a space were fitted on pairs that have
nothing to do with each other: `related` is what one such pair in fifty reaches, `alike` one in a
thousand, `near_copy` fewer than one in a million (`scripts/training/cuts.py`). Knows nothing about
what tiers are made of beside the cosine.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from latent.items import Modality
from latent.space import Space

FILE = "cuts.json"


class Cut(BaseModel):
    """Least cosines of one pair of modalities; above 1: never by the cosine alone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    related: float
    alike: float = 2.0
    near_copy: float = 2.0


class Sureness(BaseModel):
    """How surely a label fits, by its cosine.

    Odds against all n labels are `exp(offset + tries · ln n − slope · best cosine)`; among the
    labels, odds grow with `exp(scale · cosine)`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    scale: float
    slope: float
    offset: float
    tries: float


class Cuts(BaseModel):
    """The cuts of one space, and the model that it is of; empty where nothing was fitted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pictures: Cut
    texts: Cut
    across: Cut = Field(description="A text and a picture, which are never more than related.")
    naming_pictures: Sureness
    naming_texts: Sureness
    model: str = ""

    @property
    def is_fitted(self) -> bool:
        return bool(self.model)

    def naming(self, modality: Modality) -> Sureness:
        """How surely a label fits a thing of this modality."""
        return self.naming_texts if modality is Modality.TEXT else self.naming_pictures


UNFITTED = Cuts(
    pictures=Cut(related=0.75, alike=0.88, near_copy=0.96),
    texts=Cut(related=0.6, alike=0.8),
    across=Cut(related=0.25),
    naming_pictures=Sureness(scale=50.0, slope=60.0, offset=13.0, tries=0.7),
    naming_texts=Sureness(scale=15.0, slope=15.0, offset=4.0, tries=0.7),
)
"""For models nobody fitted: what is usual for models of the kind of CLIP, on the careful side."""


def cuts_of(space: Space) -> Cuts:
    """The cuts of a space; `UNFITTED` for one that has none of its own."""
    return _known().get(space.fingerprint, UNFITTED)


@cache
def _known() -> dict[str, Cuts]:
    """Cuts by the fingerprint of their space, as they are shipped."""
    text = resources.files("latent").joinpath(FILE).read_text(encoding="utf-8")
    return TypeAdapter(dict[str, Cuts]).validate_json(text)

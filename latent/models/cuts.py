"""What cosines of one model's space stand for: related, alike, a copy; and how surely a label fits.

Cosines of one model mean nothing in another. The cuts of a space are fitted on pairs that have
nothing to do with each other: `related` is what one such pair in fifty reaches, `alike` one in a
thousand, `near_copy` fewer than one in a million (`scripts/training/cuts.py`). They are a part of
what is known of a model's scores, its calibration. Knows nothing about what tiers are made of
beside the cosine.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from latent.items import Modality


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Cut(_Strict):
    """Least cosines of one pair of modalities; above 1: never by the cosine alone."""

    related: float
    alike: float = 2.0
    near_copy: float = 2.0


class Sureness(_Strict):
    """How surely a label fits, by its cosine.

    Odds against all n labels are `exp(offset + tries · ln n − slope · best cosine)`; among the
    labels, odds grow with `exp(scale · cosine)`.
    """

    scale: float
    slope: float
    offset: float
    tries: float


class Cuts(_Strict):
    """The cuts of one space.

    What was not fitted is what is usual for models of the kind of CLIP, on the careful side.
    """

    pictures: Cut = Cut(related=0.75, alike=0.88, near_copy=0.96)
    texts: Cut = Cut(related=0.6, alike=0.8)
    across: Cut = Field(
        Cut(related=0.25), description="A text and a picture, which are never more than related."
    )
    naming_pictures: Sureness = Sureness(scale=50.0, slope=60.0, offset=13.0, tries=0.7)
    naming_texts: Sureness = Sureness(scale=15.0, slope=15.0, offset=4.0, tries=0.7)

    @property
    def is_fitted(self) -> bool:
        """Whether anything of it was learnt of the model."""
        return bool(self.model_fields_set)

    def naming(self, modality: Modality) -> Sureness:
        """How surely a label fits a thing of this modality."""
        return self.naming_texts if modality is Modality.TEXT else self.naming_pictures


UNFITTED = Cuts()
"""For models nobody fitted."""

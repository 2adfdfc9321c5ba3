"""Cuts: which there are, and that the bundled model has its own."""

from __future__ import annotations

import pytest

from latent.cuts import UNFITTED, cuts_of
from latent.items import Modality
from latent.models import mini, registry
from latent.models.colours import ColourEmbedder
from latent.settings import Settings


def test_a_model_that_nobody_fitted_has_careful_cuts_and_says_so() -> None:
    cuts = cuts_of(ColourEmbedder().space)
    assert cuts == UNFITTED
    assert not cuts.is_fitted


@pytest.mark.skipif(not (mini.folder() / "model.json").is_file(), reason="mini is not built yet")
def test_mini_has_cuts_that_were_fitted_to_this_mini(settings: Settings) -> None:
    cuts = cuts_of(registry.load("mini", settings).space)
    assert cuts.is_fitted, "mini has changed: run python -m scripts.training.cuts"
    assert cuts.pictures.related < cuts.pictures.alike < cuts.pictures.near_copy < 1
    assert cuts.texts.related < cuts.texts.alike < 1
    assert cuts.naming(Modality.IMAGE) != cuts.naming(Modality.TEXT)

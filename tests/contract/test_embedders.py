"""What every embedder promises, asked of each: colours, mini, compiled, open_clip, sentence-…"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import tiny_models
from PIL import Image

from latent.errors import InputError, UnsupportedMediaError
from latent.items import Modality, Vectors
from latent.models import mini, registry
from latent.models.embedder import Embedder
from latent.settings import Settings

TEXTS = ["a green thing", "two dogs", "a red dog runs in the snow", "Word, word; WORD!", "dog"]
SIZES = [(64, 48), (48, 64), (1, 1), (3000, 2), (2, 3000), (33, 32), (700, 500)]

KINDS = (
    "colours",
    "mini",
    "compiled",
    "openclip",
    "openclip-padded",
    "openclip-hugging",
    "sentence-text",
    "sentence-clip",
    "float32 of openclip",
    "int8 of openclip",
    "float32 of openclip-padded",
    "int8 of openclip-hugging",
    "int8 of sentence-text",
    "float32 of sentence-clip",
)
"""The towers of one kind each, and what is compiled of them."""


@pytest.fixture(scope="module", params=KINDS)
def embedder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    """Each kind, opened through the registry by the name a user would give."""
    return registry.load(
        _name(request.param, tmp_path_factory.mktemp("model") / "tiny"), Settings(threads=2)
    )


def _name(kind: str, folder: Path) -> str:
    if kind == "colours":
        return kind
    if kind == "mini":
        if not (mini.folder() / "model.json").is_file():
            pytest.skip("the bundled model has not been built yet")
        return kind
    if kind == "compiled":
        pytest.importorskip("onnx", reason="makes the graphs of the tiny compiled model")
        pytest.importorskip("transformers", reason="makes the tokenizer of the tiny models")
        return f"compiled:{tiny_models.save_compiled(folder)}"
    precision, _, source = kind.partition(" of ")
    if source:
        pytest.importorskip("onnxscript", reason="compiling needs the extra 'models'")
        name = _name(source, folder / "source")
        made = tiny_models.compile_tiny(name, folder / "compiled", _PRECISIONS[precision])
        return f"compiled:{made}"
    if kind.startswith("openclip"):
        pytest.importorskip("open_clip", reason="open_clip models need the extra 'models'")
        save = {
            "openclip": tiny_models.save_open_clip,
            "openclip-padded": tiny_models.save_open_clip_padded,
            "openclip-hugging": tiny_models.save_open_clip_hugging,
        }[kind]
        return f"openclip:{save(folder)}"
    pytest.importorskip("sentence_transformers", reason="needs the extra 'models'")
    make = {
        "sentence-text": tiny_models.save_sentence_bert,
        "sentence-clip": tiny_models.save_sentence_clip,
    }[kind]
    return f"sentence:{make(folder)}"


_PRECISIONS: dict[str, Literal["float32", "int8"]] = {"float32": "float32", "int8": "int8"}


@pytest.fixture
def pictures_embedder(embedder: Embedder) -> Embedder:
    if Modality.IMAGE not in embedder.space.modalities:
        pytest.skip(f"{embedder.space.model} takes no pictures")
    return embedder


@pytest.fixture(scope="module")
def pictures() -> list[Image.Image]:
    chance = np.random.default_rng(5)
    return [
        Image.fromarray(chance.integers(0, 255, (height, width, 3), dtype=np.uint8))
        for width, height in SIZES
    ]


def _require_places(rows: np.ndarray, count: int, dim: int) -> None:
    assert rows.shape == (count, dim)
    assert rows.dtype == np.float32
    assert np.isfinite(rows).all()
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_texts_become_unit_rows(embedder: Embedder) -> None:
    _require_places(embedder.embed_texts(TEXTS), len(TEXTS), embedder.space.dim)


def test_pictures_become_unit_rows(
    pictures_embedder: Embedder, pictures: list[Image.Image]
) -> None:
    rows = pictures_embedder.embed_images([pictures_embedder.prepare(one) for one in pictures])
    _require_places(rows, len(pictures), pictures_embedder.space.dim)


def test_no_texts_give_no_rows(embedder: Embedder) -> None:
    _require_places(embedder.embed_texts([]), 0, embedder.space.dim)


def test_no_pictures_give_no_rows(pictures_embedder: Embedder) -> None:
    _require_places(pictures_embedder.embed_images([]), 0, pictures_embedder.space.dim)


def test_a_text_has_the_same_row_in_any_batch_and_order(embedder: Embedder) -> None:
    long = " ".join(["dog"] * min(embedder.max_tokens, 200))
    together = embedder.embed_texts([*TEXTS, long] * 7)
    alone = np.concatenate([embedder.embed_texts([text]) for text in TEXTS])
    backwards = embedder.embed_texts(TEXTS[::-1])[::-1]
    np.testing.assert_allclose(together[: len(TEXTS)], alone, atol=1e-4)
    np.testing.assert_allclose(together[-len(TEXTS) - 1 : -1], alone, atol=1e-4)
    np.testing.assert_allclose(backwards, alone, atol=1e-4)


def test_a_picture_has_the_same_row_in_any_batch_and_order(
    pictures_embedder: Embedder, pictures: list[Image.Image]
) -> None:
    prepared = [pictures_embedder.prepare(picture) for picture in pictures]
    together = pictures_embedder.embed_images(prepared * 6)
    alone = np.concatenate([pictures_embedder.embed_images([one]) for one in prepared])
    np.testing.assert_allclose(together, np.tile(alone, (6, 1)), atol=1e-4)


def test_different_things_are_placed_apart(embedder: Embedder) -> None:
    rows = embedder.embed_texts(["a green thing", "a red thing"])
    assert np.abs(rows[0] - rows[1]).max() > 1e-3


def test_different_pictures_are_placed_apart(pictures_embedder: Embedder) -> None:
    prepared = [
        pictures_embedder.prepare(Image.new("RGB", (40, 30), colour)) for colour in ("red", "blue")
    ]
    rows = pictures_embedder.embed_images(prepared)
    assert np.abs(rows[0] - rows[1]).max() > 1e-3


@pytest.mark.parametrize("text", ["", "   ", "\n\t"])
def test_an_empty_text_is_refused(embedder: Embedder, text: str) -> None:
    with pytest.raises(InputError, match="empty"):
        embedder.embed_texts(["a dog", text])


def test_a_text_of_just_the_limit_is_placed(embedder: Embedder) -> None:
    text = " ".join(["dog"] * embedder.max_tokens)
    _require_places(embedder.embed_texts([text]), 1, embedder.space.dim)


def test_a_text_over_the_limit_is_refused_and_never_cut(embedder: Embedder) -> None:
    text = " ".join(["dog"] * (embedder.max_tokens + 1))
    with pytest.raises(InputError, match=str(embedder.max_tokens)):
        embedder.embed_texts(["a dog", text])


def test_half_a_character_is_refused_or_placed_but_never_crashes(embedder: Embedder) -> None:
    try:
        rows = embedder.embed_texts(["a dog \ud800 runs"])
    except InputError as error:
        assert "surrogate" in str(error)
    else:
        _require_places(rows, 1, embedder.space.dim)


def test_token_spans_lie_in_the_text_and_ascend(embedder: Embedder) -> None:
    text = "  Two dogs\u00a0 run — naïve café, “quoted”…\n\nfini &amp; done 日本語 🎉 x"
    spans = embedder.token_spans(text)
    assert spans
    assert all(0 <= start <= end <= len(text) for start, end in spans)
    assert spans == sorted(spans)
    covered = {place for start, end in spans for place in range(start, end)}
    assert {i for i, letter in enumerate(text) if letter.isascii() and letter.isalpha()} <= covered


def test_a_text_cut_by_its_spans_is_taken(embedder: Embedder) -> None:
    text = " ".join(f"dog{number}, green-thing" for number in range(200))
    last = embedder.token_spans(text)[embedder.max_tokens - 1]
    end = last[1]
    while not text[end - 1 : end + 1].isspace() and text[end : end + 1] not in ("", " "):
        end -= 1  # back to the end of a word
    _require_places(embedder.embed_texts([text[:end]]), 1, embedder.space.dim)


def test_pictures_of_any_shape_are_prepared_to_one_shape(
    pictures_embedder: Embedder, pictures: list[Image.Image]
) -> None:
    prepared = [pictures_embedder.prepare(picture) for picture in pictures]
    assert len({(one.shape, one.dtype) for one in prepared}) == 1
    assert max(prepared[0].shape) <= max(pictures_embedder.picture_side, 8)


def test_eight_threads_agree(embedder: Embedder) -> None:
    def place(number: int) -> np.ndarray:
        embedder.token_spans(TEXTS[number % 5])
        return embedder.embed_texts(TEXTS[: 1 + number % 5])

    expected = embedder.embed_texts(TEXTS)
    with ThreadPoolExecutor(8) as pool:
        for number, rows in enumerate(pool.map(place, range(64))):
            np.testing.assert_allclose(rows, expected[: 1 + number % 5], atol=1e-4)


def test_eight_threads_prepare_and_place_pictures_alike(
    pictures_embedder: Embedder, pictures: list[Image.Image]
) -> None:
    def place(number: int) -> Vectors:
        one = pictures_embedder.prepare(pictures[number % len(pictures)])
        return pictures_embedder.embed_images([one])

    expected = [place(number) for number in range(len(pictures))]
    with ThreadPoolExecutor(8) as pool:
        for number, row in enumerate(pool.map(place, range(64))):
            np.testing.assert_allclose(row, expected[number % len(pictures)], atol=1e-4)


def test_a_model_without_pictures_refuses_them_and_names_others(embedder: Embedder) -> None:
    if Modality.IMAGE in embedder.space.modalities:
        pytest.skip(f"{embedder.space.model} takes pictures")
    with pytest.raises(UnsupportedMediaError, match="mini"):
        embedder.prepare(Image.new("RGB", (8, 8)))
    with pytest.raises(UnsupportedMediaError, match="openclip"):
        embedder.embed_images([np.zeros((8, 8, 3), np.uint8)])


def test_the_same_model_opened_twice_is_the_same_space(embedder: Embedder) -> None:
    again = registry.load(embedder.space.model, Settings(threads=1))
    assert again.space == embedder.space
    np.testing.assert_allclose(again.embed_texts(TEXTS), embedder.embed_texts(TEXTS), atol=1e-4)

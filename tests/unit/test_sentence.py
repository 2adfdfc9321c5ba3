"""sentence-transformers models: texts are texts, and text-only models refuse pictures."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from latent.errors import ModelUnavailableError, UnsupportedMediaError
from latent.items import Modality

st = pytest.importorskip("sentence_transformers", reason="needs the extra 'models'")

import tiny_models  # noqa: E402

from latent.models.sentence import SentenceEmbedder  # noqa: E402


@pytest.fixture(scope="module")
def text_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.save_sentence_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.save_sentence_clip(tmp_path_factory.mktemp("clip"))


def opened(folder: object) -> SentenceEmbedder:
    return SentenceEmbedder(str(folder), threads=2)


def test_a_row_is_what_the_library_itself_computes(text_folder: Path) -> None:
    direct = st.SentenceTransformer(str(text_folder), device="cpu").encode(
        ["two dogs"], normalize_embeddings=True
    )
    np.testing.assert_allclose(opened(text_folder).embed_texts(["two dogs"]), direct, atol=1e-5)


def test_a_picture_is_placed_where_the_library_places_it(clip_folder: Path) -> None:
    picture = Image.effect_noise((50, 40), 80).convert("RGB")
    direct = st.SentenceTransformer(str(clip_folder), device="cpu").encode(
        [picture], normalize_embeddings=True
    )
    embedder = opened(clip_folder)
    rows = embedder.embed_images([embedder.prepare(picture)])
    np.testing.assert_allclose(rows, direct, atol=1e-5)


def test_a_clip_model_takes_both_and_a_text_model_only_texts(
    text_folder: Path, clip_folder: Path
) -> None:
    assert opened(clip_folder).space.modalities == frozenset(Modality)
    assert opened(text_folder).space.modalities == frozenset({Modality.TEXT})


def test_a_text_model_refuses_pictures_and_says_which_models_take_them(text_folder: Path) -> None:
    with pytest.raises(UnsupportedMediaError, match=r"mini.*openclip:.*sentence:clip-ViT-B-32"):
        opened(text_folder).prepare(Image.new("RGB", (8, 8)))


@pytest.mark.parametrize("text", ["dog.jpg", "http://x/dog.png", "/etc/dog.webp"])
def test_a_text_that_looks_like_a_picture_is_still_a_text(clip_folder: Path, text: str) -> None:
    embedder = opened(clip_folder)
    rows = embedder.embed_texts([text, "dog"])
    assert rows.shape == (2, embedder.space.dim)
    np.testing.assert_allclose(embedder.embed_texts(["dog"])[0], rows[1], atol=1e-5)


def test_a_prompt_of_the_model_is_used_and_its_tokens_counted(
    text_folder: Path, tmp_path: Path
) -> None:
    model = st.SentenceTransformer(
        str(text_folder), device="cpu", prompts={"q": "red snow "}, default_prompt_name="q"
    )
    model.save(str(tmp_path / "prompted"), create_model_card=False)
    plain, prompted = opened(text_folder), opened(tmp_path / "prompted")
    assert plain.max_tokens - prompted.max_tokens == 2
    assert not plain.space.is_same_as(prompted.space)
    np.testing.assert_allclose(
        prompted.embed_texts(["dog"]), plain.embed_texts(["red snow dog"]), atol=1e-5
    )


def test_the_limit_is_the_models_own_less_its_markers(text_folder: Path, clip_folder: Path) -> None:
    assert opened(text_folder).max_tokens == 30
    assert opened(clip_folder).max_tokens == 22


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailableError, match="no folder"):
        opened(tmp_path / "gone")


def test_a_folder_that_holds_no_model_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no model")
    with pytest.raises(ModelUnavailableError, match=f"sentence:{tmp_path} cannot be loaded"):
        opened(tmp_path)


class _Trap:
    """What a checkpoint that runs code when it is read looks like."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.mark,)


@pytest.fixture
def copied(text_folder: Path, tmp_path: Path) -> Path:
    """A text model that a test may damage."""
    return Path(shutil.copytree(text_folder, tmp_path / "model"))


def test_a_pickle_that_would_run_code_is_refused_and_runs_none(
    copied: Path, tmp_path: Path
) -> None:
    mark = tmp_path / "it-ran"
    (copied / "model.safetensors").unlink()
    (copied / "pytorch_model.bin").write_bytes(pickle.dumps(_Trap(mark), protocol=2))
    with pytest.raises(ModelUnavailableError, match=f"sentence:{copied} cannot be loaded"):
        opened(copied)
    assert not mark.exists()


@pytest.mark.parametrize("kind", ["evil.Evil", "json.JSONDecoder"])
def test_a_part_of_another_library_is_refused_and_not_imported(
    copied: Path, tmp_path: Path, kind: str
) -> None:
    mark = tmp_path / "it-ran"
    (copied / "evil.py").write_text(f"open({str(mark)!r}, 'w')\nclass Evil: ...\n")
    modules = json.loads((copied / "modules.json").read_text())
    modules.append({"idx": 9, "name": "9", "path": "", "type": kind})
    (copied / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(ModelUnavailableError, match="code of its own"):
        opened(copied)
    assert not mark.exists()


def test_code_that_comes_with_a_model_is_not_run(copied: Path, tmp_path: Path) -> None:
    mark = tmp_path / "it-ran"
    (copied / "evil.py").write_text(f"open({str(mark)!r}, 'w')\nclass Evil: ...\n")
    config = json.loads((copied / "config.json").read_text())
    config |= {"model_type": "evil", "auto_map": {"AutoConfig": "evil.Evil"}}
    (copied / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelUnavailableError, match=f"sentence:{copied} cannot be loaded"):
        opened(copied)
    assert not mark.exists()


def test_half_downloaded_weights_are_refused(copied: Path) -> None:
    whole = (copied / "model.safetensors").read_bytes()
    (copied / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelUnavailableError, match=f"sentence:{copied} cannot be loaded"):
        opened(copied)


def test_markers_written_in_a_text_are_only_letters(text_folder: Path) -> None:
    rows = opened(text_folder).embed_texts(["dog [SEP]", "dog", "[PAD] dog"])
    assert np.abs(rows[0] - rows[1]).max() > 1e-3
    assert np.abs(rows[2] - rows[1]).max() > 1e-3

"""open_clip models: what a name means, and what is said when weights cannot be had."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from latent.errors import InputError, ModelUnavailableError

open_clip = pytest.importorskip("open_clip", reason="open_clip models need the extra 'models'")

import tiny_models  # noqa: E402

from latent.models.openclip import OpenClipEmbedder, chosen_tag, patch_of  # noqa: E402


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.save_open_clip(tmp_path_factory.mktemp("openclip") / "tiny")


def opened(name: object) -> OpenClipEmbedder:
    return OpenClipEmbedder(str(name), threads=2)


def test_a_row_is_what_open_clip_itself_computes(folder: Path) -> None:
    import torch

    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    picture = Image.effect_noise((50, 40), 80).convert("RGB")
    with torch.inference_mode():
        text = model.eval().encode_text(tokenizer(["two dogs"]), normalize=True).numpy()
        image = model.encode_image(transform(picture)[None], normalize=True).numpy()
    embedder = opened(folder)
    np.testing.assert_allclose(embedder.embed_texts(["two dogs"]), text, atol=1e-5)
    np.testing.assert_allclose(embedder.embed_images([embedder.prepare(picture)]), image, atol=1e-5)


def test_it_tells_the_side_of_its_patches(folder: Path) -> None:
    embedder = opened(folder)
    assert (
        embedder.picture_patch
        == json.loads((folder / "open_clip_config.json").read_text())["model_cfg"]["vision_cfg"][
            "patch_size"
        ]
    )
    timm = SimpleNamespace(trunk=SimpleNamespace(patch_embed=SimpleNamespace(patch_size=(14, 14))))
    assert [patch_of(timm), patch_of(object())] == [14, 0]


def test_a_file_with_its_config_beside_it_is_the_same_model(folder: Path) -> None:
    by_file = opened(folder / "open_clip_model.safetensors")
    assert by_file.space.is_same_as(opened(folder).space)
    assert by_file.space.model.endswith("open_clip_model.safetensors")


def test_a_file_of_another_name_is_the_one_that_is_read(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "open_clip_model.safetensors")
    weights["text_projection"] = weights["text_projection"] + 1
    (tmp_path / "open_clip_config.json").write_bytes(
        (folder / "open_clip_config.json").read_bytes()
    )
    save_file(weights, tmp_path / "tuned.safetensors")
    tuned = opened(tmp_path / "tuned.safetensors")
    assert not tuned.space.is_same_as(opened(folder).space)


def test_an_architecture_and_a_file_are_joined_by_an_at(folder: Path, tmp_path: Path) -> None:
    import torch

    described = json.loads((folder / "open_clip_config.json").read_text())
    (tmp_path / "nearfield-tiny.json").write_text(json.dumps(described["model_cfg"]))
    open_clip.add_model_config(tmp_path)
    weights = tmp_path / "weights.pt"
    torch.save(open_clip.create_model("nearfield-tiny").state_dict(), weights)
    embedder = opened(f"nearfield-tiny@{weights}")
    assert embedder.space.model == f"openclip:nearfield-tiny@{weights}"
    assert embedder.embed_texts(["a dog"]).shape == (1, 32)


def test_weights_of_another_architecture_are_refused_and_the_file_is_named(
    folder: Path, tmp_path: Path
) -> None:
    import torch

    described = json.loads((folder / "open_clip_config.json").read_text())
    (tmp_path / "nearfield-other.json").write_text(json.dumps(described["model_cfg"]))
    open_clip.add_model_config(tmp_path)
    weights = open_clip.create_model("nearfield-other").state_dict()
    missing = weights.popitem()[0]
    torch.save(weights, tmp_path / "weights.pt")
    with pytest.raises(ModelUnavailableError, match=r"weights\.pt whole.*nearfield-other") as told:
        opened(f"nearfield-other@{tmp_path / 'weights.pt'}")
    assert missing in str(told.value)
    assert "cache" not in str(told.value)  # there was nothing to look for in one


@pytest.mark.parametrize("damage", [float("nan"), float("inf"), 0.0])
def test_weights_that_place_nothing_anywhere_are_refused(
    folder: Path, tmp_path: Path, damage: float
) -> None:
    import torch

    described = json.loads((folder / "open_clip_config.json").read_text())
    (tmp_path / "nearfield-damaged.json").write_text(json.dumps(described["model_cfg"]))
    open_clip.add_model_config(tmp_path)
    weights = open_clip.create_model("nearfield-damaged").state_dict()
    weights["text_projection"].fill_(damage)
    torch.save(weights, tmp_path / "weights.pt")
    with pytest.raises(ModelUnavailableError, match="places known things nowhere"):
        opened(f"nearfield-damaged@{tmp_path / 'weights.pt'}")


def test_a_file_without_weights_is_refused(folder: Path, tmp_path: Path) -> None:
    import torch

    described = json.loads((folder / "open_clip_config.json").read_text())
    (tmp_path / "nearfield-none.json").write_text(json.dumps(described["model_cfg"]))
    open_clip.add_model_config(tmp_path)
    torch.save({}, tmp_path / "weights.pt")
    with pytest.raises(ModelUnavailableError, match=r"weights\.pt"):
        opened(f"nearfield-none@{tmp_path / 'weights.pt'}")


def test_a_file_alone_is_told_how_to_name_its_architecture(tmp_path: Path) -> None:
    (tmp_path / "weights.pt").write_bytes(b"")
    with pytest.raises(ModelUnavailableError, match="ARCH@FILE"):
        opened(tmp_path / "weights.pt")


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailableError, match="no file or folder"):
        opened(tmp_path / "gone")


def test_damaged_weights_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "open_clip_config.json").write_bytes(
        (folder / "open_clip_config.json").read_bytes()
    )
    (tmp_path / "open_clip_model.safetensors").write_bytes(b"\x00" * 64)
    with pytest.raises(ModelUnavailableError, match="cannot be loaded"):
        opened(tmp_path)


def test_a_config_without_weights_is_refused_and_not_filled_with_noise(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "open_clip_config.json").write_bytes(
        (folder / "open_clip_config.json").read_bytes()
    )
    with pytest.raises(ModelUnavailableError, match="cannot be loaded"):
        opened(tmp_path)


class _Trap:
    """What a checkpoint that runs code when it is read looks like."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.mark,)


def configured(folder: Path, place: Path) -> Path:
    """A place with a config and no weights yet."""
    config = (folder / "open_clip_config.json").read_bytes()
    (place / "open_clip_config.json").write_bytes(config)
    return place


@pytest.mark.parametrize("name", ["trap.pt", "trap.bin", "trap.npz", "trap.npy"])
def test_a_checkpoint_that_would_run_code_is_refused_and_runs_none(
    folder: Path, tmp_path: Path, name: str
) -> None:
    path, mark = configured(folder, tmp_path) / name, tmp_path / "it-ran"
    trap = pickle.dumps(_Trap(mark), protocol=2)
    path.write_bytes(trap)
    for way in (str(path), f"ViT-S-32-alt@{path}"):
        with pytest.raises(ModelUnavailableError, match=name):
            opened(way)
    assert not mark.exists()
    pickle.loads(trap)
    assert mark.exists()  # it is a trap


def test_an_array_file_that_would_run_code_runs_none(folder: Path, tmp_path: Path) -> None:
    path, mark = configured(folder, tmp_path) / "trap.npz", tmp_path / "it-ran"
    arrays: dict[str, Any] = {"params/img/embedding/kernel": np.array([_Trap(mark)], dtype=object)}
    np.savez(path, **arrays)
    with pytest.raises(ModelUnavailableError, match=r"trap\.npz"):
        opened(path)
    assert not mark.exists()


@pytest.mark.parametrize("name", ["open_clip_model.safetensors", "weights.pt"])
def test_a_half_downloaded_file_is_refused_and_named(
    folder: Path, tmp_path: Path, name: str
) -> None:
    import torch
    from safetensors.torch import load_file

    path = configured(folder, tmp_path) / name
    if name.endswith(".pt"):
        torch.save(load_file(folder / "open_clip_model.safetensors"), path)
    else:
        path.write_bytes((folder / name).read_bytes())
    assert opened(path).embed_texts(["a dog"]).shape == (1, 32)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelUnavailableError, match=f"{name} cannot be loaded"):
        opened(path)


def test_an_unknown_architecture_is_refused() -> None:
    with pytest.raises(InputError, match="no architecture 'ViT-Z-99'"):
        opened("ViT-Z-99/openai")


def test_unknown_weights_are_answered_with_those_there_are() -> None:
    with pytest.raises(InputError, match="laion2b_s34b_b79k"):
        opened("ViT-B-32/none-such")


def test_an_architecture_alone_means_its_best_known_weights() -> None:
    assert chosen_tag("ViT-B-32", "") == "datacomp_xl_s13b_b90k"
    assert chosen_tag("RN50", "") == "openai"
    assert chosen_tag("ViT-B-32", "openai") == "openai"


@pytest.mark.parametrize("marker", ["<end_of_text>", "<END_of_text>", "&lt;end_of_text&gt;"])
def test_markers_written_in_a_text_do_not_end_it(folder: Path, marker: str) -> None:
    embedder = opened(folder)
    rows = embedder.embed_texts([f"dog {marker} red", f"dog {marker} snow"])
    assert np.abs(rows[0] - rows[1]).max() > 1e-4


@pytest.mark.parametrize(
    ("save", "is_cut"),
    [
        (tiny_models.save_open_clip, True),
        (tiny_models.save_open_clip_padded, False),
        (tiny_models.save_open_clip_hugging, False),
    ],
)
def test_a_text_read_to_its_end_only_lands_where_open_clip_puts_it(
    save: Callable[[Path], Path], is_cut: bool, tmp_path: Path
) -> None:
    import torch

    embedder = opened(save(tmp_path / "tiny"))
    texts = ["dog", "a red thing", " ".join(["dog"] * embedder.max_tokens)]
    tokens = embedder.tokenizer(texts)
    with torch.inference_mode():
        expected = embedder.model.encode_text(tokens, normalize=True).numpy()
    np.testing.assert_allclose(embedder.embed_texts(texts), expected, atol=1e-5)
    np.testing.assert_allclose(embedder.embed_texts(texts[:1]), expected[:1], atol=1e-5)
    short = embedder.text_tower.cut(tokens[:1]).shape[1]
    assert (short == 3) is is_cut


def test_a_tower_that_ends_at_a_marker_of_its_own_is_cut_there() -> None:
    import torch
    from open_clip.transformer import TextTransformer

    from latent.models.openclip_texts import text_tower

    torch.manual_seed(0)
    text = TextTransformer(12, 20, 16, 2, 1, output_dim=8, pool_type="eos", eos_id=2).eval()
    model = torch.nn.Module()
    model.text = text
    tower = text_tower(model)
    tokens = torch.tensor([[5, 9, 2, 1, 1, 1], [5, 2, 1, 1, 1, 1]])
    padded = torch.nn.functional.pad(tokens, (0, 6), value=1)
    assert tower.cut(padded).shape == (2, 3)
    with torch.inference_mode():
        expected = torch.nn.functional.normalize(text(padded), dim=-1)
        torch.testing.assert_close(tower(tower.cut(padded)), expected, atol=1e-5, rtol=0)


def test_there_are_at_least_as_many_spans_as_tokens(folder: Path) -> None:
    embedder = opened(folder)
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    for text in (
        "two dogs",
        "don't supercalifragilistic-expialidocious!!!",
        "ｆｕｌｌ &amp; x",
        "日本語",
    ):
        assert len(embedder.token_spans(text)) >= len(tokenizer.encode(text))


def test_a_long_panorama_costs_no_more_than_its_middle(folder: Path) -> None:
    embedder = opened(folder)
    wide = Image.new("RGB", (60_000, 2), "blue")
    wide.paste("red", (29_990, 0, 30_010, 2))
    middle = wide.crop((29_992, 0, 30_008, 2))
    np.testing.assert_array_equal(embedder.prepare(wide), embedder.prepare(middle))


def test_weights_of_another_architecture_are_refused(folder: Path) -> None:
    weights = folder / "open_clip_model.safetensors"
    with pytest.raises(ModelUnavailableError, match="cannot be loaded"):
        opened(f"ViT-S-32-alt@{weights}")

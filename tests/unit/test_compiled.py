"""Compiled models: what is checked before they run, and what is opened when."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from latent.errors import InputError, ModelUnavailableError, UnsupportedMediaError
from latent.items import Modality
from latent.models.artifact import Artifact, write_artifact
from latent.models.compiled import CompiledEmbedder

pytest.importorskip("onnx", reason="makes the graphs of the tiny compiled model")
pytest.importorskip("transformers", reason="makes the tokenizer of the tiny models")
import tiny_models


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.save_compiled(tmp_path_factory.mktemp("compiled") / "tiny")


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(made, tmp_path / "tiny"))


def opened(folder: Path) -> CompiledEmbedder:
    return CompiledEmbedder(folder, threads=1)


def change(folder: Path, **changes: object) -> None:
    """Change the manifest; a hash under `files` stays what it was."""
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def rewrite(folder: Path, **files: bytes) -> None:
    """Write an artifact of the same manifest with other files, hashes and all."""
    old = Artifact(folder).manifest.model_dump(exclude={"files"})
    kept = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "model.json"}
    write_artifact(folder, kept | {f"{name}.onnx": file for name, file in files.items()}, old)


@pytest.mark.parametrize("name", ["text.onnx", "tokenizer.json"])
def test_one_changed_byte_is_noticed_and_the_file_named(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ModelUnavailableError, match=f"{name} is damaged"):
        opened(folder).embed_texts(["a dog"])


def test_a_damaged_image_tower_does_not_stop_a_text(folder: Path) -> None:
    (folder / "image.onnx").write_bytes(b"nothing")
    embedder = opened(folder)
    assert embedder.embed_texts(["a dog"]).shape == (1, 8)
    prepared = embedder.prepare(Image.new("RGB", (8, 8)))
    with pytest.raises(ModelUnavailableError, match=r"image.onnx"):
        embedder.embed_images([prepared])


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "text.onnx").unlink()
    with pytest.raises(ModelUnavailableError, match=r"text.onnx"):
        opened(folder).embed_texts(["a dog"])


def test_a_file_that_is_no_graph_is_named(folder: Path) -> None:
    rewrite(folder, text=b"this is no graph")
    with pytest.raises(ModelUnavailableError, match=r"text.onnx is no graph"):
        opened(folder).embed_texts(["a dog"])


def test_a_file_that_is_no_tokenizer_is_named(folder: Path) -> None:
    old = Artifact(folder).manifest.model_dump(exclude={"files"})
    files = {name: (folder / name).read_bytes() for name in ("text.onnx", "image.onnx")}
    write_artifact(folder, files | {"tokenizer.json": b"{}"}, old)
    with pytest.raises(ModelUnavailableError, match=r"tokenizer.json is no tokenizer"):
        opened(folder).embed_texts(["a dog"])


def test_a_graph_with_other_inputs_is_named(folder: Path) -> None:
    rewrite(folder, text=(folder / "image.onnx").read_bytes())
    with pytest.raises(ModelUnavailableError, match=r"text.onnx takes .*pixels.* should take"):
        opened(folder).embed_texts(["a dog"])


def test_a_graph_of_another_dimension_is_named(folder: Path) -> None:
    change(folder, dim=9)
    with pytest.raises(ModelUnavailableError, match=r"text.onnx gives .* 9 dimensions"):
        opened(folder).embed_texts(["a dog"])


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"format": 2}, "format"),
        ({"dim": 0}, "dim"),
        ({"surprise": 1}, "surprise"),
        ({"image": None, "text": None}, "tower"),
        ({"files": {}}, "SHA-256"),
        ({"files": {"../text.onnx": "0"}}, "files"),
        ({"files": {"..": "0"}}, "files"),
        ({"files": {"text\0.onnx": "0"}}, "files"),
        ({"files": {"/etc/passwd": "0"}}, "files"),
        ({"text": {"max_tokens": 20, "graph": "../../secret.onnx"}}, "SHA-256"),
        ({"dim": 10**12}, "dim"),
        ({"stands_for": {"model": "x", "fingerprint": "y", "checked": "z"}}, "parity"),
    ],
)
def test_a_manifest_that_cannot_be_understood_says_where(
    folder: Path, changes: dict[str, object], where: str
) -> None:
    change(folder, **changes)
    with pytest.raises(ModelUnavailableError, match=where):
        opened(folder)


def with_weights_in(location: str) -> bytes:
    """An image tower whose weights lie in a file beside it."""
    import onnx

    kinds = onnx.TensorProto
    weights = kinds(name="weights", data_type=kinds.FLOAT, data_location=kinds.EXTERNAL)
    weights.dims.extend([3, 8])
    for key, value in (("location", location), ("offset", "0"), ("length", "96")):
        weights.external_data.add(key=key, value=value)
    nodes = [
        onnx.helper.make_node("Cast", ["pixels"], ["floats"], to=kinds.FLOAT),
        onnx.helper.make_node("MatMul", ["floats", "weights"], ["spread"]),
        onnx.helper.make_node("ReduceMean", ["spread", "axes"], ["vectors"], keepdims=0),
    ]
    graph = onnx.helper.make_graph(
        nodes,
        "elsewhere",
        [onnx.helper.make_tensor_value_info("pixels", kinds.UINT8, ["n", 16, 16, 3])],
        [onnx.helper.make_tensor_value_info("vectors", kinds.FLOAT, ["n", 8])],
        [weights, onnx.numpy_helper.from_array(np.array([1, 2]), "axes")],
    )
    opsets = [onnx.helper.make_opsetid("", 20)]
    made: bytes = onnx.helper.make_model(
        graph, opset_imports=opsets, ir_version=10
    ).SerializeToString()
    return made


@pytest.mark.parametrize("place", ["weights.bin", "{folder}/weights.bin"])
def test_a_graph_that_reads_other_files_is_refused_and_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    rewrite(folder, image=with_weights_in(place.format(folder=folder)))
    np.ones((3, 8), np.float32).tofile(folder / "weights.bin")
    monkeypatch.chdir(folder)
    embedder = opened(folder)
    with pytest.raises(ModelUnavailableError, match=r"image\.onnx is no graph that can be run"):
        embedder.embed_images([embedder.prepare(Image.new("RGB", (8, 8)))])


def test_a_tokenizer_of_another_model_is_found_out_before_any_text_is_placed(folder: Path) -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_tokens([f"other{number}" for number in range(9)])
    old = Artifact(folder).manifest.model_dump(exclude={"files", "stands_for"})
    files = {name: (folder / name).read_bytes() for name in ("text.onnx", "image.onnx")}
    write_artifact(folder, files | {"tokenizer.json": tokenizer.to_str().encode()}, old)
    with pytest.raises(ModelUnavailableError, match=r"tokenizer\.json .* are of two models"):
        opened(folder).embed_texts(["a dog"])


def test_a_limit_that_does_not_fit_the_padding_is_told(folder: Path) -> None:
    change(folder, text={"max_tokens": 20, "pad_to": 12})
    with pytest.raises(ModelUnavailableError, match=r"22 tokens of a text.* takes 12"):
        opened(folder).embed_texts(["a dog"])


def test_padding_that_is_no_token_is_a_clear_error(folder: Path) -> None:
    change(folder, text={"max_tokens": 20, "pad_to": 22, "pad": 100_000})
    with pytest.raises(ModelUnavailableError, match=r"text\.onnx"):
        opened(folder).embed_texts(["a dog"])


def test_many_pictures_on_many_threads_stay_in_order(made: Path) -> None:
    chance = np.random.default_rng(2)
    pictures = [chance.integers(0, 256, (16, 16, 3), dtype=np.uint8) for _ in range(37)]
    rows = CompiledEmbedder(made, threads=4).embed_images(pictures)
    alone = [CompiledEmbedder(made, threads=1).embed_images([picture])[0] for picture in pictures]
    np.testing.assert_allclose(rows, alone, atol=1e-6)


def test_what_there_is_to_do_is_shared_out_to_all_threads(made: Path) -> None:
    wide = CompiledEmbedder(made, threads=4)
    pictures = [np.zeros((16, 16, 3), np.uint8)] * 17
    assert [len(feed["pixels"]) for feed in wide.picture_feeds(pictures[:4])] == [1, 1, 1, 1]
    assert [len(feed["pixels"]) for feed in wide.picture_feeds(pictures[:7])] == [1, 2, 2, 2]
    assert [len(feed["pixels"]) for feed in wide.picture_feeds(2 * pictures)] == [4, 4, 4, 5] * 2
    assert [len(feed["pixels"]) for feed in opened(made).picture_feeds(pictures)] == [5, 6, 6]
    assert wide.picture_feeds([]) == []
    texts = ["a red thing"] * 64
    assert len(wide.text_feeds(texts)[1]) == 4
    assert len(opened(made).text_feeds(texts)[1]) == 1
    assert len(wide.text_feeds(texts[:2])[1]) == 1  # too little to share


def test_a_prompt_stands_before_every_text_and_counts_for_nothing(folder: Path) -> None:
    plain = opened(folder).embed_texts(["red snow dog"])
    change(folder, text={"max_tokens": 20, "prompt": "red snow "})
    prompted = opened(folder)
    np.testing.assert_allclose(prompted.embed_texts(["dog"]), plain, atol=1e-6)
    assert prompted.embed_texts([" ".join(["dog"] * 20)]).shape == (1, 8)
    with pytest.raises(InputError, match="21 tokens; this model reads 20"):
        prompted.embed_texts([" ".join(["dog"] * 21)])
    with pytest.raises(InputError, match="empty"):
        prompted.embed_texts([""])


def test_a_text_is_cleaned_as_the_manifest_says(folder: Path) -> None:
    change(folder, text={"max_tokens": 20, "clean": "canonicalize"})
    embedder = opened(folder)
    rows = embedder.embed_texts(["two dogs", "  TWO,   dogs!! ", "two &amp; dogs"])
    np.testing.assert_allclose(rows, rows[[0, 0, 0]], atol=1e-6)
    with pytest.raises(InputError, match="empty"):
        embedder.embed_texts(["!!!"])


def test_the_fingerprint_follows_weights_and_preprocessing_but_not_the_name(folder: Path) -> None:
    before = opened(folder).space.fingerprint
    change(folder, name="another", card={"about": "told otherwise"})
    assert opened(folder).space.fingerprint == before
    change(folder, image={"size": 16, "fit": "squash"})
    squashed = opened(folder).space.fingerprint
    assert squashed != before
    rewrite(folder, image=(folder / "image.onnx").read_bytes() + b"\x00")
    assert opened(folder).space.fingerprint not in (before, squashed)


def test_a_model_of_texts_alone_refuses_pictures(folder: Path) -> None:
    change(folder, image=None)
    embedder = opened(folder)
    assert embedder.space.modalities == frozenset({Modality.TEXT})
    assert embedder.embed_texts(["a dog"]).shape == (1, 8)
    with pytest.raises(UnsupportedMediaError, match=r"texts only.*mini"):
        embedder.prepare(Image.new("RGB", (8, 8)))


def test_a_model_of_pictures_alone_refuses_texts(folder: Path) -> None:
    change(folder, text=None)
    embedder = opened(folder)
    assert embedder.space.modalities == frozenset({Modality.IMAGE})
    with pytest.raises(UnsupportedMediaError, match=r"pictures only.*mini"):
        embedder.embed_texts(["a dog"])


def test_crop_keeps_the_middle_and_squash_keeps_everything(folder: Path) -> None:
    picture = Image.new("RGB", (90, 30), "red")
    picture.paste("blue", (30, 0, 60, 30))
    cut = opened(folder).prepare(picture)
    assert (cut[:, 2:-2] == (0, 0, 255)).all()
    change(folder, image={"size": 16, "fit": "squash"})
    whole = opened(folder).prepare(picture)
    assert (whole[:, 0] == (255, 0, 0)).all()
    assert (whole[:, 8] == (0, 0, 255)).all()
    assert cut.shape == whole.shape == (16, 16, 3)


def test_the_filter_of_the_manifest_is_used(folder: Path) -> None:
    chance = np.random.default_rng(1)
    picture = Image.fromarray(chance.integers(0, 255, (40, 40, 3), dtype=np.uint8))
    smooth = opened(folder).prepare(picture)
    change(folder, image={"size": 16, "fit": "crop", "resample": "bicubic"})
    assert (opened(folder).prepare(picture) != smooth).any()


def test_markers_written_in_a_text_are_only_letters(made: Path) -> None:
    embedder = opened(made)
    assert len(embedder.token_spans("[SEP]")) == 5
    rows = embedder.embed_texts(["dog [PAD]", "dog"])
    assert np.abs(rows[0] - rows[1]).max() > 1e-3
    assert embedder.embed_texts(["[CLS]"]).shape == (1, 8)


def test_padding_does_not_move_a_text(made: Path) -> None:
    embedder = opened(made)
    texts = [" ".join(["dog", "red", "snow"][: 1 + n % 3] * (1 + n % 6)) for n in range(300)]
    together = embedder.embed_texts(texts)
    alone = np.concatenate([embedder.embed_texts([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_the_limit_counts_no_markers(made: Path) -> None:
    embedder = opened(made)
    assert embedder.embed_texts([" ".join(["dog"] * 20)]).shape == (1, 8)
    with pytest.raises(InputError, match="21 tokens; this model reads 20"):
        embedder.embed_texts([" ".join(["dog"] * 21)])

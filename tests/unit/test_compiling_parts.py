"""What is compiled of a model: the same tokens, the same pixels, better graphs."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as some
from numpy.typing import NDArray
from PIL import Image

from latent.errors import InputError, ModelUnavailableError
from latent.models.artifact import ImageInput
from latent.models.cleaning import cleaned
from latent.models.fitting import fitted
from latent.models.pictures import without_extremes

onnx = pytest.importorskip("onnx", reason="compiling needs the extra 'models'")
open_clip = pytest.importorskip("open_clip", reason="compiling needs the extra 'models'")

import tiny_models  # noqa: E402
import torch  # noqa: E402
from open_clip.transform import PreprocessCfg, image_transform_v2  # noqa: E402
from open_clip.transformer import VisionTransformer  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402

from latent.models.compiling import exporting  # noqa: E402
from latent.models.compiling.openclip_parts import _blocks_of, byte_pairs, parts_of  # noqa: E402
from latent.models.compiling.parts import ImagePart  # noqa: E402
from latent.models.compiling.plainer import plainer  # noqa: E402
from latent.models.compiling.quantising import in_8_bits  # noqa: E402
from latent.models.compiling.samples import (  # noqa: E402
    calibration_texts,
    made_pictures,
    packaged_texts,
)
from latent.models.openclip import OpenClipEmbedder  # noqa: E402

CLIP = open_clip.SimpleTokenizer()
PAIRS = Tokenizer.from_str(byte_pairs(CLIP))
PAIRS.encode_special_tokens = True

# --- tokens -------------------------------------------------------------------------------------

LETTERS = "aeio stDON'’“”…&;#<>_-.,!?0129 \t\n\u00a0éèüßñÅçśжщдאبغदकあ漢字한🎉🐕👩\u200d👧ﬁＡ½²"
# What is no character yet is a letter to the one library's tables and not to the other's.
ANYTHING = some.characters(exclude_categories=("Cs", "Cn", "Co"))
WRITTEN = some.text(some.sampled_from(LETTERS)) | some.text(ANYTHING, max_size=60)


def ours(text: str) -> list[int]:
    ids: list[int] = PAIRS.encode(cleaned(text, "lower")).ids
    return ids


def theirs(text: str) -> list[int]:
    return [CLIP.sot_token_id, *CLIP.encode(text), CLIP.eot_token_id]


@given(WRITTEN)
def test_clips_tokens_are_the_same_in_both_libraries(text: str) -> None:
    if "_of_text>" not in text.lower():
        assert ours(text) == theirs(text)


@pytest.mark.parametrize(
    "text",
    [
        "don't they're we've I'd she'll I'm it's O'SHEA 'tis rock'n'roll",
        "  spaces\t\tand\n\nlines   everywhere \u00a0 ",
        "tom &amp; jerry &amp;amp; &lt;b&gt; &eacute;",
        "â€œmojibakeâ€\x9d and schÃ¶n",
        "ＦＵＬＬ ﬁne ½ x² № ™",
        "👩‍👩‍👧‍👦 🇩🇪 ❤️‍🔥 :-) ¯\\_(ツ)_/¯",
        "e\u0301 vs é, İstanbul ıI ŞŞ ǅ ß ẞ",
        "1234567890 3.14 1e-5 0x1F",
        "supercalifragilisticexpialidocious" * 3,
        "\u200bzero\u200dwidth\ufeff \u202eright",
        *packaged_texts(),
        *calibration_texts(),
    ],
)
def test_what_people_write_has_the_same_tokens(text: str) -> None:
    assert ours(text) == theirs(text)


@pytest.mark.parametrize("how", ["whitespace", "lower", "canonicalize"])
def test_texts_are_cleaned_as_open_clip_cleans_them(how: str) -> None:
    clean = open_clip.tokenizer.get_clean_fn(how)
    for text in ("  A_b, C!  d\n&amp; “E” ", *packaged_texts(), "", "!!!"):
        assert cleaned(text, how) == clean(text)  # type: ignore[arg-type]


# --- pixels -------------------------------------------------------------------------------------


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("mode", ["shortest", "squash", "longest"])
@pytest.mark.parametrize(
    "size", [(64, 48), (47, 64), (101, 99), (33, 200), (7, 5), (32, 32), (1, 9)]
)
def test_pixels_are_those_of_open_clips_own_transform(
    size: tuple[int, int], mode: str, interpolation: str
) -> None:
    chance = np.random.default_rng(size[0])
    picture = Image.fromarray(chance.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
    how = PreprocessCfg(
        size=32, mean=(0,) * 3, std=(1,) * 3, resize_mode=mode, interpolation=interpolation,
        fill_color=9,
    )  # fmt: skip
    expected = (
        (image_transform_v2(how, is_train=False)(without_extremes(picture)) * 255).round().byte()
    )
    wanted = ImageInput.model_validate(
        {
            "size": 32,
            "fit": {"longest": "pad"}.get(mode, mode),
            "resample": interpolation,
            "fill": 9,
            "longest_aspect": 8,
        }
    )
    np.testing.assert_array_equal(fitted(picture, wanted), expected.permute(1, 2, 0).numpy())


def test_a_panorama_is_no_longer_than_it_may_be() -> None:
    wide = Image.new("RGB", (60_000, 2), "blue")
    wide.paste("red", (29_990, 0, 30_010, 2))
    wanted = ImageInput(size=32, fit="shortest", longest_aspect=8)
    assert (fitted(wide, wanted) == (255, 0, 0)).all()


def test_pictures_that_are_no_square_are_refused(tmp_path: Path) -> None:
    folder = tiny_models.save_open_clip(tmp_path / "tiny")
    embedder = OpenClipEmbedder(str(folder), threads=1)
    embedder.model.visual.preprocess_cfg = {
        **embedder.model.visual.preprocess_cfg, "size": (32, 48)
    }  # fmt: skip
    with pytest.raises(InputError, match="no square"):
        parts_of(embedder)


# --- graphs -------------------------------------------------------------------------------------


class Unit(torch.nn.Module):
    """Two layers behind the mean colour."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(3, 64), torch.nn.LayerNorm(64), torch.nn.GELU(), torch.nn.Linear(64, 8)
        )

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        mean = pixels.float().mean((1, 2)) / 255
        return torch.nn.functional.normalize(self.layers(mean), dim=-1)


@pytest.fixture(scope="module")
def graph() -> bytes:
    return exporting.image_graph(ImagePart(Unit().eval(), ImageInput(size=4, fit="squash")))


PIXELS = np.random.default_rng(3).integers(0, 256, (6, 4, 4, 3), dtype=np.uint8)


def run(graph: bytes, pixels: np.ndarray) -> np.ndarray:
    rows: np.ndarray = ort.InferenceSession(graph).run(None, {"pixels": pixels})[0]
    return rows


def test_a_graph_takes_any_number_and_notes_nothing_of_this_machine(graph: bytes) -> None:
    expected = Unit().eval()(torch.from_numpy(PIXELS)).detach().numpy()
    for count in (1, 2, 6):
        np.testing.assert_allclose(run(graph, PIXELS[:count]), expected[:count], atol=1e-5)
    model = onnx.load_model_from_string(graph)
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)
    assert str(Path(__file__).parent).encode() not in graph


def test_a_tower_that_cannot_be_exported_is_told_apart() -> None:
    class Whimsical(torch.nn.Module):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("not today")

    with pytest.raises(ModelUnavailableError, match=r"image tower cannot be compiled.*not today"):
        exporting.image_graph(ImagePart(Whimsical(), ImageInput(size=4, fit="squash")))


def test_a_tower_too_large_for_a_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "LARGEST", 100)
    with pytest.raises(ModelUnavailableError, match="an ONNX file holds 2 GB"):
        exporting.image_graph(ImagePart(Unit().eval(), ImageInput(size=4, fit="squash")))


def test_products_in_8_bits_are_near_and_no_row_depends_on_another(graph: bytes) -> None:
    small = in_8_bits(graph, [{"pixels": PIXELS}])
    operators = [node.op_type for node in onnx.load_model_from_string(small).graph.node]
    assert operators.count("MatMulIntegerToFloat") == 2
    assert not {"MatMul", "Gemm"} & set(operators)
    exact, rough = run(graph, PIXELS), run(small, PIXELS)
    assert np.sum(exact * rough, axis=1).min() > 0.999
    assert np.abs(exact - rough).max() > 0
    bright = np.concatenate([PIXELS[:1], np.full((3, 4, 4, 3), 255, np.uint8)])
    np.testing.assert_array_equal(run(small, bright)[0], rough[0])


@pytest.mark.parametrize("rows", [64, 63])
def test_no_two_weights_in_8_bits_are_more_than_16_bits_can_add(rows: int) -> None:
    """Processors without VNNI cut off what is more; there the kernels that cannot are held."""
    weights = np.random.default_rng(0).normal(size=(rows, 40)).astype(np.float32)
    weights[:, :20] = np.abs(weights[:, :20])  # all of one sign: the worst that can be
    weights[:, 0] = 1
    small = in_8_bits(product(weights), [{"x": np.ones((1, rows), np.float32)}])
    (whole,) = (
        onnx.numpy_helper.to_array(one).astype(int)
        for one in onnx.load_model_from_string(small).graph.initializer
        if one.name.endswith("_int8")
    )
    pairs = np.pad(whole, ((0, rows % 2), (0, 0))).reshape(-1, 2, 40)
    assert 255 * pairs.clip(min=0).sum(axis=1).max() < 2**15
    assert 255 * pairs.clip(max=0).sum(axis=1).min() >= -(2**15)
    assert np.abs(whole).max() > 100  # and no more is given away than that
    bright = np.ones((3, rows), np.float32)
    quick, exact = (x64(small, is_exact).run(None, {"x": bright})[0] for is_exact in (False, True))
    np.testing.assert_array_equal(quick, exact)
    np.testing.assert_allclose(quick, bright @ weights, rtol=0.02, atol=0.2)


def product(weights: NDArray[np.float32]) -> bytes:
    """A graph that multiplies `x` with weights."""
    rows, columns = weights.shape
    kind = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["x", "weights"], ["vectors"])],
        "product",
        [onnx.helper.make_tensor_value_info("x", kind, ["n", rows])],
        [onnx.helper.make_tensor_value_info("vectors", kind, ["n", columns])],
        [onnx.numpy_helper.from_array(weights, "weights")],
    )
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10
    )
    return bytes(model.SerializeToString())


def x64(graph: bytes, is_exact: bool) -> ort.InferenceSession:
    """A session with the kernels that a processor without VNNI has by default, or the exact."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry("session.x64quantprecision", str(int(is_exact)))
    return ort.InferenceSession(graph, options)


def test_a_row_of_zeros_is_a_row_of_zeros_in_8_bits(graph: bytes) -> None:
    small, black = in_8_bits(graph, [{"pixels": PIXELS}]), np.zeros_like(PIXELS[:2])
    np.testing.assert_allclose(run(small, black), run(graph, black), atol=0.02)


def test_a_large_table_is_stored_in_half_and_read_in_full() -> None:
    table = np.random.default_rng(1).normal(size=(2_000, 600)).astype(np.float32)
    nodes = [
        onnx.helper.make_node("Gather", ["table", "ids"], ["found"]),
        onnx.helper.make_node("ReduceSum", ["found", "axes"], ["vectors"], keepdims=0),
    ]
    kinds = onnx.TensorProto
    model = onnx.helper.make_model(
        onnx.helper.make_graph(
            nodes,
            "sum",
            [onnx.helper.make_tensor_value_info("ids", kinds.INT64, ["n", "t"])],
            [onnx.helper.make_tensor_value_info("vectors", kinds.FLOAT, ["n", 600])],
            [
                onnx.numpy_helper.from_array(table, "table"),
                onnx.numpy_helper.from_array(np.array([1]), "axes"),
            ],
        ),
        opset_imports=[onnx.helper.make_opsetid("", 20)],
        ir_version=10,
    )
    ids = np.array([[1, 7, 1_999]])
    small = in_8_bits(model.SerializeToString(), [{"ids": ids}])
    assert len(small) < 0.6 * table.nbytes
    found = ort.InferenceSession(small).run(None, {"ids": ids})[0]
    np.testing.assert_allclose(found, table[ids[0]].sum(0)[None], atol=5e-3)


def test_plainer_modules_compute_the_same_and_are_put_back() -> None:
    torch.manual_seed(2)
    model = torch.nn.ModuleDict(
        {
            "attention": torch.nn.MultiheadAttention(16, 4, batch_first=True),
            "patches": torch.nn.Conv2d(3, 8, 4, stride=4),
            "other": torch.nn.Conv2d(3, 8, 3, stride=2),
        }
    ).eval()
    rows, pixels = torch.randn(2, 5, 16), torch.randn(2, 3, 10, 8)
    mask = torch.full((5, 5), float("-inf")).triu(1)

    def compute() -> list[torch.Tensor]:
        return [
            model["attention"](rows, rows, rows, need_weights=False, attn_mask=mask)[0],
            model["attention"](rows[:, :1], rows, rows, need_weights=False)[0],
            model["patches"](pixels),
        ]

    before, types = compute(), [type(one) for one in model.values()]
    with plainer(model), torch.inference_mode():
        assert type(model["attention"]) is not types[0]
        assert type(model["patches"]) is not types[1]
        assert type(model["other"]) is types[2]
        for expected, found in zip(before, compute(), strict=True):
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    assert [type(one) for one in model.values()] == types


def _vision(**more: Any) -> VisionTransformer:
    torch.manual_seed(3)
    usual = {"image_size": 16, "patch_size": 8, "width": 16, "layers": 2, "heads": 2}
    return VisionTransformer(**usual, mlp_ratio=2.0, output_dim=8, **more).eval()


@pytest.mark.parametrize("more", [{}, {"ls_init_value": 0.5}, {"final_ln_after_pool": True}])
def test_where_one_token_is_read_the_last_block_makes_no_other(more: dict[str, Any]) -> None:
    tower = _vision(**more)
    blocks = _blocks_of(tower)
    assert blocks is not None
    last, pixels = blocks[-1], torch.randn(3, 3, 16, 16)
    with torch.inference_mode():
        expected = tower(pixels)
        with plainer(tower, blocks=blocks):
            assert blocks[-1](torch.randn(3, 5, 16)).shape == (3, 1, 16)
            torch.testing.assert_close(tower(pixels), expected, atol=1e-6, rtol=0)
        assert blocks[-1] is last
        torch.testing.assert_close(tower(pixels), expected, atol=0, rtol=0)
        assert type(last.attn) is torch.nn.MultiheadAttention


@pytest.mark.parametrize(
    "more",
    [{"pool_type": "avg"}, {"attentional_pool": True}, {"output_tokens": True}, {"qk_norm": True}],
)
def test_where_more_is_read_every_token_is_made(more: dict[str, Any]) -> None:
    assert _blocks_of(_vision(**more)) is None


# --- samples ------------------------------------------------------------------------------------


def test_made_pictures_are_files_of_many_shapes_and_always_the_same() -> None:
    files = list(made_pictures())
    assert files == list(made_pictures())
    assert files[:3] != list(made_pictures(3, seed=8))
    assert len({Image.open(BytesIO(file)).size for file in files}) > 3


def test_nothing_is_measured_on_what_calibrated() -> None:
    assert not set(calibration_texts()) & set(packaged_texts())
    assert len(packaged_texts()) > 50
    assert sum(not text.isascii() for text in packaged_texts()) > 15

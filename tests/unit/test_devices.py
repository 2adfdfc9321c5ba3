"""Where models run, and that 16 bits put things where 32 do; with a fake of what torch says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from latent.errors import ModelUnavailableError
from latent.items import Vectors
from latent.models import registry
from latent.models.embedder import Embedder
from latent.models.towers import CUDA, PROCESSOR, providers
from latent.settings import Settings

torch = pytest.importorskip("torch", reason="needs the extra 'models'")
pytest.importorskip("open_clip", reason="needs the extra 'models'")

import tiny_models  # noqa: E402

from latent.models.devices import CPU, Arithmetic, Device, chosen, unit_rows  # noqa: E402
from latent.models.openclip import OpenClipEmbedder  # noqa: E402
from latent.models.sentence import SentenceEmbedder  # noqa: E402

HALVES = (torch.bfloat16,)
MIXED = Device("cpu", HALVES)
"""Stands for an accelerator: torch's mixed arithmetic is the same code on a processor."""


@dataclass(frozen=True)
class Says:
    """A torch.cuda that has what it is told to have."""

    there: bool
    bf16: bool = True

    def is_available(self) -> bool:
        return self.there

    def is_bf16_supported(self) -> bool:
        return self.bf16


# --- which device -------------------------------------------------------------------------------


def test_auto_takes_an_accelerator_where_there_is_one() -> None:
    assert chosen("auto", Says(False)) is CPU
    there = chosen("auto", Says(True))
    assert (there.name, there.halves) == ("cuda", (torch.float16, torch.bfloat16))
    assert there.batch > CPU.batch


def test_an_older_accelerator_is_not_asked_for_what_it_lacks() -> None:
    assert chosen("cuda", Says(True, bf16=False)).halves == (torch.float16,)


def test_the_processor_can_be_asked_for() -> None:
    assert chosen("cpu", Says(True)) is CPU


def test_an_accelerator_that_is_wanted_and_not_there_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(ModelUnavailableError, match="NEARFIELD_DEVICE to auto or cpu"):
        chosen("cuda", Says(False))


def test_graphs_run_where_they_are_wanted_and_can_be() -> None:
    both = [CUDA, PROCESSOR]
    assert providers("auto", b"MatMul", both) == both
    assert providers("cuda", b"MatMul", both) == both
    assert providers("cpu", b"MatMul", both) == [PROCESSOR]
    assert providers("auto", b"MatMul", [PROCESSOR]) == [PROCESSOR]
    with pytest.raises(ModelUnavailableError, match="onnxruntime-gpu"):
        providers("cuda", b"MatMul", [PROCESSOR])


def test_a_graph_in_8_bits_stays_on_the_processor() -> None:
    assert providers("cuda", b"..MatMulIntegerToFloat..", [CUDA, PROCESSOR]) == [PROCESSOR]


@pytest.mark.parametrize("kind", ["openclip", "sentence", "compiled"])
def test_a_model_on_a_device_that_is_not_there_is_not_loaded(kind: str, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one here")
    save = {
        "openclip": tiny_models.save_open_clip,
        "sentence": tiny_models.save_sentence_bert,
        "compiled": tiny_models.save_compiled,
    }[kind]
    name = f"{kind}:{save(tmp_path / 'tiny')}"
    with pytest.raises(ModelUnavailableError, match="NEARFIELD_DEVICE is cuda"):
        registry.load(name, Settings(threads=1, device="cuda")).embed_texts(["two dogs"])


# --- which arithmetic ---------------------------------------------------------------------------


def rows_by(rows: dict[object, list[list[float]]], by: Arithmetic) -> Vectors:
    return np.array(rows[by.half], np.float32)


def settled(halves: tuple[object, ...], **cosines: float) -> object:
    """What is settled on, if the arithmetic of these names lands at such cosines."""
    rows: dict[object, list[list[float]]] = {None: [[1.0, 0.0]]}
    for name, cosine in cosines.items():
        rows[getattr(torch, name)] = [[cosine, (1 - cosine**2) ** 0.5]]
    arithmetic = Arithmetic(Device("cpu", halves))  # type: ignore[arg-type]
    exact = arithmetic.settle(lambda: rows_by(rows, arithmetic), of="it")
    assert exact.tolist() == [[1.0, 0.0]]
    return arithmetic.half


def test_the_first_arithmetic_that_holds_is_taken() -> None:
    both = (torch.float16, torch.bfloat16)
    assert settled(both, float16=0.9999, bfloat16=0.9999) is torch.float16
    assert settled(both, float16=0.9, bfloat16=0.9995) is torch.bfloat16
    assert settled(both, float16=float("nan"), bfloat16=0.9995) is torch.bfloat16
    assert settled(both, float16=0.9, bfloat16=0.9) is None
    assert settled(()) is None


def test_rows_of_any_arithmetic_are_unit_float32() -> None:
    rows = unit_rows(torch.tensor([[3.0, 4.0], [0.1, 0.2]], dtype=torch.bfloat16))
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)


@pytest.fixture(scope="module", params=["openclip", "bert", "clip"])
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Embedder, Embedder]]:
    """A model in float32, and the same mixed with 16 bits."""
    folder = tmp_path_factory.mktemp("mixed") / "tiny"
    if request.param == "openclip":
        name = str(tiny_models.save_open_clip(folder))
        yield (
            OpenClipEmbedder(name, threads=2),
            OpenClipEmbedder(name, threads=2, device=MIXED),
        )
        return
    save = {"bert": tiny_models.save_sentence_bert, "clip": tiny_models.save_sentence_clip}
    name = str(save[request.param](folder))
    yield SentenceEmbedder(name, threads=2), SentenceEmbedder(name, threads=2, device=MIXED)


def test_mixed_arithmetic_is_of_the_same_space_and_lands_nearby(
    pair: tuple[Embedder, Embedder],
) -> None:
    exact, mixed = pair
    assert mixed.space.is_same_as(exact.space)
    texts = ["two dogs", "a red dog runs in the snow", "word"]
    theirs, ours = exact.embed_texts(texts), mixed.embed_texts(texts)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-5)
    assert (theirs * ours).sum(1).min() > 0.999
    assert np.abs(theirs - ours).max() > 1e-6  # else nothing was mixed


def test_pictures_too_land_nearby(pair: tuple[Embedder, Embedder]) -> None:
    exact, mixed = pair
    if exact.picture_side == 1:
        pytest.skip("it takes texts only")
    pictures = [Image.effect_noise((50, 40), 80).convert("RGB"), Image.new("RGB", (9, 9), "red")]
    theirs = exact.embed_images([exact.prepare(one) for one in pictures])
    ours = mixed.embed_images([mixed.prepare(one) for one in pictures])
    assert ours.dtype == np.float32
    assert (theirs * ours).sum(1).min() > 0.999

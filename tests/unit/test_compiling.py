"""Compiling: what is kept and what is not, whose space it is, and that it needs no torch."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from latent.errors import InputError, ModelUnavailableError
from latent.items import Item, Modality, Vectors
from latent.models import kept_calibrations, registry
from latent.models.artifact import Artifact
from latent.models.calibration import Calibration, Line
from latent.models.compiled import CompiledEmbedder
from latent.settings import Settings
from latent.store import Store

pytest.importorskip("onnxscript", reason="compiling needs the extra 'models'")
pytest.importorskip("open_clip", reason="compiling needs the extra 'models'")

import tiny_models

from latent.models.compiling import Report, compile_model, name_of
from latent.models.compiling.samples import made_pictures, packaged_texts
from latent.models.openclip import OpenClipEmbedder

TEXTS = ["two dogs in the snow", "a red thing", "naïve café — “quoted”", "日本語 🎉"]
ONE = Settings(threads=1)


@dataclass(frozen=True)
class Compiled:
    """A tiny model, as it was and as it was compiled."""

    source: OpenClipEmbedder
    report: Report
    stages: list[str]

    @property
    def opened(self) -> CompiledEmbedder:
        return CompiledEmbedder(self.report.folder, threads=2)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> OpenClipEmbedder:
    folder = tiny_models.save_open_clip(tmp_path_factory.mktemp("source") / "tiny")
    return OpenClipEmbedder(str(folder), threads=1)


@pytest.fixture(scope="module")
def compiled(source: OpenClipEmbedder, tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    stages: list[str] = []
    folder = tmp_path_factory.mktemp("compiled") / "tiny"
    report = compile_model(source, folder, settings=ONE, progress=stages.append)
    return Compiled(source, report, stages)


@pytest.fixture
def folder(compiled: Compiled, tmp_path: Path) -> Path:
    """A copy of the artifact that a test may change."""
    return Path(shutil.copytree(compiled.report.folder, tmp_path / "copy"))


def change(folder: Path, **changes: object) -> None:
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_texts_and_pictures_land_where_the_source_puts_them(compiled: Compiled) -> None:
    picture = Image.effect_noise((90, 50), 80).convert("RGB")
    opened, source = compiled.opened, compiled.source
    texts = np.sum(opened.embed_texts(TEXTS) * source.embed_texts(TEXTS), axis=1)
    ours = opened.embed_images([opened.prepare(picture)])
    theirs = source.embed_images([source.prepare(picture)])
    assert texts.min() > 0.99
    assert np.sum(ours * theirs) > 0.99


def test_both_precisions_are_reported_and_the_faster_that_holds_is_kept(compiled: Compiled) -> None:
    report = compiled.report
    assert [one.precision for one in report.variants] == ["float32", "int8"]
    assert all(one.held for one in report.variants)
    assert report.failed == ()
    kept = next(one for one in report.variants if one.precision == report.kept)
    assert kept.speed.images == max(one.speed.images or 0 for one in report.variants)
    exact, rough = (one.texts for one in report.variants)
    assert exact is not None
    assert rough is not None
    assert 0.99 < rough.least < exact.least
    assert report.variants[1].bytes < 0.7 * report.variants[0].bytes


def test_what_holds_is_of_the_space_of_its_source(compiled: Compiled) -> None:
    assert compiled.opened.space.is_same_as(compiled.source.space)
    assert Artifact(compiled.report.folder).manifest.own_fingerprint != (
        compiled.source.space.fingerprint
    )


def test_what_was_indexed_before_compiling_is_found_after(
    compiled: Compiled, store: Store, tmp_path: Path
) -> None:
    before = store.ensure("pictures", compiled.source.space.model)
    pictures = [Image.new("RGB", (40, 30), colour) for colour in ("red", "green", "blue")]
    rows = compiled.source.embed_images([compiled.source.prepare(one) for one in pictures])
    before.put(
        [
            Item(id=str(number), modality=Modality.IMAGE, uri=f"{number}.png", vector=row)
            for number, row in enumerate(rows)
        ]
    )
    after = store.ensure("pictures", f"compiled:{compiled.report.folder}")
    opened = compiled.opened
    asked = opened.embed_images([opened.prepare(pictures[1])])[0]
    assert after.nearest(asked, 1)[0].item.id == "1"


def test_the_card_tells_the_measured_parity(compiled: Compiled) -> None:
    manifest = Artifact(compiled.report.folder).manifest
    assert manifest.stands_for is not None
    assert manifest.stands_for.model == compiled.source.space.model
    assert 0.99 <= manifest.card.measured["text_cosine_to_source_least"] <= 1
    assert 0.99 <= manifest.card.measured["image_cosine_to_source_mean"] <= 1


def test_what_was_learnt_of_the_source_is_carried(
    source: OpenClipEmbedder, settings: Settings, tmp_path: Path
) -> None:
    learnt = Calibration(alone={"text-image": Line(bias=-1, score=9)}, about="an album")
    kept_calibrations.keep(source.space, learnt, settings)
    report = compile_model(source, tmp_path / "made", settings=settings, precision="float32")
    assert Artifact(report.folder).manifest.calibration == learnt


def test_the_stages_are_told(compiled: Compiled) -> None:
    said = " ".join(compiled.stages)
    for stage in ("exporting the image tower", "float32: measuring", "int8: quantising"):
        assert stage in said


def test_made_pictures_are_not_called_photos(compiled: Compiled) -> None:
    assert not compiled.report.are_photos
    assert compiled.report.pictures == len(list(made_pictures()))


def test_photos_that_are_given_are_what_parity_is_measured_on(
    source: OpenClipEmbedder, photos: Path, tmp_path: Path
) -> None:
    (photos / "broken.png").write_bytes(b"no picture")
    report = compile_model(
        source,
        tmp_path / "made",
        settings=ONE,
        precision="float32",
        photos=sorted(photos.iterdir()),
        texts=["a dog", "two dogs", ":-)", "dog " * 40],
    )
    assert report.are_photos
    assert report.pictures == len(list(photos.iterdir())) - 1
    assert report.texts == 3
    assert report.kept == "float32"


def test_photos_of_which_none_can_be_read_are_refused(
    source: OpenClipEmbedder, tmp_path: Path
) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"broken\.png"):
        compile_model(source, tmp_path / "made", settings=ONE, photos=[tmp_path / "broken.png"])
    assert not (tmp_path / "made").exists()


class Crooked(OpenClipEmbedder):
    """A model that puts one text elsewhere than its weights say."""

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        rows = super().embed_texts(texts)
        for number, text in enumerate(texts):
            if text == "lighthouse":
                rows[number] = -rows[number]
        return rows


def test_what_fails_a_check_is_not_kept_and_the_check_is_named(
    source: OpenClipEmbedder, tmp_path: Path
) -> None:
    assert "lighthouse" in packaged_texts()
    crooked = Crooked(source.space.model.removeprefix("openclip:"), threads=1)
    place = tmp_path / "models"
    report = compile_model(crooked, place / "made", settings=ONE)
    assert report.kept is None
    assert "float32: least cosine of texts is -1" in report.failed[0]
    assert any(failed.startswith("int8: ") for failed in report.failed)
    assert not list(place.iterdir())


def test_a_folder_in_use_is_not_written_to(
    source: OpenClipEmbedder, folder: Path, tmp_path: Path
) -> None:
    before = (folder / "model.json").read_bytes()
    with pytest.raises(InputError, match="is there already"):
        compile_model(source, folder, settings=ONE)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep me")
    with pytest.raises(InputError, match="no compiled model"):
        compile_model(source, tmp_path / "mine", settings=ONE, replace=True)
    assert (folder / "model.json").read_bytes() == before
    assert (tmp_path / "mine" / "notes.txt").read_text() == "keep me"


def test_one_that_may_be_replaced_is(source: OpenClipEmbedder, folder: Path) -> None:
    (folder / "model.json").write_text((folder / "model.json").read_text() + "\n")
    report = compile_model(source, folder, settings=ONE, precision="float32", replace=True)
    assert report.kept == "float32"
    assert CompiledEmbedder(folder, threads=1).space.is_same_as(source.space)
    assert [one.name for one in folder.parent.iterdir()] == [folder.name]


def test_an_interrupted_compilation_leaves_nothing(
    source: OpenClipEmbedder, tmp_path: Path
) -> None:
    def stop(stage: str) -> None:
        if stage.startswith("float32: measuring speed"):
            raise KeyboardInterrupt

    place = tmp_path / "models"
    with pytest.raises(KeyboardInterrupt):
        compile_model(source, place / "made", settings=ONE, progress=stop)
    assert not list(place.iterdir())


@pytest.mark.parametrize("name", ["mini", "colours"])
def test_what_is_no_torch_model_is_not_compiled(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="only openclip:… and sentence:… models"):
        compile_model(name, tmp_path / "made", settings=ONE)


def test_an_artifact_that_was_changed_stands_for_nothing(folder: Path) -> None:
    wanted = json.loads((folder / "model.json").read_text())["image"]
    change(folder, image={**wanted, "fit": "squash"})
    with pytest.raises(ModelUnavailableError, match="changed after its parity was checked"):
        CompiledEmbedder(folder, threads=1)


def test_a_processor_that_computes_otherwise_is_found_out(folder: Path) -> None:
    probes = json.loads((folder / "model.json").read_text())["probes"]
    dim = len(probes["text"])
    elsewhere = np.linalg.qr(np.array([probes["text"], np.arange(dim)]).T)[0][:, 1]
    change(folder, probes={**probes, "text": elsewhere.tolist()})
    opened = CompiledEmbedder(folder, threads=1)
    with pytest.raises(ModelUnavailableError, match=r"text\.onnx computes otherwise here"):
        opened.embed_texts(["a dog"])
    assert opened.embed_images([opened.prepare(Image.new("RGB", (8, 8)))]).shape == (1, dim)


def test_probes_of_another_dimension_are_refused(folder: Path) -> None:
    change(folder, probes={"text": [1.0]})
    with pytest.raises(ModelUnavailableError, match="probes"):
        CompiledEmbedder(folder, threads=1)


def test_serving_imports_no_torch(compiled: Compiled) -> None:
    program = (
        "import sys; from pathlib import Path; from PIL import Image\n"
        "from latent.models.compiled import CompiledEmbedder\n"
        f"model = CompiledEmbedder(Path({str(compiled.report.folder)!r}), threads=1)\n"
        "model.embed_texts(['a dog'])\n"
        "model.embed_images([model.prepare(Image.new('RGB', (60, 40)))])\n"
        "print(sorted({'torch', 'open_clip', 'transformers', 'onnx'} & set(sys.modules)))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"


def test_without_the_libraries_it_is_said_what_to_install(
    source: OpenClipEmbedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    for module in ("trial", "quantising"):
        monkeypatch.delitem(sys.modules, f"latent.models.compiling.{module}", raising=False)
    with pytest.raises(ModelUnavailableError, match="pip install torch onnx onnxscript"):
        compile_model(source, tmp_path / "made", settings=ONE)


def test_a_name_in_the_data_folder_is_enough(compiled: Compiled, settings: Settings) -> None:
    place = settings.data / registry.COMPILED / "mine"
    shutil.copytree(compiled.report.folder, place)
    opened = registry.load("compiled:mine", settings)
    assert opened.space.model == f"compiled:{place}"
    assert opened.space.is_same_as(compiled.source.space)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("openclip:ViT-B-32/laion2b_s34b_b79k", "ViT-B-32-laion2b_s34b_b79k"),
        ("openclip:ViT-B-32@/models/mine.safetensors", "ViT-B-32-mine"),
        ("openclip:/models/tuned", "tuned"),
        ("sentence:sentence-transformers/LaBSE", "sentence-transformers-LaBSE"),
        ("openclip:hf-hub:some/one", "hf-hub-some-one"),
        ("openclip:..", "model"),
    ],
)
def test_the_folder_is_named_after_the_model(model: str, name: str) -> None:
    assert name_of(model) == name

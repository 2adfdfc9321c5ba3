"""The training of `mini`: what is compiled is what learned, and the figures are right."""

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from safetensors.torch import save_file

from scripts.training.backbone import (
    FEATURES,
    SHARED,
    Branch,
    Classifier,
    ImageTower,
    MobileNetV2,
    Naming,
)
from scripts.training.figures import named, recalls, same_class_first, spearman
from scripts.training.learning import contrast
from scripts.training.photos import Photo
from scripts.training.recipe import Recipe, Stage
from scripts.training.sight import learn_sight
from scripts.training.towers import image_tower
from scripts.training.views import keep_views, view_path
from scripts.training.whole_numbers import in_whole_numbers

DIM = 64


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    """The architecture with weights of its own making."""
    torch.manual_seed(0)
    backbone = MobileNetV2()
    for weight in backbone.parameters():
        if weight.ndim == 4:  # torch's own start would let every picture fade to the same grey
            torch.nn.init.kaiming_normal_(weight)
    state = {
        **backbone.state_dict(),
        "classifier.1.weight": torch.randn(1001, 1280) / 10,
        "classifier.1.bias": torch.zeros(1001),
    }
    path = tmp_path_factory.mktemp("weights") / "backbone.safetensors"
    save_file({name: tensor.half().contiguous() for name, tensor in state.items()}, path)
    return Classifier(path).eval()


def test_the_compiled_image_tower_places_pictures_where_the_trained_one_does(
    classifier: Classifier,
) -> None:
    torch.manual_seed(1)
    branches = [
        Branch(classifier.backbone, head=head, dim=DIM, dropout=0.3, skip=0.2)
        for head in ("bent", "pool", "both")
    ]
    naming = Naming(classifier, torch.nn.functional.normalize(torch.randn(1000, DIM), dim=-1))
    sight = learn_sight(torch.rand(40, FEATURES + 1000), [unit(50)], dim=8, share=0.6)
    early = classifier.backbone.features[:SHARED]
    tower = ImageTower(early, branches, naming, sight, weight=0.4).eval()
    weights = {name: tensor.float().numpy() for name, tensor in tower.state_dict().items()}
    graph = image_tower(weights, 64)
    ramp = np.broadcast_to(np.arange(0, 256, 4, dtype=np.uint8)[:, None, None], (64, 64, 3))
    pixels = np.stack([ramp, np.full_like(ramp, 255), np.zeros_like(ramp)])
    with torch.inference_mode():
        wanted = tower(torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1)
    options = ort.SessionOptions()  # as an artifact is opened where sums of 8 bits are cut off
    options.add_session_config_entry("session.x64quantprecision", "1")
    for compiled, least in ((graph, 0.97), (in_whole_numbers(graph, pixels), 0.9)):
        (placed,) = ort.InferenceSession(compiled, options).run(None, {"pixels": pixels})
        scores = placed @ wanted.numpy().T
        assert np.diag(scores).min() > least  # int8 weights, of random size here
        assert (scores.argmax(1) == np.arange(3)).all()


def unit(count: int) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.randn(count, DIM), dim=-1)


def test_sight_leaves_texts_alone_and_brings_like_photos_together() -> None:
    torch.manual_seed(2)
    texts = unit(500)
    texts[:, -8:] *= 0.01  # eight directions that texts hardly use
    texts = torch.nn.functional.normalize(texts, dim=-1)
    found = torch.rand(60, 300)
    found[::2] += 3 * torch.rand(300)  # two kinds of photos
    sight = learn_sight(found, [texts], dim=8, share=0.6)
    seen = torch.nn.functional.normalize((found - sight.mean) @ sight.axes.T, dim=-1)
    said = unit(60)
    rows = sight.beside(said, seen)
    assert torch.linalg.norm(rows, dim=-1) == pytest.approx(1, abs=1e-4)
    plain = torch.nn.functional.normalize(said - said @ sight.empty.T @ sight.empty, dim=-1)
    assert (rows @ texts.T).numpy() == pytest.approx(0.8 * (plain @ texts.T).numpy(), abs=0.02)
    alike = rows @ rows.T
    assert alike[::2, ::2].mean() > alike[::2, 1::2].mean() + 0.1


def test_a_branch_leaves_blocks_out_only_while_it_learns(classifier: Classifier) -> None:
    branch = Branch(classifier.backbone, head="bent", dim=DIM, dropout=0.0, skip=0.9)
    seen = torch.rand(2, 32, 8, 8)
    branch.eval()
    assert torch.equal(branch(seen), branch(seen))
    branch.train()
    assert not torch.equal(branch(seen), branch(seen))


def test_views_are_made_once_and_those_that_are_there_stay(
    classifier: Classifier, tmp_path: Path
) -> None:
    chance = np.random.default_rng(3)
    photos = [Photo(chance.integers(0, 256, (40, 50, 3), dtype=np.uint8), (0,)) for _ in range(5)]
    stage = Stage(epochs=1, views=2, size=32, least_crop=0.5, backbone_rate=0.0, head_rate=0.0)
    recipe = Recipe(stages=(stage,))
    early = classifier.backbone.features[:SHARED]
    keep_views(photos, early, recipe, tmp_path, threads=2)
    first, second = (np.load(view_path(tmp_path, 0, number)) for number in range(2))
    assert first.shape == second.shape == (5, 4, 4, 32)
    assert not np.array_equal(first, second)
    view_path(tmp_path, 0, 1).unlink()
    np.save(view_path(tmp_path, 0, 0), np.zeros(1))
    keep_views(photos, early, recipe, tmp_path, threads=1)
    assert np.load(view_path(tmp_path, 0, 0)).shape == (1,)
    assert np.array_equal(np.load(view_path(tmp_path, 0, 1)), second)


def test_the_loss_is_least_where_photos_lie_on_their_captions() -> None:
    own = torch.eye(4)[:, None, :].expand(4, 5, 4)
    right, wrong = torch.eye(4), torch.eye(4).roll(1, 0)
    temperature = torch.tensor(0.1)
    assert contrast(right, own, temperature) < 2  # the five captions of a photo share its row
    assert contrast(wrong, own, temperature) > contrast(right, own, temperature) + 5


def test_recall_counts_who_comes_first() -> None:
    images = np.eye(12, dtype=np.float32)
    owners = np.arange(12).repeat(5)
    captions = images[owners]
    captions[:5] = -images[0]  # all captions of the first photo say the opposite of it
    found = recalls(images, captions, owners)
    assert found["text_to_image_recall_at_1"] == pytest.approx(11 / 12)
    assert found["image_to_text_recall_at_1"] == pytest.approx(11 / 12)


def test_naming_counts_the_first_and_the_first_five() -> None:
    classes = np.eye(10, dtype=np.float32)
    images = np.eye(10, dtype=np.float32) + 0.5 * np.roll(classes, 1, axis=0)
    exact = named(images, classes, np.arange(10))
    assert exact == {"class_named_at_1": 1.0, "class_named_at_5": 1.0}
    swapped = named(images, classes, np.roll(np.arange(10), 1))
    assert (swapped["class_named_at_1"], swapped["class_named_at_5"]) == (0.0, 1.0)


def test_the_nearest_photo_is_never_the_photo_itself() -> None:
    rows = np.eye(3, dtype=np.float32)[[0, 0, 1, 1]]
    assert same_class_first(rows, np.array([7, 7, 8, 8])) == 1.0
    assert same_class_first(rows, np.array([7, 8, 7, 8])) == 0.0


def test_rank_correlation_sees_order_alone() -> None:
    scores = np.array([0.1, 0.5, 0.2, 0.9], np.float32)
    assert spearman(scores, scores**3) == pytest.approx(1)
    assert spearman(scores, -scores) == pytest.approx(-1)

"""How the image tower learns: captions pull photos to where MiniLM places the words.

Two losses. A contrastive one ties each captioned photo to its own captions and away from the
others' (Radford et al., arXiv 2103.00020; several positives as in Khosla et al., arXiv
2004.11362). A second one keeps what the backbone already knows beyond the captions: the cosine
to 1,000 class names must order classes as the pretrained classifier does (knowledge
distillation, Hinton et al., arXiv 1503.02531, into a word space as DeViSE, Frome et al. 2013).
The text tower stays as it is. The weights shipped are an exponential moving average.
"""

from __future__ import annotations

import json
import logging
import math
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn
from torch.nn import functional as F

from scripts.training.backbone import Classifier, ImageTower
from scripts.training.photos import Corpus, Photo, augmented, read_corpus, whole

T = TypeVar("T")

log = logging.getLogger(__name__)

TEMPLATES = ("a photo of a {}.", "{}", "a close-up photo of a {}.", "there is a {} in the picture.")


@dataclass(frozen=True)
class Recipe:
    """Every number of one stage of a training run; the model card prints them."""

    epochs: int = 7
    size: int = 160
    captioned_batch: int = 128
    other_batch: int = 64
    backbone_rate: float = 2e-4
    head_rate: float = 1e-3
    weight_decay: float = 0.05
    hidden: int = 1024
    dropout: float = 0.2
    average_decay: float = 0.996
    class_weight: float = 0.5
    bank_weight: float = 0.0
    bank_temperature: float = 0.05
    warm_up: float = 0.05
    tiny_share: float = 0.15
    frozen_blocks: int = 4
    least_crop: float = 0.35
    seed: int = 7


STAGES = (
    Recipe(),
    # Crops show things larger than a whole photo does, and a network remembers the size it saw:
    # a short second stage on nearly whole photos, larger (Touvron et al., arXiv 1906.06423).
    Recipe(
        epochs=3, size=192, least_crop=0.7, backbone_rate=5e-5, head_rate=2e-4, warm_up=0.1, seed=8
    ),
)
"""What `scripts/train` runs, one after the other, each from where the last one ended."""


@dataclass(frozen=True)
class Words:
    """The frozen text side: unit rows of captions `(n, dim)` and of class names `(1000, dim)`."""

    captions: Tensor
    classes: Tensor


def embed_words(corpus: Corpus, text_tower: Path) -> Words:
    """Place captions and class names once; the text tower never changes."""
    tower = SentenceTransformer(str(text_tower), device="cpu")

    def place(texts: Sequence[str]) -> Tensor:
        rows = tower.encode(
            list(texts), batch_size=256, convert_to_tensor=True, normalize_embeddings=True
        )
        return rows.clone().float()

    names = [name.split(",")[0].strip() for name in corpus.class_names]
    classes = torch.stack([place([t.format(n) for n in names]) for t in TEMPLATES]).mean(0)
    return Words(place(corpus.captions), F.normalize(classes, dim=-1))


@torch.no_grad()
def teach(classifier: Classifier, photos: Sequence[Photo], batch: int = 64) -> Tensor:
    """What the pretrained classifier says of each photo: `(n, 1000)` probabilities."""
    classifier.eval()
    rows = []
    for start in range(0, len(photos), batch):
        pixels = whole(photos[start : start + batch], 224)
        rows.append((classifier(pixels) + classifier(pixels.flip(-1)))[:, 1:].div(2).softmax(-1))
    return torch.cat(rows)


@torch.no_grad()
def embed(tower: nn.Module, photos: Sequence[Photo], size: int, batch: int = 100) -> Tensor:
    """Unit rows `(n, dim)` of photos, seen whole."""
    tower.eval()
    return torch.cat(
        [tower(whole(photos[i : i + batch], size)) for i in range(0, len(photos), batch)]
    )


def recalls(images: Tensor, photos: Sequence[Photo], captions: Tensor) -> dict[str, float]:
    """Recall@1 and @10 both ways over `photos` and their own captions."""
    owner = torch.tensor([i for i, photo in enumerate(photos) for _ in photo.captions])
    rows = captions[torch.tensor([c for photo in photos for c in photo.captions])]
    scores = rows @ images.T
    to_image = (scores > scores.gather(1, owner[:, None])).sum(1)
    best_own = torch.stack([scores[owner == i, i].max() for i in range(len(photos))])
    to_text = (scores > best_own[None, :]).sum(0)
    return {
        "text_to_image@1": (to_image < 1).float().mean().item(),
        "text_to_image@10": (to_image < 10).float().mean().item(),
        "image_to_text@1": (to_text < 1).float().mean().item(),
        "image_to_text@10": (to_text < 10).float().mean().item(),
    }


def zero_shot(images: Tensor, photos: Sequence[Photo], classes: Tensor) -> dict[str, float]:
    """Top-1 and top-5 accuracy when the nearest of 1,000 class names is the answer."""
    labels = torch.tensor([photo.label for photo in photos])
    best = (images @ classes.T).topk(5).indices
    hits = best == labels[:, None]
    return {
        "zero_shot@1": hits[:, 0].float().mean().item(),
        "zero_shot@5": hits.any(1).float().mean().item(),
    }


def measure(tower: nn.Module, corpus: Corpus, words: Words, size: int) -> dict[str, float]:
    """Every figure of the model card, on photos that were not trained on."""
    val = embed(tower, corpus.val, size)
    held_out = embed(tower, corpus.classes_held_out, size)
    return recalls(val, corpus.val, words.captions) | zero_shot(
        held_out, corpus.classes_held_out, words.classes
    )


def contrast(images: Tensor, captions: Tensor, scale: Tensor) -> Tensor:
    """Each caption picks its photo; each photo picks its captions. `captions` is `(n, 5, dim)`."""
    count, each, dim = captions.shape
    logits = scale * images @ captions.reshape(-1, dim).T
    owner = torch.arange(count).repeat_interleave(each)
    to_image = F.cross_entropy(logits.T, owner)
    own = F.one_hot(owner, count).T.float() / each
    return (to_image + F.cross_entropy(logits, own)) / 2


def contrast_with_bank(
    images: Tensor, own: Tensor, bank: Tensor, scale: Tensor, temperature: float
) -> Tensor:
    """Against every training caption; captions that mean the same share the blame softly."""
    with torch.no_grad():
        meaning = F.normalize(own.mean(1), dim=-1)
        target = (meaning @ bank.T / temperature).softmax(-1)
    return F.cross_entropy(scale * images @ bank.T, target)


def distil(images: Tensor, classes: Tensor, taught: Tensor, scale: Tensor) -> Tensor:
    """Order class names as the classifier does."""
    return F.cross_entropy(scale * images @ classes.T, taught)


@dataclass(frozen=True)
class Lesson:
    """All that a run learns from; `taught` `(n, 1000)` is what the classifier says of `others`."""

    corpus: Corpus
    words: Words
    classifier: Classifier
    others: list[Photo]
    taught: Tensor


def prepare(folder: Path, text_tower: Path, kept: Path) -> Lesson:
    """Decode the photos, place the words, ask the classifier; what takes minutes is kept."""
    log.info("decoding the photos in %s", folder)
    corpus = read_corpus(folder)
    words = Words(**_once(kept / "words.pt", lambda: asdict(embed_words(corpus, text_tower))))
    classifier = Classifier(folder / "mobilenet_v2_imagenet.safetensors")
    others = corpus.unlabelled + corpus.classes_train + corpus.tiny
    log.info("asking the pretrained classifier about %d photos", len(others))
    taught = _once(kept / "taught.pt", lambda: teach(classifier, others))
    for row, photo in enumerate(others):
        if photo.label >= 0:
            taught[row] *= 0.5
            taught[row, photo.label] += 0.5
    return Lesson(corpus, words, classifier, others, taught)


class Learner:
    """One training run: holds the tower, its average, and the words it learns from."""

    def __init__(self, recipe: Recipe, lesson: Lesson, start: Path | None = None) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.corpus, self.words = recipe, lesson.corpus, lesson.words
        self.others, self.taught = lesson.others, lesson.taught
        self.tower = ImageTower(
            lesson.classifier.backbone,
            dim=self.words.captions.shape[1],
            hidden=recipe.hidden,
            dropout=recipe.dropout,
        ).to(memory_format=torch.channels_last)
        if start is not None:
            self.tower.load_state_dict(torch.load(start, weights_only=True))
        self.tower.backbone.features[: recipe.frozen_blocks].requires_grad_(False)
        self.average = deepcopy(self.tower)
        self.scale = nn.Parameter(torch.tensor(math.log(1 / 0.06)))
        self.class_scale = nn.Parameter(torch.tensor(math.log(1 / 0.06)))
        self.bank = self.words.captions[[c for photo in self.corpus.train for c in photo.captions]]

    def run(self, pool: ThreadPoolExecutor, history: Path) -> nn.Module:
        """Train for all epochs and return the averaged tower; progress goes to `history`."""
        recipe = self.recipe
        steps_an_epoch = len(self.corpus.train) // recipe.captioned_batch
        total = steps_an_epoch * recipe.epochs
        optimiser = self._optimiser()
        rates = [group["lr"] for group in optimiser.param_groups]
        step = 0
        for epoch in range(recipe.epochs):
            began, lost = time.monotonic(), 0.0
            batches = self._batches(epoch, pool)
            ahead = next(batches)
            while ahead is not None:
                job, ahead = ahead, next(batches, None)
                for group, rate in zip(optimiser.param_groups, rates, strict=True):
                    group["lr"] = rate * _pace(step / total, recipe.warm_up)
                loss = self._loss(*job)
                optimiser.zero_grad(set_to_none=True)
                torch.autograd.backward(loss)
                nn.utils.clip_grad_norm_(self.tower.parameters(), 1.0)
                optimiser.step()
                self._take_average(step)
                lost += loss.item()
                step += 1
            figures = measure(self.average, self.corpus, self.words, recipe.size)
            line = {"epoch": epoch + 1, "loss": lost / steps_an_epoch, **figures}
            line["seconds"] = time.monotonic() - began
            log.info(json.dumps({k: round(v, 4) for k, v in line.items()}))
            with history.open("a") as out:
                out.write(json.dumps(line) + "\n")
            torch.save(self.average.state_dict(), history.with_name("tower.pt"))
        return self.average

    def _optimiser(self) -> torch.optim.Optimizer:
        """AdamW; no decay on biases, norms and temperatures."""
        backbone: list[nn.Parameter] = []
        head: list[nn.Parameter] = []
        bare: list[nn.Parameter] = [self.scale, self.class_scale]
        for name, weight in self.tower.named_parameters():
            if not weight.requires_grad:
                continue
            if weight.ndim < 2:
                bare.append(weight)
            else:
                (backbone if name.startswith("backbone.") else head).append(weight)
        decay = self.recipe.weight_decay
        return torch.optim.AdamW(
            [
                {"params": backbone, "lr": self.recipe.backbone_rate, "weight_decay": decay},
                {"params": head, "lr": self.recipe.head_rate, "weight_decay": decay},
                {"params": bare, "lr": self.recipe.backbone_rate, "weight_decay": 0.0},
            ],
            betas=(0.9, 0.98),
        )

    def _batches(self, epoch: int, pool: ThreadPoolExecutor):  # type: ignore[no-untyped-def]
        """Yield (pixels, captioned photos, rows of others), the next one prepared ahead."""
        recipe = self.recipe
        chance = random.Random(recipe.seed * 1000 + epoch)
        train = self.corpus.train[:]
        chance.shuffle(train)
        tiny_from = len(self.others) - len(self.corpus.tiny)
        rows = list(range(tiny_from))
        rows += chance.sample(
            range(tiny_from, len(self.others)), int(len(self.corpus.tiny) * recipe.tiny_share)
        )
        chance.shuffle(rows)

        def prepare(number: int):  # type: ignore[no-untyped-def]
            photos = train[number * recipe.captioned_batch : (number + 1) * recipe.captioned_batch]
            start = number * recipe.other_batch
            picked = [rows[i % len(rows)] for i in range(start, start + recipe.other_batch)]
            pixels = augmented(
                photos + [self.others[row] for row in picked],
                recipe.size,
                pool,
                least_crop=recipe.least_crop,
                seed=chance_seed + number,
            )
            return pixels, photos, picked

        chance_seed = chance.randrange(1 << 30)
        with ThreadPoolExecutor(1) as ahead:
            waiting = ahead.submit(prepare, 0)
            for number in range(len(train) // recipe.captioned_batch):
                ready = waiting.result()
                waiting = ahead.submit(prepare, number + 1)
                yield ready
            waiting.cancel()

    def _loss(self, pixels: Tensor, photos: Sequence[Photo], picked: Sequence[int]) -> Tensor:
        self.tower.train()
        images = self.tower(pixels)
        own = torch.stack([self.words.captions[list(photo.captions)] for photo in photos])
        captioned, others = images[: len(photos)], images[len(photos) :]
        loss = contrast(captioned, own, self.scale.exp().clamp(max=100))
        if self.recipe.bank_weight:
            loss = loss + self.recipe.bank_weight * contrast_with_bank(
                captioned,
                own,
                self.bank,
                self.scale.exp().clamp(max=100),
                self.recipe.bank_temperature,
            )
        return loss + self.recipe.class_weight * distil(
            others,
            self.words.classes,
            self.taught[list(picked)],
            self.class_scale.exp().clamp(max=100),
        )

    @torch.no_grad()
    def _take_average(self, step: int) -> None:
        decay = min(self.recipe.average_decay, (step + 1) / (step + 10))
        for kept, new in zip(self.average.parameters(), self.tower.parameters(), strict=True):
            kept.lerp_(new, 1 - decay)


def _pace(progress: float, warm_up: float) -> float:
    """Linear warm-up, then half a cosine down to zero."""
    if progress < warm_up:
        return progress / warm_up + 1e-3
    return 0.5 * (1 + math.cos(math.pi * (progress - warm_up) / (1 - warm_up)))


def _once(path: Path, make: Callable[[], T]) -> T:
    """What `make` gives, kept in a file for the next run."""
    if not path.exists():
        torch.save(make(), path)
    kept: T = torch.load(path, weights_only=True)
    return kept


def train(
    folder: Path, text_tower: Path, out: Path, *, stages: Sequence[Recipe], start: Path | None
) -> dict[str, float]:
    """Train from the data in `folder`; `tower.pt`, `recipe.json`, `history.jsonl` go to `out`."""
    out.mkdir(parents=True, exist_ok=True)
    lesson = prepare(folder, text_tower, out)
    history = out / "history.jsonl"
    history.unlink(missing_ok=True)
    figures: dict[str, float] = {}
    with ThreadPoolExecutor(2) as pool:
        for recipe in stages:
            tower = Learner(recipe, lesson, start).run(pool, history)
            start = out / "tower.pt"
            figures = measure(tower, lesson.corpus, lesson.words, recipe.size)
    written = {"stages": [asdict(recipe) for recipe in stages], "val": figures}
    (out / "recipe.json").write_text(json.dumps(written, indent=2))
    return figures

"""All that the branches learn from, made once and kept: words, names, and what is checked on."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from scripts.training.backbone import SHARED, Classifier, Naming
from scripts.training.photos import Photo, read_corpus, whole
from scripts.training.recipe import Recipe
from scripts.training.sight import traits
from scripts.training.views import keep_views
from scripts.training.words import Words, embed_words

log = logging.getLogger(__name__)

SEEN_AT = 224
"""Side of the pictures that progress is measured on: larger than the crops that are learnt from,
in which things look larger than in a whole photo (Touvron et al., arXiv 1906.06423)."""
AT_ONCE = 64
WEIGHTS = "mobilenet_v2_imagenet.safetensors"


@dataclass(frozen=True)
class Lesson:
    """Captions `own` `(n, 5, dim)` of the training photos, and names `(stages, n, dim)`.

    The same of the `val` photos, with what the early blocks see of them, `(m, c, h, w)` float16.
    """

    own: Tensor
    naming: Tensor
    val_own: Tensor
    val_naming: Tensor
    val_seen: Tensor

    @classmethod
    def load(cls, kept: Path) -> Lesson:
        """What `prepare` has kept in a folder."""
        return cls(**torch.load(kept / "lesson.pt", weights_only=True))


def prepare(data: Path, text_tower: Path, kept: Path, recipe: Recipe, *, threads: int) -> None:
    """Fill a folder with everything the branches need; what is there already is not made again."""
    if (kept / "lesson.pt").exists():
        return
    log.info("decoding the photos in %s", data)
    corpus = read_corpus(data)
    words_path = kept / "words.pt"
    if not words_path.exists():
        log.info("placing %d captions", len(corpus.captions))
        torch.save(asdict(embed_words(corpus, text_tower)), words_path)
    words = Words(**torch.load(words_path, weights_only=True))
    classifier = Classifier(data / WEIGHTS).eval().to(memory_format=torch.channels_last)
    early = classifier.backbone.features[:SHARED]
    views = sum(stage.views for stage in recipe.stages)
    log.info("showing the early blocks %d views of %d photos", views, len(corpus.train))
    keep_views(corpus.train, early, recipe, kept, threads=threads)
    log.info("asking the classifier about them")
    naming = Naming(classifier, words.classes).eval()
    lesson = Lesson(
        own=words.captions[torch.tensor([photo.captions for photo in corpus.train])],
        naming=torch.stack(
            [_each(nn.Sequential(early, naming), corpus.train, s.size) for s in recipe.stages]
        ),
        val_own=words.captions[torch.tensor([photo.captions for photo in corpus.val])],
        val_naming=_each(nn.Sequential(early, naming), corpus.val, SEEN_AT),
        val_seen=_each(early, corpus.val, SEEN_AT).half(),
    )
    found = nn.Sequential(early, _Traits(naming))
    torch.save(_each(found, corpus.train + corpus.unlabelled, SEEN_AT), traits_path(kept))
    torch.save(asdict(lesson), kept / "lesson.pt")


class _Traits(nn.Module):
    """What the pretrained network makes of a picture: `sight.traits`."""

    def __init__(self, naming: Naming) -> None:
        super().__init__()
        self.naming = naming

    def forward(self, seen: Tensor) -> Tensor:
        return traits(*self.naming.look(seen))


def traits_path(kept: Path) -> Path:
    """Where the traits of all photos are kept, captioned or not: `(n, t)` float32."""
    return kept / "traits.pt"


@torch.inference_mode()
def _each(tower: nn.Module, photos: Sequence[Photo], size: int) -> Tensor:
    parts = [
        tower(whole(photos[start : start + AT_ONCE], size))
        for start in range(0, len(photos), AT_ONCE)
    ]
    return torch.cat(parts).clone()

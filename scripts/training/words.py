"""The frozen text side: where captions and class names are. Knows nothing about pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor
from torch.nn import functional as F

from scripts.training.foreign import passages
from scripts.training.photos import Corpus

TEMPLATES = ("a photo of a {}.", "{}", "a close-up photo of a {}.", "there is a {} in the picture.")


@dataclass(frozen=True)
class Words:
    """Unit rows of captions `(n, dim)`, class names `(1000, dim)` and passages `(m, dim)`."""

    captions: Tensor
    classes: Tensor
    passages: Tensor


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
    others = [body for _, body in passages()]
    return Words(place(corpus.captions), F.normalize(classes, dim=-1), place(others))

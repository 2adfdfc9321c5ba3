"""What a tower is measured by while it learns: recall both ways. Knows nothing about files."""

from __future__ import annotations

import torch
from torch import Tensor


def recalls(images: Tensor, own: Tensor) -> dict[str, float]:
    """Recall@1 and @10 of photos `(n, dim)` and their own captions `(n, 5, dim)`, both ways."""
    count, each, dim = own.shape
    owner = torch.arange(count).repeat_interleave(each)
    scores = own.reshape(-1, dim) @ images.T
    to_image = (scores > scores.gather(1, owner[:, None])).sum(1)
    best_own = scores.gather(1, owner[:, None]).reshape(count, each).amax(1)
    to_text = (scores > best_own[None, :]).sum(0)
    return {
        "text_to_image@1": (to_image < 1).float().mean().item(),
        "text_to_image@10": (to_image < 10).float().mean().item(),
        "image_to_text@1": (to_text < 1).float().mean().item(),
        "image_to_text@10": (to_text < 10).float().mean().item(),
    }


def named(images: Tensor, labels: Tensor, classes: Tensor) -> dict[str, float]:
    """Top-1 and top-5 accuracy when the nearest of 1,000 class names is the answer."""
    hits = (images @ classes.T).topk(5).indices == labels[:, None]
    return {
        "class_named@1": hits[:, 0].float().mean().item(),
        "class_named@5": hits.any(1).float().mean().item(),
    }

"""What a photo looks like, kept beside what would be said of it.

Captions do not tell breeds and models apart, and branches that learn from captions forget them. But
texts leave some directions of their space nearly empty: there a photo keeps what the pretrained
network saw. From a text such a photo looks as it did; from another photo it looks like its kind.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

TEMPERATURE = 2.0
"""Softens what the classifier is sure of, so that its second and third thought count as well."""
EMPHASIS = 4.0
"""How much more the classes weigh than the features, both as vectors of length 1."""


def traits(features: Tensor, logits: Tensor) -> Tensor:
    """Roots of features and of class probabilities `(n, features + classes)`.

    Products of roots are what Hellinger's distance compares histograms by; they keep a few strong
    entries from drowning the others.
    """
    seen = F.normalize(features.clamp(min=0).sqrt(), dim=-1)
    likely = (logits / TEMPERATURE).softmax(-1).sqrt()
    return torch.cat([seen, EMPHASIS * likely], -1)


class Sight(nn.Module):
    """Features and logits to unit rows `(n, d)`, and a place for them in directions texts leave."""

    mean: Tensor
    axes: Tensor
    empty: Tensor
    share: Tensor

    def __init__(self, mean: Tensor, axes: Tensor, empty: Tensor, *, share: float) -> None:
        """`mean` `(t,)` and `axes` `(d, t)` of traits; `empty` `(d, dim)` orthonormal directions.

        `share` is the cosine between a whole row and the part of it that is sight.
        """
        super().__init__()
        for name, value in (("mean", mean), ("axes", axes), ("empty", empty)):
            self.register_buffer(name, value)
        self.register_buffer("share", torch.tensor(share))

    def forward(self, features: Tensor, logits: Tensor) -> Tensor:
        return F.normalize((traits(features, logits) - self.mean) @ self.axes.T, dim=-1)

    def beside(self, said: Tensor, seen: Tensor) -> Tensor:
        """Rows of what is said `(n, dim)` with what is seen `(n, d)` in the empty directions."""
        said = F.normalize(said - said @ self.empty.T @ self.empty, dim=-1)
        return (1 - self.share**2).sqrt() * said + self.share * seen @ self.empty


def learn_sight(found: Tensor, texts: list[Tensor], *, dim: int, share: float) -> Sight:
    """The main axes of the traits of photos, in the directions that texts use least.

    Args:
        found: traits of photos `(n, t)`.
        texts: kinds of texts, each `(m, dim)` unit rows; every kind counts alike.
        dim: how many directions.
        share: see `Sight`.
    """
    mean = found.mean(0)
    _, lengths, axes = torch.linalg.svd(found - mean, full_matrices=False)
    # Half way to equal lengths: the first axes tell indoors from outdoors, the later ones kinds.
    axes = axes[:dim] / lengths[:dim, None].sqrt()
    used = torch.stack([rows.T @ rows / len(rows) for rows in texts]).sum(0)
    empty = torch.linalg.eigh(used)[1][:, :dim].T
    return Sight(mean, axes.contiguous(), empty.contiguous(), share=share)

"""Every number of a training run, in one place; the model card prints them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """One pass of learning: so many views of each photo, so large, at such rates."""

    epochs: int
    views: int
    size: int
    least_crop: float
    backbone_rate: float
    head_rate: float


STAGES = (
    Stage(epochs=8, views=9, size=192, least_crop=0.4, backbone_rate=3e-4, head_rate=1e-3),
    # Crops show things larger than a whole photo does, and a network remembers the size it saw:
    # a short second stage on nearly whole photos, larger (Touvron et al., arXiv 1906.06423).
    Stage(epochs=3, views=3, size=224, least_crop=0.7, backbone_rate=6e-5, head_rate=2e-4),
)


@dataclass(frozen=True)
class Recipe:
    """How the branches of the image tower learn; all alike but for their seed."""

    stages: tuple[Stage, ...] = STAGES
    branches: int = 3
    batch: int = 128
    weight_decay: float = 0.05
    warm_up: float = 0.05
    dropout: float = 0.3
    skip: float = 0.2
    temperature: float = 0.045
    average_decay: float = 0.996
    naming_weight: float = 0.4
    shipped_naming_weight: float = 0.6
    seed: int = 4

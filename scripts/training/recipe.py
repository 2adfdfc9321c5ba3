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
class Member:
    """One branch: its head (`bent`, `pool` or `both`), its chance, and the view it begins with.

    Branches see the same views in another order, and through other heads, so that they err apart.
    """

    head: str
    seed: int
    first_view: int


MEMBERS = (
    Member("bent", seed=13, first_view=0),
    Member("bent", seed=12, first_view=3),
    Member("both", seed=4, first_view=0),
)


@dataclass(frozen=True)
class Recipe:
    """How the branches of the image tower learn."""

    stages: tuple[Stage, ...] = STAGES
    members: tuple[Member, ...] = MEMBERS
    batch: int = 128
    weight_decay: float = 0.05
    warm_up: float = 0.05
    dropout: float = 0.3
    skip: float = 0.2
    temperature: float = 0.045
    average_decay: float = 0.996
    naming_weight: float = 0.4
    sight_dim: int = 64
    sight_share: float = 0.7
    seed: int = 4

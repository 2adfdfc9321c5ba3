"""Finished branches become one image tower. Knows nothing about how they learned."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from scripts.training.backbone import SHARED, Branch, Classifier, ImageTower, Naming
from scripts.training.learning import branch_path
from scripts.training.lesson import Lesson, traits_path
from scripts.training.recipe import Recipe
from scripts.training.sight import learn_sight
from scripts.training.words import Words


def assemble(recipe: Recipe, kept: Path, weights: Path) -> dict[str, Tensor]:
    """The state of the whole `ImageTower`, from the branches and words kept in a folder."""
    words = Words(**torch.load(kept / "words.pt", weights_only=True))
    classifier = Classifier(weights)
    branches = []
    for number, member in enumerate(recipe.members):
        branch = Branch(
            classifier.backbone,
            head=member.head,
            dim=words.classes.shape[1],
            dropout=recipe.dropout,
            skip=recipe.skip,
        )
        path = branch_path(kept, len(recipe.stages) - 1, number)
        branch.load_state_dict(torch.load(path, weights_only=True))
        branches.append(branch)
    tower = ImageTower(
        classifier.backbone.features[:SHARED],
        branches,
        Naming(classifier, words.classes),
        learn_sight(
            torch.load(traits_path(kept), weights_only=True),
            [Lesson.load(kept).own.flatten(0, 1), words.classes, words.passages],
            dim=recipe.sight_dim,
            share=recipe.sight_share,
        ),
        weight=recipe.naming_weight,
    )
    state: dict[str, Tensor] = tower.eval().state_dict()
    return state

"""What the early blocks see of the training photos, kept on disk: they never change, so each
cropped, mirrored and recoloured view goes through them once, whatever learns from it later.

Knows nothing about captions.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from scripts.training.photos import Photo, augmented
from scripts.training.recipe import Recipe, Stage

AT_ONCE = 16


def view_path(folder: Path, stage: int, number: int) -> Path:
    """Where a view of all photos is kept: `(n, h, w, c)` float16."""
    return folder / f"view-{stage}-{number:02}.npy"


def keep_views(
    photos: Sequence[Photo], early: nn.Module, recipe: Recipe, folder: Path, *, threads: int
) -> None:
    """Make every view that is not there yet, one a core at a time."""
    missing = [
        (number, view)
        for number, stage in enumerate(recipe.stages)
        for view in range(stage.views)
        if not view_path(folder, number, view).exists()
    ]

    def keep(job: tuple[int, int]) -> None:
        number, view = job
        seed = recipe.seed * 1_000_000 + number * 500_000 + view * 10_000
        path = view_path(folder, number, view)
        unfinished = path.with_suffix(".part")
        with unfinished.open("wb") as out:
            np.save(out, _view(photos, early, recipe.stages[number], seed))
        unfinished.rename(path)

    # Each thread runs its own batch on one core: no core waits for another within a batch.
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(keep, missing))
    torch.set_num_threads(before)


@torch.inference_mode()
def _view(
    photos: Sequence[Photo], early: nn.Module, stage: Stage, seed: int
) -> NDArray[np.float16]:
    parts = []
    for start in range(0, len(photos), AT_ONCE):
        pixels = augmented(
            photos[start : start + AT_ONCE],
            stage.size,
            least_crop=stage.least_crop,
            seed=seed + start // AT_ONCE,
        )
        parts.append(early(pixels).permute(0, 2, 3, 1).half().numpy())
    return np.concatenate(parts)

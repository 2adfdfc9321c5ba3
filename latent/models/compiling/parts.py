"""What of a model is compiled: its towers, with what they want, and its tokenizer.

Knows torch modules and the artifact's manifest, and nothing about any library of models or about
ONNX.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from latent.models.artifact import ImageInput, TextInput


@dataclass(frozen=True, slots=True)
class ImagePart:
    """A module that makes `(n, dim)` unit rows of `(n, size, size, 3)` uint8.

    `blocks` are those of its transformer, if it reads nothing but the first token of the last.
    """

    module: torch.nn.Module
    wanted: ImageInput
    blocks: torch.nn.ModuleList | None = None


@dataclass(frozen=True, slots=True)
class TextPart:
    """A module that makes `(n, dim)` unit rows of `(n, tokens)` int64, and of a mask if it wants.

    `tokenizer` is as the tokenizers library writes it, markers and all, without padding.
    """

    module: torch.nn.Module
    wanted: TextInput
    tokenizer: str
    wants_mask: bool


@dataclass(frozen=True, slots=True)
class Parts:
    """The towers of one model; either may be missing."""

    image: ImagePart | None
    text: TextPart | None


class Normalised(torch.nn.Module):
    """Lets a tower that wants normalised channels first take pixels as they are stored."""

    shift: torch.Tensor
    scale: torch.Tensor

    def __init__(self, tower: torch.nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.tower = tower
        spread = torch.tensor([float(value) for value in std]).view(1, -1, 1, 1)
        middle = torch.tensor([float(value) for value in mean]).view(1, -1, 1, 1)
        self.register_buffer("scale", 1 / (255 * spread))
        self.register_buffer("shift", -middle / spread)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        rows: torch.Tensor = self.tower(
            pixels.permute(0, 3, 1, 2).float() * self.scale + self.shift
        )
        return rows

"""The image tower in torch: MobileNetV2 with BatchNorm folded away, forked into the text space.

Source: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", arXiv 1801.04381.
Knows nothing about captions or losses.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from scripts.training.sight import Sight

# (expansion, channels out, repeats, stride of the first) — table 2 of the paper.
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class Block(NamedTuple):
    """One inverted residual: channels in and out, stride, expansion."""

    inputs: int
    outputs: int
    stride: int
    expansion: int

    @property
    def has_shortcut(self) -> bool:
        return self.stride == 1 and self.inputs == self.outputs


def _all_blocks() -> Iterator[Block]:
    channels = STEM
    for expansion, outputs, repeats, stride in STAGES:
        for index in range(repeats):
            yield Block(channels, outputs, stride if index == 0 else 1, expansion)
            channels = outputs


STEM = 32
FEATURES = 1280
HIDDEN = 512
BLOCKS = tuple(_all_blocks())
SHARED = 7
"""Blocks that stay as they were pretrained: edges, textures, simple parts."""


class Convolution(nn.Sequential):
    """Convolution with ReLU6; stride 2 pads right and bottom only, as the weights expect."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1):
        same = kernel // 2 if stride == 1 else 0
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=same, groups=groups)
        )
        self.stride = stride

    def forward(self, pixels: Tensor) -> Tensor:
        if self.stride == 2:
            pixels = F.pad(pixels, (0, 1, 0, 1))
        filtered: Tensor = F.relu6(self[0](pixels))
        return filtered


class InvertedResidual(nn.Module):
    """Expand, filter each channel, project; add the input where shapes allow."""

    def __init__(self, block: Block):
        super().__init__()
        hidden = block.inputs * block.expansion
        layers: list[nn.Module] = []
        if block.expansion != 1:
            layers.append(Convolution(block.inputs, hidden, 1))
        layers.append(Convolution(hidden, hidden, 3, stride=block.stride, groups=hidden))
        layers.append(nn.Conv2d(hidden, block.outputs, 1))
        self.conv = nn.Sequential(*layers)
        self.has_shortcut = block.has_shortcut

    def forward(self, pixels: Tensor) -> Tensor:
        filtered: Tensor = self.conv(pixels)
        return pixels + filtered if self.has_shortcut else filtered


class MobileNetV2(nn.Module):
    """Pixels `(n, 3, h, w)` float32 in [-1, 1] to pooled features `(n, 1280)`."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [Convolution(3, STEM, 3, stride=2)]
        layers += [InvertedResidual(block) for block in BLOCKS]
        layers.append(Convolution(BLOCKS[-1].outputs, FEATURES, 1))
        self.features = nn.Sequential(*layers)

    def forward(self, pixels: Tensor) -> Tensor:
        pooled: Tensor = self.features(pixels).mean((2, 3))
        return pooled


class Classifier(nn.Module):
    """The backbone as it was pretrained: pixels to 1,001 ImageNet logits (0 is background)."""

    def __init__(self, weights: Path) -> None:
        super().__init__()
        state = {name: tensor.float() for name, tensor in load_file(weights).items()}
        self.backbone = MobileNetV2()
        self.backbone.load_state_dict(
            {name: t for name, t in state.items() if name.startswith("features.")}
        )
        self.classifier = nn.Linear(FEATURES, len(state["classifier.1.bias"]))
        self.classifier.load_state_dict(
            {"weight": state["classifier.1.weight"], "bias": state["classifier.1.bias"]}
        )

    def forward(self, pixels: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.backbone(pixels))
        return logits


class AttentionPool(nn.Module):
    """Learned questions to a picture, each answered by the places it attends to.

    Pooling by multihead attention (Lee et al., arXiv 1810.00825) with `QUESTIONS` a head. A
    question never changes, so it is folded into its key: one column of `ask` for each. Places
    `(n, p, FEATURES)` to `(n, dim)`.
    """

    HEADS = 8
    QUESTIONS = 4
    WIDTH = 64

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(FEATURES)
        self.ask = nn.Linear(FEATURES, self.HEADS * self.QUESTIONS)
        self.value = nn.Parameter(
            torch.randn(self.HEADS, FEATURES, self.WIDTH) / math.sqrt(FEATURES)
        )
        width = self.HEADS * self.QUESTIONS * self.WIDTH
        self.norm_answers = nn.LayerNorm(width)
        self.out = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, dim))

    def forward(self, places: Tensor) -> Tensor:
        places = self.norm(places)
        attention = self.ask(places).softmax(1).transpose(1, 2)
        seen = (attention @ places).unflatten(1, (self.HEADS, self.QUESTIONS))
        answers: Tensor = self.out(self.norm_answers((seen @ self.value).flatten(1)))
        return answers


class Branch(nn.Module):
    """The later blocks and a head: what the early blocks saw `(n, c, h, w)` to unit rows.

    The head is `bent` (a hidden layer on the pooled features), `pool` (attention over the places)
    or `both`; a straight line from the pooled features is in each.
    """

    def __init__(
        self, backbone: MobileNetV2, *, head: str, dim: int, dropout: float, skip: float
    ) -> None:
        """`skip` is how likely the last block is left out in training (stochastic depth)."""
        super().__init__()
        self.blocks = deepcopy(backbone.features[SHARED:])
        self.skip = skip
        self.norm = nn.LayerNorm(FEATURES)
        self.straight = nn.Linear(FEATURES, dim)
        if head != "pool":
            self.bent = nn.Sequential(
                nn.Linear(FEATURES, HIDDEN), nn.GELU(), nn.Dropout(dropout), nn.Linear(HIDDEN, dim)
            )
        if head != "bent":
            self.pool = AttentionPool(dim, dropout)
        self.head = head

    def forward(self, seen: Tensor) -> Tensor:
        for number, block in enumerate(self.blocks, 1):
            skip = self.skip * number / len(self.blocks)
            if self.training and isinstance(block, InvertedResidual) and block.has_shortcut:
                kept = (torch.rand(len(seen), 1, 1, 1) >= skip).float() / (1 - skip)
                seen = seen + block.conv(seen) * kept
            else:
                seen = block(seen)
        whole = self.norm(seen.mean((2, 3)))
        said: Tensor = self.straight(whole)
        if self.head != "pool":
            said = said + self.bent(whole)
        if self.head != "bent":
            said = said + self.pool(seen.flatten(2).transpose(1, 2))
        return F.normalize(said, dim=-1)


class Naming(nn.Module):
    """What the pretrained classifier calls a picture, as a place among words: `(n, dim)`.

    The mean of the class names' places, each as likely as the classifier holds it (ConSE, Norouzi
    et al., arXiv 1312.5650): long where it is sure, next to nothing where it is not. Never trained.
    """

    names: Tensor

    def __init__(self, classifier: Classifier, names: Tensor) -> None:
        """`names` `(1000, dim)` are the places of the class names."""
        super().__init__()
        self.blocks = classifier.backbone.features[SHARED:]
        self.classifier = classifier.classifier
        self.register_buffer("names", names - names.mean(0))

    def look(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Pooled features `(n, FEATURES)`, and the logits of the named classes `(n, 1000)`."""
        for block in self.blocks:
            seen = block(seen)
        features = seen.mean((2, 3))
        return features, self.classifier(features)[:, 1:]

    def name(self, logits: Tensor) -> Tensor:
        placed: Tensor = logits.softmax(-1) @ self.names
        return placed

    def forward(self, seen: Tensor) -> Tensor:
        return self.name(self.look(seen)[1])


class ImageTower(nn.Module):
    """Pixels `(n, 3, h, w)` float32 in [-1, 1] to unit rows `(n, dim)` beside the texts.

    The early blocks see once for all; branches that learned apart give their mean, which errs less
    than any of them (Lee et al., "Why M Heads are Better than One", arXiv 1511.06314); what the
    classifier calls the picture is added with `weight`, what it looks like is kept beside.
    """

    weight: Tensor

    def __init__(
        self,
        early: nn.Module,
        branches: Sequence[Branch],
        naming: Naming,
        sight: Sight,
        *,
        weight: float,
    ) -> None:
        super().__init__()
        self.early, self.branches = early, nn.ModuleList(branches)
        self.naming, self.sight = naming, sight
        self.register_buffer("weight", torch.tensor(weight))

    def forward(self, pixels: Tensor) -> Tensor:
        seen = self.early(pixels)
        described = torch.stack([branch(seen) for branch in self.branches]).sum(0)
        features, logits = self.naming.look(seen)
        said = F.normalize(described, dim=-1) + self.weight * self.naming.name(logits)
        return self.sight.beside(said, self.sight(features, logits))

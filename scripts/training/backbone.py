"""The image tower in torch: MobileNetV2 with BatchNorm folded away, and a head into the text space.

Source: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", arXiv 1801.04381.
Knows nothing about captions or losses.
"""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

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
FEATURES = 1280


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

    def __init__(self, inputs: int, outputs: int, *, stride: int, expansion: int):
        super().__init__()
        hidden = inputs * expansion
        layers: list[nn.Module] = []
        if expansion != 1:
            layers.append(Convolution(inputs, hidden, 1))
        layers.append(Convolution(hidden, hidden, 3, stride=stride, groups=hidden))
        layers.append(nn.Conv2d(hidden, outputs, 1))
        self.conv = nn.Sequential(*layers)
        self.has_shortcut = stride == 1 and inputs == outputs

    def forward(self, pixels: Tensor) -> Tensor:
        filtered: Tensor = self.conv(pixels)
        return pixels + filtered if self.has_shortcut else filtered


class MobileNetV2(nn.Module):
    """Pixels `(n, 3, h, w)` float32 in [-1, 1] to pooled features `(n, 1280)`."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [Convolution(3, 32, 3, stride=2)]
        channels = 32
        for expansion, outputs, repeats, stride in STAGES:
            for index in range(repeats):
                layers.append(
                    InvertedResidual(
                        channels, outputs, stride=stride if index == 0 else 1, expansion=expansion
                    )
                )
                channels = outputs
        layers.append(Convolution(channels, FEATURES, 1))
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


class ImageTower(nn.Module):
    """Pixels `(n, 3, h, w)` float32 in [-1, 1] to unit rows `(n, dim)` beside the texts."""

    def __init__(self, backbone: MobileNetV2, *, dim: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.backbone = backbone
        self.norm = nn.LayerNorm(FEATURES)
        self.straight = nn.Linear(FEATURES, dim)
        self.bent = nn.Sequential(
            nn.Linear(FEATURES, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, dim)
        )

    def forward(self, pixels: Tensor) -> Tensor:
        features = self.norm(self.backbone(pixels))
        return F.normalize(self.straight(features) + self.bent(features), dim=-1)

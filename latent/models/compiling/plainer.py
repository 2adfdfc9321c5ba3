"""Modules that compute the same as torch's own, in a form that becomes a better graph.

Torch writes its attention so that many inputs of many shapes go through it, and the exporter keeps
every detour. Cutting a picture into patches by a convolution is a matrix product in disguise, which
can be done in 8 bits. Knows torch, and nothing about models.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.nn import functional


class _Attention(torch.nn.Module):
    """Attention with the weights of torch's `MultiheadAttention`."""

    def __init__(self, of: torch.nn.MultiheadAttention) -> None:
        super().__init__()
        self.of = of

    def forward(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        need_weights: bool = False,
        attn_mask: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, None]:
        of = self.of
        if key is not query or (attn_mask is not None and attn_mask.dim() != 2):
            return of(query, key, value, need_weights=False, attn_mask=attn_mask)[0], None
        count, length, width = query.shape
        joined = functional.linear(query, of.in_proj_weight, of.in_proj_bias)
        asked, known, told = (
            part.reshape(count, length, of.num_heads, of.head_dim).transpose(1, 2)
            for part in joined.chunk(3, dim=-1)
        )
        mixed = functional.scaled_dot_product_attention(asked, known, told, attn_mask=attn_mask)
        rows = mixed.transpose(1, 2).reshape(count, length, width)
        return of.out_proj(rows), None


class _Patches(torch.nn.Module):
    """A convolution whose steps are as long as its kernel, as one matrix product."""

    weights: torch.Tensor

    def __init__(self, of: torch.nn.Conv2d) -> None:
        super().__init__()
        self.of = of
        self.weight = of.weight  # some models ask for its type
        self.register_buffer("weights", of.weight.detach().reshape(of.out_channels, -1).clone())

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        count, channels, height, width = pixels.shape
        tall, wide = self.of.kernel_size
        down, across = height // tall, width // wide
        rows = pixels[:, :, : down * tall, : across * wide]
        rows = rows.reshape(count, channels, down, tall, across, wide).permute(0, 2, 4, 1, 3, 5)
        rows = rows.reshape(count, down * across, channels * tall * wide)
        made = functional.linear(rows, self.weights, self.of.bias)
        return made.transpose(1, 2).reshape(count, -1, down, across)


@contextmanager
def plainer(module: torch.nn.Module) -> Iterator[None]:
    """Exchange what can be exchanged below `module`, and put it back at the end."""
    exchanged: list[tuple[torch.nn.Module, str, torch.nn.Module]] = []
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if (plain := _plain(child)) is not None:
                exchanged.append((parent, name, child))
                setattr(parent, name, plain.eval())
    try:
        yield
    finally:
        for parent, name, child in exchanged:
            setattr(parent, name, child)


def _plain(module: torch.nn.Module) -> torch.nn.Module | None:
    """What stands for a module; None for one that stays."""
    if type(module) is torch.nn.MultiheadAttention:
        is_usual = module.batch_first and module.in_proj_weight is not None
        is_usual = is_usual and module.bias_k is None and not module.add_zero_attn
        return _Attention(module) if is_usual else None
    if type(module) is torch.nn.Conv2d:
        cuts = module.kernel_size == module.stride and module.padding in ((0, 0), "valid")
        cuts = cuts and module.groups == 1 and module.dilation == (1, 1)
        return _Patches(module) if cuts and module.in_channels == 3 else None
    return None

"""Modules that compute the same as torch's own, in a form that becomes a better graph.

Torch writes its attention so that many inputs of many shapes go through it, and the exporter keeps
every detour. Cutting a picture into patches by a convolution is a matrix product in disguise, which
can be done in 8 bits. And where a tower reads one token of its last block, the others need not be
computed to the end. Knows torch, and of models only what open_clip calls the parts of a block.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

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
        joined = functional.linear(query, of.in_proj_weight, of.in_proj_bias)
        return of.out_proj(_mixed(joined.chunk(3, dim=-1), of.num_heads, attn_mask)), None


def _mixed(
    parts: Iterable[torch.Tensor], heads: int, mask: torch.Tensor | None = None
) -> torch.Tensor:
    """Queries, keys and values `(n, tokens, width)`: what each query takes of the values."""

    def in_heads(part: torch.Tensor) -> torch.Tensor:
        count, length, width = part.shape
        return part.reshape(count, length, heads, width // heads).transpose(1, 2)

    queries, keys, values = map(in_heads, parts)
    mixed = functional.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
    return mixed.transpose(1, 2).flatten(2)


class _LastBlock(torch.nn.Module):
    """The last block of a transformer whose first token alone is read.

    The others are attended to and nothing more: of twelve blocks that saves a fifteenth of all.
    Exact, for each token is made by itself of what it attends to.
    """

    def __init__(self, of: Any) -> None:
        """`of` has layer norms, scales and an MLP named as in open_clip, and usual attention."""
        super().__init__()
        attention, width = of.attn, of.attn.embed_dim
        weight, bias = attention.in_proj_weight, attention.in_proj_bias
        self.of = of
        self.asking = _linear(weight[:width], bias[:width])
        self.telling = _linear(weight[width:], bias[width:])
        self.out = attention.out_proj
        self.heads = attention.num_heads

    def forward(self, rows: torch.Tensor, attn_mask: torch.Tensor | None = None) -> torch.Tensor:
        assert attn_mask is None
        of, normal = self.of, self.of.ln_1(rows)
        parts = self.asking(normal[:, :1]), *self.telling(normal).chunk(2, dim=-1)
        mixed = _mixed(parts, self.heads)
        first = rows[:, :1] + of.ls_1(self.out(mixed))
        made: torch.Tensor = first + of.ls_2(of.mlp(of.ln_2(first)))
        return made


def _linear(weight: torch.Tensor, bias: torch.Tensor) -> torch.nn.Linear:
    made = torch.nn.Linear(weight.shape[1], weight.shape[0])
    made.weight, made.bias = (
        torch.nn.Parameter(one.detach().clone(), requires_grad=False) for one in (weight, bias)
    )
    return made


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
def plainer(
    module: torch.nn.Module, *, blocks: torch.nn.ModuleList | None = None
) -> Iterator[None]:
    """Exchange what can be exchanged below `module`, and put it back at the end.

    Args:
        blocks: those of a transformer, of whose last only the first token is read; it gives no
            other then.
    """
    exchanged: list[tuple[torch.nn.Module, str, torch.nn.Module]] = []
    if blocks is not None:
        exchanged.append((blocks, str(len(blocks) - 1), blocks[-1]))
        blocks[-1] = _LastBlock(blocks[-1]).eval()
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if (plain := _plain(child)) is not None:
                exchanged.append((parent, name, child))
                setattr(parent, name, plain.eval())
    try:
        yield
    finally:
        for parent, name, child in reversed(exchanged):
            setattr(parent, name, child)


def is_usual(attention: torch.nn.MultiheadAttention) -> bool:
    """Whether its weights are in one piece, and it adds nothing of its own to what is attended."""
    is_whole = attention.batch_first and attention.in_proj_weight is not None
    return is_whole and attention.bias_k is None and not attention.add_zero_attn


def _plain(module: torch.nn.Module) -> torch.nn.Module | None:
    """What stands for a module; None for one that stays."""
    if type(module) is torch.nn.MultiheadAttention:
        return _Attention(module) if is_usual(module) else None
    if type(module) is torch.nn.Conv2d:
        cuts = module.kernel_size == module.stride and module.padding in ((0, 0), "valid")
        cuts = cuts and module.groups == 1 and module.dilation == (1, 1)
        return _Patches(module) if cuts and module.in_channels == 3 else None
    return None

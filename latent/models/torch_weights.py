"""What the torch adapters share: fingerprints of weights, and the errors loading may raise.

Knows tensors and nothing about models.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping

import torch
from safetensors import SafetensorError

LONGEST_MESSAGE = 160

FOREIGN_LOADING_ERRORS = (
    AssertionError,
    OSError,
    RuntimeError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    ImportError,
    StopIteration,
    pickle.UnpicklingError,
    SafetensorError,
)
"""What torch, open_clip, transformers and the hub raise when weights are missing or broken."""


def fingerprint(weights: Mapping[str, torch.Tensor], described: str) -> str:
    """A hash over every weight and over a description of the preprocessing."""
    digest = hashlib.blake2b(described.encode(), digest_size=32)
    for name, tensor in sorted(weights.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def size_of(weights: Mapping[str, torch.Tensor]) -> int:
    """Bytes of all weights."""
    return sum(tensor.numel() * tensor.element_size() for tensor in weights.values())


def plain(error: BaseException) -> str:
    """The first line of a foreign message, and its kind; of a heading, what stands below too."""
    lines = str(error).strip().splitlines()
    first = lines[0] if lines else "no reason given"
    if first.endswith(":") and len(lines) > 1:
        first = f"{first} {lines[1].strip()}"
    shown = first if len(first) <= LONGEST_MESSAGE else first[:LONGEST_MESSAGE] + "…"
    return f"{type(error).__name__}: {shown}"

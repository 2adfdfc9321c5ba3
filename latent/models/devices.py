"""Where torch computes a model, and in which arithmetic.

On an accelerator products are done in 16 bits, if a few known things land where they land in 32.
Knows torch, and nothing about models.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from latent.errors import ModelUnavailableError
from latent.items import Vectors
from latent.settings import Device as Wanted

log = logging.getLogger(__name__)

HOLDS = 0.999
"""Least cosine of a row in 16 bits to the same row in 32."""


class Cuda(Protocol):
    """What is asked of `torch.cuda`."""

    def is_available(self) -> bool: ...

    def is_bf16_supported(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Device:
    """A device by torch's name, the arithmetic to try before float32, and what it takes at once."""

    name: str = "cpu"
    halves: tuple[torch.dtype, ...] = ()
    batch: int = 32


CPU = Device()


def chosen(wanted: Wanted, cuda: Cuda = torch.cuda) -> Device:
    """The device that a setting means here.

    float16 is tried first: it rounds eight times finer than bfloat16, which reaches further.

    Raises:
        ModelUnavailableError: `cuda` is wanted, and torch has none.
    """
    if wanted == "cpu":
        return CPU
    if cuda.is_available():
        ranged = (torch.bfloat16,) if cuda.is_bf16_supported() else ()
        return Device("cuda", (torch.float16, *ranged), batch=256)
    if wanted == "cuda":
        raise ModelUnavailableError(
            "NEARFIELD_DEVICE is cuda, but torch has no CUDA device here: install torch for CUDA"
            " and its driver, or set NEARFIELD_DEVICE to auto or cpu"
        )
    return CPU


class Arithmetic:
    """How one model is computed on its device: in float32 until `settle` has found better."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.half: torch.dtype | None = None

    def settle(self, place: Callable[[], Vectors], *, of: str) -> Vectors:
        """Take the first arithmetic in which known things land where float32 puts them.

        `place` places them through this object; `of` names the model. Returns the rows in float32.

        Raises:
            ModelUnavailableError: float32 puts them nowhere: no row of length 1.
        """
        exact = place()
        if not np.allclose(np.linalg.norm(exact, axis=1), 1, atol=1e-3):  # as what is NaN is not
            raise ModelUnavailableError(
                f"{of} places known things nowhere: among its weights are some that are no numbers,"
                " infinite, or all zero; get them anew"
            )
        for half in self.device.halves:
            self.half = half
            cosine = float(np.sum(exact * place(), axis=1).min())
            if cosine >= HOLDS:  # which what is not a number is not
                break
            log.info("%s in %s falls short: cosine %.4f to float32", of, half, cosine)
            self.half = None
        if self.device.name != CPU.name:
            log.info("%s runs on %s in %s", of, self.device.name, self.half or torch.float32)
        return exact

    @contextmanager
    def running(self) -> Iterator[None]:
        """Within it, torch computes as was settled, and keeps nothing for training."""
        half = self.half
        mixed = torch.autocast(self.device.name, dtype=half) if half else nullcontext()
        with torch.inference_mode(), mixed:
            yield

    def here(self, batch: torch.Tensor) -> torch.Tensor:
        """A batch where the model is."""
        return batch.to(self.device.name)


def unit_rows(placed: torch.Tensor) -> Vectors:
    """Rows of any arithmetic and device as `(n, dim)` float32 of length 1."""
    rows: Vectors = torch.nn.functional.normalize(placed.float(), dim=-1).cpu().numpy()
    return rows

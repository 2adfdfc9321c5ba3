"""The same adapters on an accelerator, where there is one."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.bench import VIT, Bench
from benchmarks.rows import Row, unmeasured


def rows(bench: Bench) -> Iterator[Row]:
    """One row that says why nothing was measured: the adapters run on processors alone."""
    import torch

    there = torch.cuda.is_available()
    why = "the adapters run on the processor alone" if there else "no accelerator here"
    yield unmeasured(f"{VIT}: pictures in batches on an accelerator", why)

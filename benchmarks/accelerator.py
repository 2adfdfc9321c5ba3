"""The same adapters on an accelerator, where there is one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.bench import ARCHITECTURE, VIT, Bench
from benchmarks.hardware import named, peak_on
from benchmarks.rows import Row, at_least, unmeasured
from benchmarks.towers import decoded, operations
from benchmarks.turns import in_turn

if TYPE_CHECKING:
    from latent.models.devices import Device

PARITY = at_least(0.999)
BATCHES = 4
COMPARED = 8


def rows(bench: Bench) -> Iterator[Row]:
    """What the accelerator of this machine does, or one row that says that there is none."""
    from latent.models.devices import CPU, chosen

    device = chosen("auto")
    if device is CPU:
        why = "no accelerator here"
        yield unmeasured(f"{VIT}: pictures in batches on an accelerator", why)
        return
    yield from on(bench, device)


def on(bench: Bench, device: Device) -> Iterator[Row]:
    """Prepared pictures through open_clip's model on a device, as the adapter runs it there."""
    import torch

    from latent.models.openclip import OpenClipEmbedder

    name = f"{ARCHITECTURE}@{bench.weights}"
    ours = OpenClipEmbedder(name, threads=bench.threads, device=device)
    count = COMPARED if bench.is_quick else BATCHES * device.batch
    photos = decoded(bench, min(count, bench.count))
    prepared = [ours.prepare(photo) for photo in photos]
    prepared = (prepared * -(-count // len(prepared)))[:count]
    took = in_turn({"ours": lambda: ours.embed_images(prepared)}, rounds=bench.rounds)
    rate = count / took["ours"]
    kind = ours.arithmetic.half or torch.float32
    label = f"{VIT}: pictures in batches on {device.name}"
    told = f"{kind}, {device.batch} at once, from the processor's memory; {named('torch')}"
    yield Row(label, rate, "pictures/s", told)
    exact = OpenClipEmbedder(name, threads=bench.threads).embed_images(prepared[:COMPARED])
    cosines = np.sum(exact * ours.embed_images(prepared[:COMPARED]), axis=1)
    yield Row(f"{label}: parity", float(cosines.min()), "cosine", "float32 on the CPU", PARITY)
    peak = peak_on(device.name, kind, rounds=bench.rounds)
    share = rate * operations(bench) / peak
    told = f"of {peak / 1e12:.1f} TFLOP/s, a product of two large matrices in {kind}"
    yield Row(f"{label}: share of the device's peak", share, "", told)

"""What decoding and the model take of a core while every other core does the same.

Cores share memory and the cache before it, so work takes longer beside its like than alone. Knows
nothing about how it is shown.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import TypeVar

from benchmarks.photos import Photos
from indexer.reading import read_bytes
from indexer.sources import File, listing
from latent.media.decode import Limits, decode
from latent.models.embedder import Embedder, Prepared
from latent.settings import Settings

T = TypeVar("T")
R = TypeVar("R")

EACH = 32  # photos for each core
AT_ONCE = 32


def crowded(
    photos: Photos, embedder: Embedder, settings: Settings, *, cores: int
) -> tuple[float, float]:
    """Milliseconds of a core that decoding a photo takes, and the model: all cores at one stage.

    The embedder must be one of a single thread.
    """
    limits = Limits.of(settings)

    def read(file: File) -> Prepared:
        content, _ = read_bytes(file.path, file.uri, settings.max_image_bytes)
        sha256(content).hexdigest()
        side = embedder.picture_side
        return embedder.prepare(decode(content, name=file.uri, limits=limits, side=side).picture)

    files = listing(photos.folder).files[: EACH * cores]
    with ThreadPoolExecutor(cores) as pool:
        reading, prepared = _timed(pool, read, files)
        batches = [prepared[at : at + AT_ONCE] for at in range(0, len(prepared), AT_ONCE)]
        model, _ = _timed(pool, embedder.embed_images, batches)
    return 1e3 * reading / len(files), 1e3 * model / len(files)


def _timed(
    pool: ThreadPoolExecutor, work: Callable[[T], R], things: Sequence[T]
) -> tuple[float, list[R]]:
    """Seconds of the processor, all threads together, and what came of it."""
    started = time.process_time()
    done = list(pool.map(work, things))
    return time.process_time() - started, done

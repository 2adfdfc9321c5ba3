"""Real photos and captions, placed by `mini`: where vectors and questions of a model truly lie.

Knows the layout of the data folder, and nothing about what is measured.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks.bench import MINI, Bench
from benchmarks.captioned import read_split
from benchmarks.photos import ARCHIVE, REAL
from benchmarks.rows import UnmeasuredError
from benchmarks.vectors import Drawn
from latent.items import Vectors
from latent.media.decode import Limits, decode
from latent.models.embedder import Embedder

AT_ONCE = 64
FEW = 300  # photos of a quick run


def placed(bench: Bench, data: Path = REAL) -> Drawn:
    """Everyday photos; other photos and their captions ask.

    Raises:
        UnmeasuredError: they are not here.
    """
    embedder, limits = bench.embedder(MINI), Limits.of(bench.settings())
    most = FEW if bench.is_quick else None
    val = read_split("val", data)
    train = read_split("train", data).photos.values()
    things = [*islice(_unlabelled(data), most), *islice(train, most)]
    captions = [caption for _, caption in val.captions]
    order = np.random.default_rng(0).permutation(len(captions))[: 10 * FEW]
    return Drawn(
        _photos(embedder, things, limits),
        _photos(embedder, list(val.photos.values())[:most], limits),
        embedder.embed_texts([captions[place] for place in order]),
    )


def _unlabelled(data: Path) -> Iterator[bytes]:
    try:
        with tarfile.open(data / ARCHIVE) as archive:
            for member in archive:
                if stream := archive.extractfile(member):
                    yield stream.read()
    except OSError as error:
        raise UnmeasuredError(f"the unlabelled photos are not here: {error}") from error


def _photos(embedder: Embedder, contents: Iterable[bytes], limits: Limits) -> Vectors:
    rows: list[Vectors] = []
    waiting = iter(contents)
    while some := list(islice(waiting, AT_ONCE)):
        pictures = (
            decode(one, name="photo", limits=limits, side=embedder.picture_side).picture
            for one in some
        )
        rows.append(embedder.embed_images([embedder.prepare(picture) for picture in pictures]))
    return np.concatenate(rows)

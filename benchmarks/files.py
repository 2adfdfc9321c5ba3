"""From JPEG files to searchable rows: where the time goes, and how near all cores are to busy.

What a stage costs is taken from one thread that does nothing else, and once more for decoding and
the model with every core busy with the same; the run over all files is the product's own, with its
own threads, and is held against both.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from benchmarks.bench import MINI, Bench
from benchmarks.crowded import crowded
from benchmarks.photos import LARGE, SMALL, Photos
from benchmarks.rows import Row, UnmeasuredError, at_least, at_most
from indexer.pipeline import index
from indexer.reading import NO_VECTOR, item_id, read_bytes
from indexer.sources import listing
from latent.collection import Collection
from latent.items import Item, Modality, Source
from latent.media.decode import Limits, decode
from latent.media.fingerprints import picture_hash
from latent.models.embedder import Embedder, Prepared
from latent.settings import Settings
from latent.wiring import open_store

READING = ("read", "hash", "decode", "prepare")
LOOK = (
    "look"  # the hash that copies are found by: listed, but no part of what a run is held against
)
WALL = ("walk", "put", "publish")  # these wait for the disk: by the clock, not by the processor
SAMPLE = 64
BATCH = 32
BUSY, DECODED = at_least(0.9), at_most(20)


@dataclass(frozen=True, slots=True)
class Costs:
    """Milliseconds a photo by stage."""

    stages: dict[str, float]

    @property
    def reading(self) -> float:
        """From a file to what the model takes: what the issue calls decoding, hash included."""
        return sum(self.stages[name] for name in READING)

    @property
    def model(self) -> float:
        return self.stages["embed"]


def rows_of(bench: Bench, model: str) -> Iterator[Row]:
    """Both kinds of photos through one model."""
    name = bench.name_of(model)
    for kind in (LARGE, SMALL):
        yield from _rows(bench, bench.photos(kind), model, name)


def _rows(bench: Bench, photos: Photos, model: str, name: str) -> Iterator[Row]:
    label = f"{model}, {photos.kind.name}"
    alone = bench.embedder(name, threads=1)
    costs: list[Costs] = []
    rates: list[float] = []
    worked: list[float] = []
    beside: list[tuple[float, float]] = []
    settings = bench.settings(threads=1, model=name)
    for _ in range(bench.rounds):
        costs.append(_costs(photos, alone, settings))
        beside.append(crowded(photos, alone, settings, cores=bench.threads))
        seconds, processor = _run(bench, photos, name)
        rates.append(photos.count / seconds)
        worked.append(1e3 * processor / photos.count)
    typical = _median(costs)
    core_ms = typical.reading + typical.model
    rate = statistics.median(rates)
    for stage, ms in typical.stages.items():
        how = "by the clock" if stage in WALL else "of one core"
        yield Row(f"{label}: {stage}", ms, "ms", f"a photo, {how}; {ms / core_ms:.1%} of the cost")
    if photos.kind is LARGE and model == MINI:
        parts = " + ".join(f"{stage} {typical.stages[stage]:.1f}" for stage in READING)
        yield Row(f"{label}: a photo decoded", typical.reading, "ms", f"{parts}", DECODED)
    yield Row(f"{label}: files to searchable rows", rate, "photos/s", photos.about)
    share = f"{label}: share of what all cores could do"
    yield _share(share, rate, bench.threads, (typical.reading, typical.model))
    both = statistics.median(one[0] for one in beside), statistics.median(one[1] for one in beside)
    yield _share(f"{share}, each beside its like", rate, bench.threads, both)
    work = statistics.median(worked)
    against = f"{core_ms:.2f} of {work:.2f} ms of the processor a photo; other work moves it little"
    yield Row(f"{label}: share of the work that is decoding and model", core_ms / work, "", against)


def _share(name: str, rate: float, cores: int, costs: tuple[float, float]) -> Row:
    """A rate held against the cores filled with decoding and the model, at these milliseconds."""
    reading, model = costs
    against = f"{cores} cores / ({reading:.2f} + {model:.2f} ms)"
    return Row(name, rate * (reading + model) / (1e3 * cores), "", against, BUSY)


def _run(bench: Bench, photos: Photos, name: str) -> tuple[float, float]:
    """Seconds until everything in the folder can be found, with the model loaded before.

    And those that the processor worked for it, on all cores together.
    """
    with tempfile.TemporaryDirectory(dir=bench.folder) as data:
        settings = bench.settings(data=Path(data), model=name)
        with open_store(settings) as store:
            embedder = store.embedder()
            _warm(embedder)
            worked = time.process_time()
            report = index([photos.folder], store.ensure("bench"), embedder, settings)
            if report.items != photos.count:
                raise UnmeasuredError(f"only {report.items} of {photos.count} were indexed")
            return report.seconds, time.process_time() - worked


def _warm(embedder: Embedder) -> None:
    from PIL import Image

    embedder.embed_images([embedder.prepare(Image.new("RGB", (64, 64)))] * BATCH)


def _costs(photos: Photos, embedder: Embedder, settings: Settings) -> Costs:
    """Every stage by itself, in this thread, over some of the files."""
    _warm(embedder)
    spent = _Spent()
    with spent.on("walk"):
        files = listing(photos.folder).files
    spent.total["walk"] *= min(SAMPLE, len(files)) / len(files)
    files = files[:SAMPLE]
    prepared: list[Prepared] = []
    contents: list[tuple[Source, list[Item]]] = []
    limits = Limits.of(settings)
    for file in files:
        with spent.on("read"):
            content, status = read_bytes(file.path, file.uri, settings.max_image_bytes)
        with spent.on("hash"):
            digest = sha256(content).hexdigest()
        with spent.on("decode"):
            side = embedder.picture_side
            decoded = decode(content, name=file.uri, limits=limits, side=side)
        with spent.on("prepare"):
            prepared.append(embedder.prepare(decoded.picture))
        with spent.on(LOOK):
            looks = picture_hash(decoded.picture)
        source = Source(file.path, status.st_size, status.st_mtime_ns, digest)
        item = Item(
            id=item_id(file.path),
            modality=Modality.IMAGE,
            vector=NO_VECTOR,
            uri=file.uri,
            metadata=decoded.facts,
            source=file.path,
            content_hash=digest,
            picture_hash=looks,
        )
        contents.append((source, [item]))
    for start in range(0, len(files), BATCH):
        part = slice(start, start + BATCH)
        with spent.on("embed"):
            rows = embedder.embed_images(prepared[part])
        for at, row in enumerate(rows, start=start):
            source, (item,) = contents[at]
            contents[at] = (source, [replace(item, vector=row)])
    with tempfile.TemporaryDirectory() as data:
        settings = settings.model_copy(update={"data": Path(data)})
        with open_store(settings) as store:
            _store(store.ensure("bench"), contents, spent)
    return Costs({name: 1e3 * seconds / len(files) for name, seconds in spent.total.items()})


def _store(
    collection: Collection, contents: list[tuple[Source, list[Item]]], spent: _Spent
) -> None:
    for start in range(0, len(contents), BATCH):
        with spent.on("put"):
            collection.put_sources(contents[start : start + BATCH])
    with spent.on("publish"):
        collection.publish(force=True)


class _Spent:
    """Seconds by stage, in the order of the path."""

    def __init__(self) -> None:
        stages = ("walk", *READING, LOOK, "embed", "put", "publish")
        self.total = dict.fromkeys(stages, 0.0)
        self._name = ""
        self._clock: Callable[[], float] = time.perf_counter
        self._started = 0.0

    def on(self, name: str) -> _Spent:
        self._name = name
        self._clock = time.perf_counter if name in WALL else time.process_time
        return self

    def __enter__(self) -> None:
        self._started = self._clock()

    def __exit__(self, *_: object) -> None:
        self.total[self._name] += self._clock() - self._started


def _median(costs: list[Costs]) -> Costs:
    return Costs(
        {name: statistics.median(one.stages[name] for one in costs) for name in costs[0].stages}
    )

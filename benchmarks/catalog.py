"""The bench of the catalog: loading, matches of filters, and reading hits.

Rows are drawn: camera, year, rating, time, price, tags, place, country and a flag, as photos have.
"""

from __future__ import annotations

import json
import os
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from benchmarks.bench import Bench
from benchmarks.rows import Row, at_least, at_most
from indexer.manifests.loading import index_manifest
from indexer.report import Report
from indexer.sources import File, Kind
from latent.catalog.kept import KeptItems
from latent.catalog.rows import COLUMNS
from latent.collection import Collection
from latent.items import Item, Modality, Vectors
from latent.wiring import open_store

DIM = 384
PART = 4_096
PLAIN = COLUMNS[: COLUMNS.index("picture_hash") + 1]
HITS = 100
LOADED, MATCHED, READ = at_least(20_000), at_most(50), at_most(3)

FILTERS: dict[str, dict[str, Any]] = {
    "one of 50 cameras": {"camera": "Camera 3"},
    "two years": {"year": {"$in": [2016, 2019]}},
    "rating from 4": {"rating": {"$gte": 4}},
    "a month": {"taken_at": {"$gte": "2019-06", "$lt": "2019-07"}},
    "price below": {"price": {"$lt": 12.5}},
    "a flag": {"is_public": True},
    "one of its tags": {"tags": "dog"},
    "a box on the map": {"place": {"$geo_within": {"$box": [[40, 0], [50, 20]]}}},
    "two countries left out": {"country": {"$nin": ["C0", "C1"]}},
    "four at once": {
        "camera": "Camera 7",
        "year": {"$gte": 2018},
        "is_public": True,
        "$not": {"tags": "cat"},
    },
}
TAGS = ["sea", "snow", "dog", "cat", "city", "night", "tree", "food"]


def filling(bench: Bench, n: int) -> Iterator[Row]:
    """A manifest of n rows with vectors is loaded; then filters are matched and hits are read."""
    n = min(n, 2_000) if bench.is_quick else n
    folder = bench.folder / f"catalog-{n}"
    folder.mkdir(parents=True)
    manifest = folder / "rows.parquet"
    write_manifest(manifest, n)
    settings = bench.settings(data=folder / "data")
    with open_store(settings) as store:
        collection = store.ensure("main", f"vectors:{DIM}")
        file = File(str(manifest), manifest.name, Kind.MANIFEST, manifest.stat().st_size, 0)
        report, embedder = Report("main"), store.embedder_for(collection)
        seconds = _seconds(
            lambda: index_manifest(file, collection, embedder, settings, report=report)
        )
        assert report.indexed == n
        yield Row(f"{n:,} rows loaded", n / seconds, "a second", "words and all", LOADED)
        raw = _seconds(lambda: _plain(folder / "plain.sqlite3", manifest))
        how = f"sqlite3 {sqlite3.sqlite_version}: {n / raw:,.0f} a second, no words, known ids"
        yield Row(f"{n:,} rows loaded beside plain inserts", raw / seconds, "×", how)
        yield from _matched(bench, collection, n)
        yield from _hits(bench, collection, n)


def write_manifest(path: Path, n: int) -> None:
    """A Parquet file of n drawn rows with unit vectors."""
    rng = np.random.default_rng(0)
    with parquet.ParquetWriter(path, _table(rng, 0, 1).schema, compression="none") as writer:
        for start in range(0, n, PART):
            writer.write_table(_table(rng, start, min(PART, n - start)))


def _table(rng: np.random.Generator, start: int, n: int) -> pa.Table:
    drawn = rng.random((n, 6))
    begin = datetime(2015, 1, 1)
    metadata = [
        json.dumps(
            {
                "camera": f"Camera {int(a * a * 50)}",
                "year": 2015 + int(b * 10),
                "rating": int(c * 6),
                "taken_at": (begin + timedelta(seconds=int(b * 3.1e8))).isoformat(),
                "price": d * 100,
                "is_public": e > 0.3,
                "tags": [TAGS[int(f * 8)], TAGS[int(e * 8)]],
                "place": {"lat": round(a * 180 - 90, 5), "lon": round(b * 360 - 180, 5)},
                "country": f"C{int(d**3 * 200)}",
            }
        )
        for a, b, c, d, e, f in drawn.tolist()
    ]
    vectors: Vectors = rng.standard_normal((n, DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return pa.table(
        {
            "id": [f"row-{start + at}" for at in range(n)],
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), DIM),
            "metadata": metadata,
        }
    )


def _plain(path: Path, manifest: Path) -> None:
    """The same rows into the same two tables, by a script that checks and remembers nothing."""
    with closing(sqlite3.connect(path, isolation_level=None)) as plain:
        for pragma in ("page_size=8192", "journal_mode=WAL", "synchronous=FULL"):
            plain.execute(f"PRAGMA {pragma}")
        columns = ", ".join(PLAIN)
        plain.execute(f"CREATE TABLE items ({columns}, PRIMARY KEY (key), UNIQUE (id))")
        plain.execute("CREATE INDEX by_sequence ON items (collection_id, sequence)")
        plain.execute("CREATE INDEX by_source ON items (collection_id, source)")
        plain.execute("CREATE INDEX by_modality ON items (collection_id, modality, key)")
        plain.execute("CREATE TABLE vectors (key INTEGER PRIMARY KEY, vector)")
        key = 0
        for number, part in enumerate(parquet.ParquetFile(manifest).iter_batches(PART)):
            ids, said = (part.column(name).to_pylist() for name in ("id", "metadata"))
            rows = part.column("vector").flatten().to_numpy().reshape(-1, DIM)
            source = str(manifest)
            plain.execute("BEGIN IMMEDIATE")
            plain.executemany(
                f"INSERT INTO items VALUES ({', '.join('?' * len(PLAIN))})",
                [
                    (key + at, 1, one, "image", one, None, None, said[at], source, one, number, "")
                    for at, one in enumerate(ids)
                ],
            )
            plain.executemany(
                "INSERT INTO vectors VALUES (?, ?)",
                [(key + at, row.tobytes()) for at, row in enumerate(rows)],
            )
            plain.execute("COMMIT")
            key += len(ids)


def _matched(bench: Bench, collection: Collection, n: int) -> Iterator[Row]:
    """Each filter: first, and again after a write, so that nothing that was matched is kept."""
    for name, where in FILTERS.items():
        count = partial(collection.count, where=where)
        first, second = _seconds(count), 0.0
        again = []
        for number in range(max(5, bench.rounds)):
            _write(collection, number)
            second = second or _seconds(count)
            again.append(_seconds(count))
        how = f"after a write; by SQL {1e3 * first:,.0f}, reading the column {1e3 * second:,.0f}"
        label = f"{n:,} items: a count, {name}"
        yield Row(label, 1e3 * statistics.median(again), "ms", how, MATCHED)


def _write(collection: Collection, number: int) -> None:
    row = np.eye(1, DIM, number, dtype=np.float32)[0]
    collection.put([Item(f"new-{number}", Modality.TEXT, row, metadata={"year": 2016})])


def _hits(bench: Bench, collection: Collection, n: int) -> Iterator[Row]:
    """Items by key with vector and metadata, of random keys; those read before are forgotten."""
    rng = np.random.default_rng(1)
    lots = [(rng.permutation(n)[:HITS] + 1).tolist() for _ in range(5 if bench.is_quick else 40)]
    for where, is_cold in (("in memory", False), ("on the disk", True)):
        times = []
        for number, keys in enumerate(lots):
            read = partial(collection._catalog.by_key, collection._entry, keys)
            read()
            _write(collection, number)
            collection._catalog._kept = KeptItems()
            if is_cold:
                _forget(Path(str(collection._catalog._engine.url.database)))
            times.append(_seconds(read))
        label = f"{n:,} items: {HITS} hits with metadata and vector, pages {where}"
        how = f"random keys, median of {len(lots)}, processor and waiting"
        yield Row(label, 1e3 * statistics.median(times), "ms", how, None if is_cold else READ)


def _forget(database: Path) -> None:
    """Have the system let go of the pages of a database that it keeps in memory."""
    for path in (database, database.with_name(f"{database.name}-wal")):
        if path.exists():
            with path.open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began

"""Large manifests with vectors: loaded by thousands, searchable at once, and gone on with."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from sqlalchemy import create_engine, text

from indexer.manifests import formats
from indexer.manifests.identity import older_fingerprint
from indexer.manifests.row import Row
from indexer.pipeline import index
from indexer.report import Report
from latent.errors import SpaceMismatchError
from latent.items import Vectors
from latent.settings import Settings
from latent.store import Store
from latent.wiring import CATALOG, open_store

ROOT = Path(__file__).parent.parent.parent
DIM = 8
MODEL = f"vectors:{DIM}"


def places(count: int) -> Vectors:
    rows = np.random.default_rng(0).standard_normal((count, DIM))
    unit: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


def written(path: Path, rows: Vectors, *, year: int = 2000) -> Path:
    """A manifest of these vectors, a row each."""
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), rows.shape[1])
    ids = [f"i{n}" for n in range(len(rows))]
    years = [year + n % 10 for n in range(len(rows))]
    parquet.write_table(pa.table({"id": ids, "vector": vectors, "year": years}), path)
    return path


def load(path: Path, store: Store, settings: Settings) -> Report:
    collection = store.ensure("main", MODEL)
    return index([path], collection, store.embedder_for(collection), settings)


@pytest.mark.parametrize("count", [3, 5_000])
def test_every_row_is_there_and_a_second_run_changes_nothing(
    tmp_path: Path, store: Store, settings: Settings, count: int
) -> None:
    rows = places(count)
    path = written(tmp_path / "m.parquet", rows)
    assert load(path, store, settings).indexed == count
    collection = store.collection("main")
    assert collection.sequence == 2 + -(-count // 4_096)  # transactions of thousands
    assert collection.count(where={"year": 2001}) == len(range(1, count, 10))
    for n in (0, 1, count - 1):
        (hit,) = collection.nearest(rows[n], 1)
        assert (hit.item.id, hit.item.metadata) == (f"i{n}", {"year": 2000 + n % 10})
        assert (hit.item.vector == rows[n]).all()
    assert [one.id for one, _ in collection.matching_words("i2", 5)] == ["i2"]
    assert collection.verify() == []
    again = load(path, store, settings)
    assert (again.indexed, again.unchanged, again.removed) == (0, count, 0)
    changed = load(written(path, rows[:-1], year=2001), store, settings)
    assert (changed.indexed, changed.removed) == (count - 1, 1)
    assert collection.verify() == []


def test_rows_that_an_older_version_loaded_are_known(
    tmp_path: Path, store: Store, settings: Settings
) -> None:
    path = written(tmp_path / "m.parquet", places(10))
    load(path, store, settings)
    engine = create_engine(f"sqlite:///{settings.data / CATALOG}")
    with engine.begin() as connection:  # which kept 128 digits of the hash
        connection.execute(text(f"UPDATE items SET content_hash = content_hash || '{'a' * 96}'"))
    engine.dispose()
    assert load(path, store, settings).unchanged == 10


def test_rows_that_were_told_by_an_older_fingerprint_are_known(
    tmp_path: Path, store: Store, settings: Settings
) -> None:
    path = written(tmp_path / "m.parquet", places(10))
    load(path, store, settings)
    engine = create_engine(f"sqlite:///{settings.data / CATALOG}")
    with engine.begin() as connection:
        for row in formats.rows(path):
            assert isinstance(row, Row)
            assert row.id is not None
            named = {"id": row.id, "hash": older_fingerprint(row, row.id)}
            connection.execute(text("UPDATE items SET content_hash = :hash WHERE id = :id"), named)
    engine.dispose()
    assert load(path, store, settings).unchanged == 10


def test_a_row_that_points_nowhere_fails_alone(
    tmp_path: Path, store: Store, settings: Settings
) -> None:
    rows = places(5_000)
    rows[4_500] = 0
    rows[7, 2] = np.nan
    report = load(written(tmp_path / "m.parquet", rows), store, settings)
    assert (report.indexed, len(report.failed)) == (4_998, 2)
    assert [failure.uri for failure in report.failed] == [
        "m.parquet, line 8",
        "m.parquet, line 4501",
    ]


def test_vectors_of_another_dimension_name_their_row(
    tmp_path: Path, store: Store, settings: Settings
) -> None:
    store.ensure("main", MODEL)
    path = written(tmp_path / "m.parquet", places(3)[:, :5])
    with pytest.raises(SpaceMismatchError, match=r"m\.parquet, row 1: .* 5 dimensions"):
        load(path, store, settings)


def test_a_load_that_is_killed_is_searchable_and_goes_on_from_there(
    tmp_path: Path, settings: Settings
) -> None:
    rows = places(45_000)
    path = written(tmp_path / "m.parquet", rows)
    with open_store(settings) as store:
        collection = store.ensure("main", MODEL)
        command = [sys.executable, "nearfield.py", "index", str(path), "--data", str(settings.data)]
        loading = subprocess.Popen(
            [*command, "--model", MODEL], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        deadline = time.monotonic() + 60
        while collection.sequence < 2 and loading.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        loading.kill()
        loading.communicate()
        stored = collection.count()
        assert 0 < stored < 45_000
        (hit,) = collection.nearest(rows[stored - 1], 1)
        assert hit.item.id == f"i{stored - 1}"
        assert collection.verify() == []
        report = load(path, store, settings)
        assert (report.unchanged, report.indexed) == (stored, 45_000 - stored)
        assert collection.count() == 45_000

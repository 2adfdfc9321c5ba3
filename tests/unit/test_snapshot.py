"""Snapshots on disk: whole, or not at all, and with the reason."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest

from latent.disk import storage_error
from latent.errors import StorageFullError
from latent.index.bases import Kind
from latent.index.building import Task, make
from latent.index.row_files import save
from latent.index.snapshot import (
    Made,
    discard,
    drafted,
    newest,
    publish,
    sequences,
    write_vectors,
)


@pytest.mark.parametrize("shape", [(0,), (5,), (0, 4), (3, 4)])
def test_rows_aresaved_as_numpy_reads_them(tmp_path: Path, shape: tuple[int, ...]) -> None:
    rows = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    save(tmp_path / "rows.npy", rows)
    read = np.load(tmp_path / "rows.npy", mmap_mode="r" if rows.size else None)
    assert read.dtype == rows.dtype
    assert np.array_equal(read, rows)


def test_a_full_disk_is_named_whatever_was_written_to_it() -> None:
    with pytest.raises(OSError) as caught:
        save(Path("/dev/full"), np.zeros((1_000, 16), np.float32))
    assert caught.value.errno == errno.ENOSPC
    assert isinstance(storage_error(caught.value, Path("index")), StorageFullError)


def test_what_a_killed_process_left_behind_is_no_snapshot_and_goes_with_the_next(
    tmp_path: Path,
) -> None:
    for name in ("7", "9", ".new-9-1", ".old-5-1"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.faiss").write_text("x")
    assert sequences(tmp_path) == [9, 7]
    discard(tmp_path, keep=9)
    assert [path.name for path in tmp_path.iterdir()] == ["9"]


@pytest.mark.parametrize("threads", [None, 1])
def test_a_damaged_snapshot_is_passed_over_however_many_threads_look(
    tmp_path: Path, threads: int | None
) -> None:
    task = Task(Kind.EXACT, is_polite=threads is not None)
    with drafted(tmp_path) as fresh:
        write_vectors(fresh, np.arange(3), [np.eye(3, dtype=np.float32)], 3)
        contract = make(fresh, task, {})
        publish(fresh, Made(7, task, contract, built=3), dim=3, fingerprint="f")
    found = newest(tmp_path, fingerprint="f", until=7, threads=threads)
    assert found is not None
    assert found.sequence == 7
    file = tmp_path / "7" / "index.faiss"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert newest(tmp_path, fingerprint="f", until=7, threads=threads) is None

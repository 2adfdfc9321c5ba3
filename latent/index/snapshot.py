"""Snapshots of an index on disk: immutable, checksummed, published whole or not at all.

A snapshot is a folder named by the sequence it was made at. It is written beside the others under
another name, flushed, and renamed; FAISS itself does none of that. A snapshot is derived from
the catalog: a damaged one is passed over and made anew. Knows nothing about catalogs.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from latent.errors import StorageFullError, StoreError
from latent.index import faiss_index
from latent.index.faiss_index import Base, Kind
from latent.index.plans import LEAST_EFFORT
from latent.index.recall import Contract

log = logging.getLogger(__name__)

FORMAT = 2
READ = (1, 2)
"""Formats that are read; in the first, nothing was measured."""
MANIFEST = "manifest.json"
INDEX, KEYS, VECTORS = "index.faiss", "keys.npy", "vectors.npy"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a snapshot says of itself; `files` gives the SHA-256 of each.

    `effort` and `recall` are what was measured when it was made (`recall.Contract`).
    """

    format: int
    sequence: int
    kind: str
    count: int
    dim: int
    fingerprint: str
    files: dict[str, str]
    effort: int | None = None
    recall: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An opened snapshot: a mapped base, the sequence it was made at, and what was measured."""

    sequence: int
    base: Base
    bytes: int
    contract: Contract


def publish(
    base: Base, folder: Path, *, sequence: int, fingerprint: str, contract: Contract
) -> None:
    """Write a snapshot so that it is there whole, durable, or not at all.

    Raises:
        StorageFullError: there is no room.
        StoreError: it cannot be written.
    """
    fresh = folder / f".new-{sequence}-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        _write(base, fresh, sequence=sequence, fingerprint=fingerprint, contract=contract)
        final = folder / str(sequence)
        if final.exists():
            # Only a damaged one is made again; a sound one would have been taken over.
            _remove(final)
        fresh.rename(final)
        _flush(folder)
    except OSError as error:
        raise storage_error(error, folder) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def newest(folder: Path, *, fingerprint: str, until: int) -> Snapshot | None:
    """The newest sound snapshot of this space made at `until` or before; None if there is none.

    A snapshot of a later sequence than the catalog's is of another history (the catalog was
    restored, say) and is passed over like a damaged one.
    """
    for sequence in sequences(folder):
        if sequence > until:
            log.warning(
                "snapshot %d in %s is newer than the catalog; passed over", sequence, folder
            )
            continue
        try:
            return _open(folder / str(sequence), fingerprint)
        except StoreError as error:
            log.warning("snapshot %d is passed over: %s", sequence, error)
    return None


def flaws(folder: Path, *, fingerprint: str, until: int) -> list[str]:
    """What is wrong with the snapshots, one line each."""
    found = []
    for sequence in sequences(folder):
        if sequence > until:
            found.append(f"snapshot {sequence} is newer than the catalog ({until})")
            continue
        try:
            _open(folder / str(sequence), fingerprint)
        except StoreError as error:
            found.append(f"snapshot {sequence}: {error}")
    return found


def discard(folder: Path, *, keep: int | None) -> None:
    """Delete every snapshot but one. Processes that have one mapped keep reading it."""
    for sequence in sequences(folder):
        if sequence != keep:
            with suppress(OSError):  # another process was faster, or it will be seen next time
                _remove(folder / str(sequence))
    for left_over in (*folder.glob(".new-*"), *folder.glob(".old-*")):
        shutil.rmtree(left_over, ignore_errors=True)


def storage_error(error: OSError, place: Path) -> StoreError:
    """The named error for what the file system refused."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFullError(f"no room left to write in {place}")
    return StoreError(f"cannot write in {place}: {error.strerror or error}")


def sequences(folder: Path) -> list[int]:
    """The sequences of all snapshots there are, newest first."""
    if not folder.is_dir():
        return []
    return sorted((int(p.name) for p in folder.iterdir() if p.name.isdigit()), reverse=True)


def _remove(path: Path) -> None:
    """Take a snapshot away whole: whoever is killed while deleting it leaves no half of one."""
    going = path.with_name(f".old-{path.name}-{os.getpid()}")
    shutil.rmtree(going, ignore_errors=True)
    path.rename(going)
    shutil.rmtree(going, ignore_errors=True)


def _write(base: Base, fresh: Path, *, sequence: int, fingerprint: str, contract: Contract) -> None:
    faiss_index.write_file(base, fresh / INDEX)
    _save(fresh / KEYS, base.keys)
    names = [INDEX, KEYS]
    if base.kind is not Kind.EXACT:
        # A quantised graph forgets the exact vectors that hits are scored with.
        _save(fresh / VECTORS, base.vectors)
        names.append(VECTORS)
    manifest = Manifest(
        format=FORMAT,
        sequence=sequence,
        kind=base.kind.value,
        count=len(base.keys),
        dim=int(base.vectors.shape[1]),
        fingerprint=fingerprint,
        files={name: _checksum(fresh / name) for name in names},
        effort=contract.effort,
        recall=dict(contract.recall),
    )
    (fresh / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1))
    for name in (*names, MANIFEST):
        _flush(fresh / name)
    _flush(fresh)


def _save(path: Path, rows: NDArray[Any]) -> None:
    """As `np.save`, which forgets why the system refused to write ("80000 requested …")."""
    rows = np.ascontiguousarray(rows)
    with path.open("wb") as stream:
        npy.write_array_header_1_0(stream, npy.header_data_from_array_1_0(rows))
        stream.write(rows.data)


def _open(path: Path, fingerprint: str) -> Snapshot:
    try:
        manifest = Manifest(**json.loads((path / MANIFEST).read_text()))
        if manifest.format not in READ:
            raise StoreError(f"{path.name} has format {manifest.format}, not {FORMAT}")
        if manifest.fingerprint != fingerprint:
            raise StoreError(f"{path.name} is of another space")
        for name, checksum in manifest.files.items():
            if _checksum(path / name) != checksum:
                raise StoreError(f"{name} is damaged: its checksum is another one")
        keys = np.load(path / KEYS, mmap_mode="r")
        has_own = VECTORS in manifest.files
        vectors = np.load(path / VECTORS, mmap_mode="r") if has_own else None
        effort = manifest.effort or LEAST_EFFORT
        base = faiss_index.read_file(
            path / INDEX, Kind(manifest.kind), keys, vectors, effort=effort
        )
        size = sum((path / name).stat().st_size for name in manifest.files)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StoreError(f"{path.name} cannot be read: {error}") from error
    return Snapshot(manifest.sequence, base, size, Contract(manifest.effort, manifest.recall))


def _checksum(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

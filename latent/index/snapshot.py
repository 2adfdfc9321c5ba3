"""Snapshots of an index on disk: immutable, checksummed, published whole or not at all.

A snapshot is a folder named by the sequence it was made at. It is written beside the others under
another name, flushed, and renamed; FAISS itself does none of that. A snapshot is derived from
the catalog: a damaged one is passed over and made anew. Knows nothing about catalogs, and nothing
about how an index is made (`building` does).
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from latent.disk import flush, storage_error
from latent.errors import StoreError
from latent.index.bases import Base, Kind, Quantisation, read_file
from latent.index.building import INDEX, KEYS, VECTORS, Task
from latent.index.pages import mapped
from latent.index.plans import LEAST_EFFORT
from latent.index.recall import Contract
from latent.index.row_files import save, save_parts
from latent.index.vectors import Keys
from latent.items import Vectors

log = logging.getLogger(__name__)

FORMAT = 4
READ = (1, 2, 3, 4)
"""Formats that are read; in the first, nothing was measured, and files have one checksum each.

Up to the second, keys ascend; a version that expects that would look for rows in the wrong places.
Up to the third, every row has its item; such a version would find what is gone.
"""
MANIFEST = "manifest.json"
PIECE = 32 << 20  # bytes of a file with a checksum of their own, so that several cores can check


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a snapshot says of itself; `files` gives the SHA-256 of each piece of each file.

    `effort` and `recall` are what was measured when it was made (`recall.Contract`). Its graph had
    `built` rows when it was last linked from nothing; others were linked to them since.
    """

    format: int
    sequence: int
    kind: str
    count: int
    dim: int
    fingerprint: str
    files: dict[str, list[str] | str]
    effort: int | None = None
    recall: dict[str, float] = field(default_factory=dict)
    quantisation: str = Quantisation.SQ8.value
    built: int | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An opened snapshot: a mapped base, the sequence it was made at, and what was measured.

    `bytes` are those of all files, `memory` those of them that searches keep in memory. `index` is
    the file of its graph, which had `built` rows when it was last linked from nothing.
    """

    sequence: int
    base: Base
    bytes: int
    memory: int
    contract: Contract
    index: Path
    built: int


@dataclass(frozen=True, slots=True)
class Made:
    """What was made in a drafted folder: of which sequence, how, and what was measured.

    `built` is how many rows were linked from nothing.
    """

    sequence: int
    task: Task
    contract: Contract
    built: int


@contextmanager
def drafted(folder: Path) -> Iterator[Path]:
    """A new folder to write a snapshot in. What is not published from it by the end is gone.

    Raises:
        StorageFullError: there is no room.
        StoreError: it cannot be written.
    """
    fresh = folder / f".new-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        yield fresh
    except OSError as error:
        raise storage_error(error, folder) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def write_vectors(fresh: Path, keys: Keys, parts: Iterable[Vectors], dim: int) -> None:
    """Write keys, and their vectors part by part."""
    save(fresh / KEYS, keys)
    save_parts(fresh / VECTORS, parts, (len(keys), dim))


def publish(fresh: Path, made: Made, *, dim: int, fingerprint: str) -> None:
    """Let what lies in a drafted folder be a snapshot: there whole and durable, or not at all."""
    task, contract = made.task, made.contract
    if task.kind is Kind.EXACT:
        (fresh / VECTORS).unlink()  # the index holds them itself
    names = sorted(path.name for path in fresh.iterdir())
    threads = task.threads if task.is_polite else None
    manifest = Manifest(
        format=FORMAT,
        sequence=made.sequence,
        kind=task.kind.value,
        count=len(np.load(fresh / KEYS, mmap_mode="r")),
        dim=dim,
        fingerprint=fingerprint,
        files={**_checksums(fresh, names, threads)},
        effort=contract.effort,
        recall=dict(contract.recall),
        quantisation=task.quantisation.value,
        built=made.built,
    )
    (fresh / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1))
    for name in (*names, MANIFEST):
        flush(fresh / name)
    flush(fresh)
    final = fresh.with_name(str(made.sequence))
    if final.exists():
        # Only a damaged one is made again; a sound one would have been taken over.
        _remove(final)
    fresh.rename(final)
    flush(final.parent)


def newest(
    folder: Path, *, fingerprint: str, until: int, threads: int | None = None
) -> Snapshot | None:
    """The newest sound snapshot of this space made at `until` or before; None if there is none.

    Checksums are looked at by all cores, so that a start is short, or by so many threads.

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
            return _open(folder / str(sequence), fingerprint, threads)
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
    tidy(folder)


def tidy(folder: Path) -> None:
    """Take away what nobody goes on with: of those that were killed. Nobody else may be at it."""
    for left_over in (*folder.glob(".new-*"), *folder.glob(".old-*")):
        shutil.rmtree(left_over, ignore_errors=True)


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


def _open(path: Path, fingerprint: str, threads: int | None = None) -> Snapshot:
    try:
        manifest = Manifest(**json.loads((path / MANIFEST).read_text()))
        if manifest.format not in READ:
            raise StoreError(f"{path.name} has format {manifest.format}, not {FORMAT}")
        if manifest.fingerprint != fingerprint:
            raise StoreError(f"{path.name} is of another space")
        _require_sound(path, manifest, threads)
        keys = np.load(path / KEYS, mmap_mode="r")
        has_own = VECTORS in manifest.files
        vectors, pages = mapped(path / VECTORS) if has_own else (None, None)
        base = read_file(
            path / INDEX,
            Kind(manifest.kind),
            keys,
            vectors,
            effort=manifest.effort or LEAST_EFFORT,
            quantisation=Quantisation(manifest.quantisation) if has_own else Quantisation.FLOAT32,
            pages=pages,
        )
        size = sum((path / name).stat().st_size for name in manifest.files)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StoreError(f"{path.name} cannot be read: {error}") from error
    memory = size - ((path / VECTORS).stat().st_size if has_own else 0)
    memory += 0 if base.by_key is None else base.by_key.nbytes
    contract = Contract(manifest.effort, manifest.recall)
    built = manifest.count if manifest.built is None else manifest.built
    return Snapshot(manifest.sequence, base, size, memory, contract, path / INDEX, built)


def _require_sound(path: Path, manifest: Manifest, threads: int | None) -> None:
    checksums = _checksums(path, manifest.files, threads)
    for name, said in manifest.files.items():
        if isinstance(said, str):  # as format 1 has it
            with (path / name).open("rb") as stream:
                is_sound = hashlib.file_digest(stream, "sha256").hexdigest() == said
        else:
            is_sound = checksums[name] == said
        if not is_sound:
            raise StoreError(f"{name} is damaged: its checksum is another one")


def _checksums(
    folder: Path, names: Iterable[str], threads: int | None = None
) -> dict[str, list[str]]:
    """The checksum of each piece of each file, by all cores or so many threads."""
    pieces = [
        (name, start)
        for name in names
        for start in range(0, max(1, (folder / name).stat().st_size), PIECE)
    ]
    found: dict[str, list[str]] = {}
    with ThreadPoolExecutor(threads or max(1, len(os.sched_getaffinity(0)))) as pool:
        sums = pool.map(lambda one: _checksum(folder / one[0], one[1]), pieces)
        for (name, _), checksum in zip(pieces, sums, strict=True):
            found.setdefault(name, []).append(checksum)
    return found


def _checksum(path: Path, start: int) -> str:
    """Of one piece; read bit by bit, so that no file ends up in the memory of this process."""
    hashed = hashlib.sha256()
    with path.open("rb", buffering=0) as stream:
        stream.seek(start)
        left = PIECE
        while left and (content := stream.read(min(left, 1 << 20))):
            hashed.update(content)
            left -= len(content)
    return hashed.hexdigest()

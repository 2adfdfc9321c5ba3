"""Backups: all that is not derived, as it was at one moment, with a manifest and checksums.

    backup/
      manifest.json        format, schema, when it was made, items by collection, files
      catalog.sqlite3      the truth
      keys.json            the API keys, if they lie in the data folder
      views/<uid>/uploads/ pictures of uploads
      views/<uid>/concepts/ what was marked, and learnt of it
      calibrations/        how sure scores are, as it was learnt here

Or the same in one file, a TAR. The index is not among it: it is made anew. Knows nothing about the
command line.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from latent import __version__
from latent.catalog import copying
from latent.catalog.copying import Progress
from latent.catalog.tables import SCHEMA
from latent.disk import flush, storage_error
from latent.errors import InputError, NewerCatalogError, SourceMissingError, StoreError
from latent.settings import Settings
from latent.wiring import CATALOG

FORMAT = 1
MANIFEST = "manifest.json"
OTHERS = ("keys.json", "views/*/uploads/**/*", "views/*/concepts/*", "calibrations/*.json")
TAR = ".tar"
PART = ".part"  # what a backup ends in until it is whole
STAGING = ".restoring"


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup says of itself; `files` gives the bytes and the SHA-256 of each."""

    format: int
    version: str
    schema: int
    made: str
    collections: dict[str, int]
    files: dict[str, tuple[int, str]]

    @property
    def bytes(self) -> int:
        return sum(size for size, _ in self.files.values())


def write(settings: Settings, path: Path, progress: Progress) -> Backup:
    """Back up the data folder into a new folder, or a new file that ends in .tar.

    Others may go on writing: what was committed when this began is in it, nothing else. It is there
    under its name when it is whole, and flushed.

    Raises:
        InputError: there is something of that name, or the catalog lies in PostgreSQL.
        SourceMissingError: there is nothing to back up.
        StorageFullError: there is no room.
        StoreError: the catalog cannot be read.
    """
    catalog = _catalog_of(settings)
    if not catalog.is_file():
        raise SourceMissingError(f"there is nothing indexed in {settings.data}")
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise InputError(f"{path} is there already; name a new file or folder")
    part = path.with_name(path.name + PART)
    folder = part if path.suffix != TAR else path.with_name(path.name + ".files" + PART)
    with _storing(path), _removed(folder, part):
        folder.mkdir(parents=True)
        copying.copy(catalog, folder / CATALOG, progress)
        schema, counts = copying.held(folder / CATALOG)
        _copy_others(settings.data, folder)
        files = {name: _sum(folder / name) for name in _names(folder)}
        made = datetime.now(UTC).isoformat(timespec="seconds")
        backup = Backup(FORMAT, __version__, schema, made, counts, files)
        (folder / MANIFEST).write_text(json.dumps(asdict(backup), indent=1), "utf-8")
        if path.suffix == TAR:
            _pack(folder, part)
        _flush_all(part)
        part.replace(path)
        flush(path.parent)
    return backup


def restore(settings: Settings, path: Path) -> Backup:
    """Make a data folder of a backup; the folder must be empty, or not be there.

    Every file is held against its checksum and the catalog checked before it counts: the catalog
    gets its name last. What a restore that was killed has left is no hindrance.

    Raises:
        SourceMissingError: there is no such backup.
        InputError: it is no backup, or the data folder is not empty.
        NewerCatalogError: a newer version of Nearfield made it.
        StoreError: the backup is damaged.
    """
    catalog = _catalog_of(settings)
    if not path.exists():
        raise SourceMissingError(f"there is no backup {path}")
    data, staging = settings.data, settings.data / STAGING
    _clear_what_was_begun(data, staging)
    if data.exists() and any(one.name != STAGING for one in data.iterdir()):
        raise InputError(f"{data} is not empty; restore into a folder that is")
    with _storing(data), _removed(staging):
        staging.mkdir(parents=True)
        _unpack(path, staging)
        backup = _read(path, staging)
        for name, given in backup.files.items():
            if not (staging / name).is_file() or _sum(staging / name) != given:
                raise StoreError(f"the backup {path} is damaged: {name} is not as it was written")
        copying.held(staging / CATALOG)
        _flush_all(staging)
        for name in sorted(backup.files, key=lambda one: one == CATALOG):
            target = catalog if name == CATALOG else data / name
            target.parent.mkdir(parents=True, exist_ok=True)
            (staging / name).replace(target)
            flush(target.parent)
    return backup


def _catalog_of(settings: Settings) -> Path:
    if settings.catalog_url is not None:
        raise InputError(
            "the catalog does not lie in the data folder (NEARFIELD_CATALOG_URL): back it up with "
            "the means of its database, such as pg_dump and pg_restore of PostgreSQL"
        )
    return settings.data / CATALOG


def _copy_others(data: Path, folder: Path) -> None:
    for pattern in OTHERS:
        for file in sorted(data.glob(pattern)):
            if file.is_dir():
                continue
            target = folder / file.relative_to(data)
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                shutil.copy2(file, target)
            except FileNotFoundError:
                continue  # deleted since it was listed


def _clear_what_was_begun(data: Path, staging: Path) -> None:
    """Remove what a restore that was killed has put in its place, if nothing else is there.

    It ends with the catalog; what comes before is named by the manifest that it was restoring.
    """
    try:
        begun = _read(staging, staging).files
    except (InputError, StoreError):  # it was killed before there was anything to put in place
        return
    there = [one for one in data.rglob("*") if staging not in (one, *one.parents)]
    folders = [one for one in there if one.is_dir() and not one.is_symlink()]
    others = set(there) - set(folders)
    names = {one.relative_to(data).as_posix() for one in others}
    is_plain = all(one.is_file() and not one.is_symlink() for one in others)
    if CATALOG in names or not names <= begun.keys() or not is_plain:
        return
    with _storing(data):
        for one in others:
            one.unlink()
        for folder in sorted(folders, reverse=True):
            folder.rmdir()


def _names(folder: Path) -> Iterator[str]:
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            yield file.relative_to(folder).as_posix()


def _sum(file: Path) -> tuple[int, str]:
    with file.open("rb") as stream:
        return file.stat().st_size, hashlib.file_digest(stream, "sha256").hexdigest()


def _pack(folder: Path, part: Path) -> None:
    with tarfile.open(part, "w") as tar:
        # The manifest first, so that what it is can be told without reading it all.
        for name in sorted([*_names(folder)], key=lambda one: one != MANIFEST):
            tar.add(folder / name, name)


def _unpack(path: Path, staging: Path) -> None:
    try:
        if path.is_dir():
            shutil.copytree(path, staging, dirs_exist_ok=True)
        else:
            with tarfile.open(path, "r") as tar:
                tar.extractall(staging, filter="data")
    except tarfile.TarError as error:
        raise InputError(f"{path} is no backup: {error}") from error
    except shutil.Error as error:
        raise StoreError(f"the backup {path} cannot be read: {error}") from error


def _read(path: Path, staging: Path) -> Backup:
    try:
        said: Any = json.loads((staging / MANIFEST).read_text("utf-8"))
        files = {name: (int(size), str(sha)) for name, (size, sha) in said["files"].items()}
        backup = Backup(**(said | {"files": files}))
    except FileNotFoundError as error:
        raise InputError(f"{path} is no backup: it has no {MANIFEST}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise StoreError(f"the backup {path} is damaged: {MANIFEST} cannot be read") from error
    if backup.format > FORMAT or backup.schema > SCHEMA:
        raise NewerCatalogError(
            f"the backup {path} was made by Nearfield {backup.version} (schema {backup.schema}, "
            f"this version reads {SCHEMA}); use that version"
        )
    for name in backup.files:
        # A manifest may come from anywhere; it names files of the data folder and no others.
        if not (staging / name).resolve().is_relative_to(staging.resolve()):
            raise StoreError(f"the backup {path} is damaged: it names a file {name!r}")
    if CATALOG not in backup.files:
        raise StoreError(f"the backup {path} is damaged: it has no {CATALOG}")
    return backup


@contextmanager
def _removed(*paths: Path) -> Iterator[None]:
    """Nothing is left of these, neither of an earlier try nor at the end."""
    try:
        for path in paths:
            _remove(path)
        yield
    finally:
        for path in paths:
            _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):  # what keeps it from being written may keep it from being removed
            path.unlink()


@contextmanager
def _storing(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise storage_error(error, place) from error


def _flush_all(path: Path) -> None:
    """Have the file, or all files of the folder, on the disk."""
    for file in path.rglob("*") if path.is_dir() else [path]:
        if file.is_file():
            flush(file)
    if path.is_dir():
        flush(path)

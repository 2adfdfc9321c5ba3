"""Calibrations that were learnt here, in the data folder: one for the space of each model.

    calibrations/<hash of the fingerprint>.json     model, fingerprint, calibration

Knows nothing about how they are learnt, nor about those that models carry.
"""

from __future__ import annotations

import hashlib
import logging
from functools import cache, lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from latent.disk import storage_error, write_whole
from latent.models.calibration import Calibration
from latent.settings import Settings
from latent.space import Space

log = logging.getLogger(__name__)

FOLDER = "calibrations"


class Kept(BaseModel):
    """What a file holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    fingerprint: str
    calibration: Calibration


def keep(space: Space, calibration: Calibration, settings: Settings) -> Path:
    """Keep what was learnt of a space, in the place of what was; gives the file.

    Raises:
        StorageFullError: there is no room.
        StoreError: it cannot be written.
    """
    path = _path(space, settings)
    kept = Kept(model=space.model, fingerprint=space.fingerprint, calibration=calibration)
    write_whole(path, kept.model_dump_json(indent=2).encode(), is_durable=True)
    return path


def of(space: Space, settings: Settings) -> Calibration | None:
    """What was learnt of a space here, if something was; asked for with every question."""
    path = _path(space, settings)
    try:
        changed = path.stat().st_mtime_ns
        kept = _read(path, changed)
    except OSError:
        return None
    return kept.calibration if kept and kept.fingerprint == space.fingerprint else None


def forget(space: Space, settings: Settings) -> bool:
    """Let go of what was learnt of a space here; gives whether there was something.

    Raises:
        StoreError: it cannot be removed.
    """
    path = _path(space, settings)
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise storage_error(error, path.parent) from error
    return True


@lru_cache
def _read(path: Path, _changed: int) -> Kept | None:
    try:
        return Kept.model_validate_json(path.read_bytes())
    except ValidationError:
        log.warning("%s cannot be understood and has no say; learn it again", path)
        return None


def _path(space: Space, settings: Settings) -> Path:
    return _path_in(settings.data, space.fingerprint)


@cache
def _path_in(data: Path, fingerprint: str) -> Path:
    name = hashlib.sha256(fingerprint.encode()).hexdigest()[:32]
    return data / FOLDER / f"{name}.json"

"""What took long to find out, in one file: numbers as arrays, the rest as JSON, checksummed.

Most of it is derived: a file that is damaged or of another form is passed over, and made again.
Knows nothing about what is kept.
"""

from __future__ import annotations

import hashlib
import json
import logging
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latent.disk import write_whole

log = logging.getLogger(__name__)

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """What was kept: `about` is JSON."""

    about: dict[str, Any]
    arrays: Arrays


def save(
    path: Path,
    form: str,
    about: Mapping[str, Any],
    arrays: Arrays,
    *,
    is_durable: bool = False,
) -> None:
    """Keep something; readers see all of it or what was there before.

    What is derived from nothing is durable: on the disk before this returns.

    Raises:
        StorageFullError: there is no room.
        StoreError: it cannot be written.
    """
    stream = BytesIO()
    np.savez(stream, **dict(arrays))  # type: ignore[arg-type]
    content = stream.getvalue()
    head = {"form": form, "sha256": _checksum(about, content), "about": dict(about)}
    write_whole(path, json.dumps(head).encode() + b"\n" + content, is_durable=is_durable)


def load(path: Path, form: str) -> Kept | None:
    """What was kept in this form; None where there is none, or none that is sound."""
    try:
        line, _, content = path.read_bytes().partition(b"\n")
        head = json.loads(line)
        if head["form"] != form or head["sha256"] != _checksum(head["about"], content):
            raise ValueError("another form, or damaged")
        with np.load(BytesIO(content), allow_pickle=False) as arrays:
            return Kept(head["about"], {name: arrays[name] for name in arrays.files})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        log.warning("%s is passed over: %s", path.name, error)
        return None


def _checksum(about: Mapping[str, Any], content: bytes) -> str:
    digest = hashlib.sha256(json.dumps(dict(about), sort_keys=True).encode())
    digest.update(content)
    return digest.hexdigest()

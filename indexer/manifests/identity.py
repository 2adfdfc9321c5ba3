"""What a row is called, and what tells whether it has changed.

Knows nothing about what was stored before.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path

import orjson

from indexer.manifests.row import Row
from indexer.sources import reason_of
from latent.errors import SourceMissingError
from latent.items import FINGERPRINT

_AS_JSON = json.JSONEncoder(sort_keys=True)  # made once: making it takes as long as using it


def derived_id(row: Row) -> str:
    """The id of a row that has none: of what it says, so that it keeps it wherever it stands."""
    return blake2b(b"row" + _canonical(row)).hexdigest()[:16]


def fingerprint(row: Row, item_id: str, image: str | None) -> str:
    """Changes whenever the row would be stored otherwise: its cells, or the file it names.

    Raises:
        SourceMissingError: the file is not there.
    """
    if row.vector is not None and image is None:
        return _of_vector(row, item_id)
    digest = blake2b(item_id.encode() + b"\0" + _canonical(row))
    if image is not None:
        try:
            status = Path(image).lstat()
        except (OSError, ValueError) as error:
            raise SourceMissingError(f"{row.image}: {reason_of(error)}") from error
        digest.update(f"{status.st_size} {status.st_mtime_ns}".encode())
    return digest.hexdigest()[:FINGERPRINT]


def older_fingerprint(row: Row, item_id: str) -> str:
    """The fingerprint of a row with a vector as it was made once, and as it may be stored."""
    return blake2b(item_id.encode() + b"\0" + _canonical(row)).hexdigest()[:FINGERPRINT]


def _of_vector(row: Row, item_id: str) -> str:
    """Made several times faster: these rows come by the million."""
    assert row.vector is not None
    cells = [item_id, row.image, row.text, row.uri, row.modality, row.metadata, row.passage]
    try:
        written = orjson.dumps(cells, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # a number beyond 64 bits, say, which JSON can hold
        written = item_id.encode() + b"\0" + _canonical(row)
    digest = blake2b(written, digest_size=FINGERPRINT // 2)
    digest.update(row.vector.tobytes())
    return digest.hexdigest()


def _canonical(row: Row) -> bytes:
    cells = [row.image, row.text, row.uri, row.modality, dict(row.metadata)]
    cells.append(asdict(row.passage) if row.passage else None)
    written = _AS_JSON.encode(cells).encode()
    return written if row.vector is None else written + b"\0" + row.vector.tobytes()

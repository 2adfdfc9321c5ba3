"""Writes a collection as a manifest that can be indexed again: JSON Lines or Parquet.

Knows nothing about the command line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from latent.collection import Collection
from latent.errors import InputError
from latent.items import JSON, Item

PAGE = 500


def write_lines(collection: Collection, stream: IO[str], *, with_vectors: bool) -> int:
    """Every item as a line of JSON, in order of arrival; gives how many."""
    count = 0
    for page in _pages(collection):
        for item in page:
            row = _row(item) | ({"vector": item.vector.tolist()} if with_vectors else {})
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
        count += len(page)
    return count


def write_file(collection: Collection, path: Path, *, with_vectors: bool) -> int:
    """Every item into a file, JSON Lines or Parquet by its suffix; gives how many.

    The file is there when it is whole, and not before.

    Raises:
        InputError: the suffix is neither, or the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in (".jsonl", ".parquet"):
        raise InputError(f"{path}: an export is written as .jsonl or .parquet")
    with _in_whole(path) as part:
        if suffix == ".parquet":
            return _write_parquet(collection, part, with_vectors=with_vectors)
        with part.open("w", encoding="utf-8") as stream:
            return write_lines(collection, stream, with_vectors=with_vectors)


@contextmanager
def _in_whole(path: Path) -> Iterator[Path]:
    part = path.with_name(path.name + ".part")
    try:
        yield part
        part.replace(path)
    except OSError as error:
        raise InputError(f"{path}: it cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):  # what kept it from being written may keep it from being removed
            part.unlink()


def _write_parquet(collection: Collection, path: Path, *, with_vectors: bool) -> int:
    import pyarrow as pa  # here, because it is slow to import and only Parquet needs it
    from pyarrow import parquet

    # Metadata differs from item to item; a column of JSON holds it without a common schema.
    names = ["id", "uri", "modality", "text", "passage", "metadata"]
    fields = [pa.field(name, pa.string()) for name in names]
    if with_vectors:
        fields.append(pa.field("vector", pa.list_(pa.float32(), collection.space.dim)))
    schema = pa.schema(fields)
    count = 0
    with parquet.ParquetWriter(path, schema) as writer:
        for page in _pages(collection):
            rows: list[dict[str, Any]] = []
            for item in page:
                row: dict[str, Any] = dict(_row(item))
                row["metadata"] = json.dumps(row["metadata"], ensure_ascii=False)
                row["passage"] = json.dumps(row["passage"]) if "passage" in row else None
                rows.append(row | ({"vector": item.vector} if with_vectors else {}))
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))
            count += len(page)
    return count


def _pages(collection: Collection) -> Iterator[Sequence[Item]]:
    after: str | None = None
    while page := collection.scroll(PAGE, after=after):
        yield page
        after = page[-1].id


def _row(item: Item) -> dict[str, JSON]:
    row: dict[str, JSON] = {"id": item.id, "uri": item.uri, "modality": item.modality.value}
    if item.text is not None:
        row["text"] = item.text
    if item.passage is not None:
        row["passage"] = asdict(item.passage)
    return row | {"metadata": dict(item.metadata)}

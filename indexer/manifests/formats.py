"""The rows of a manifest: CSV and JSON Lines are read here, Parquet and NPY in `tables`.

Read row by row, however long they are. Columns with a meaning are `image`, `text`, `id`, `vector`
and, as an export writes them, `uri`, `modality`, `passage` and `metadata` (an object); any other
column becomes metadata. Knows nothing about models or the catalog.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from indexer.manifests.cells import SHOWN, Cells, require_columns, row_of
from indexer.manifests.row import BadRow, Row, Rows
from indexer.manifests.tables import npy_rows, parquet_rows
from latent.errors import InputError

LONGEST_LINE = 50_000_000  # bytes of a line of JSON, characters of a cell of CSV


def rows(path: Path) -> Rows:
    """The rows of the manifest, one after another. A bad row stops nothing.

    Raises:
        InputError: it cannot be read (further), or has none of the columns it needs.
    """
    read: Callable[[Path], Rows] = {
        ".csv": _csv,
        ".jsonl": _jsonl,
        ".parquet": parquet_rows,
        ".npy": npy_rows,
    }[path.suffix.lower()]
    try:
        yield from read(path)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise InputError(f"{path.name}: cannot be read further: {reason}") from error


def _csv(path: Path) -> Rows:
    csv.field_size_limit(LONGEST_LINE)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(_lines(path, file), strict=True)
        require_columns(path, reader.fieldnames or ())
        for cells in reader:
            if None in cells:
                yield BadRow(reader.line_num, "it has more cells than the header has columns")
            else:
                values = {name: value for name, value in cells.items() if value}
                yield row_of(reader.line_num, values, from_text=True)


def _lines(path: Path, file: IO[str]) -> Iterator[str]:
    """The lines of a file; csv would have taken in the whole of one before it says no."""
    number = 0
    while line := file.readline(LONGEST_LINE):
        number += 1
        if len(line) == LONGEST_LINE:
            raise _too_long(path, number)
        yield line


def _too_long(path: Path, number: int) -> InputError:
    return InputError(f"{path.name}: line {number} is longer than {LONGEST_LINE:,}")


def _jsonl(path: Path) -> Rows:
    seen: dict[str, None] = {}
    with path.open("rb") as file:
        number = 0
        useful = False
        while line := file.readline(LONGEST_LINE):
            number += 1
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            if len(line) == LONGEST_LINE:
                raise _too_long(path, number)
            if not line.strip():
                continue
            cells = _json_line(number, line)
            if isinstance(cells, BadRow):
                yield cells
                continue
            if len(seen) < SHOWN:
                seen |= dict.fromkeys(list(cells)[:SHOWN])
            row = row_of(number, cells)
            useful = useful or isinstance(row, Row)
            yield row
    if not useful:
        require_columns(path, seen)


def _json_line(number: int, line: bytes) -> Cells | BadRow:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        return BadRow(number, f"it is not JSON: {error}")
    if not isinstance(found, dict):
        return BadRow(number, "it is not a JSON object")
    return found

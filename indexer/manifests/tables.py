"""Manifests that are tables of numbers and columns: Parquet, and NPY for vectors alone.

Knows nothing about what cells mean; `cells` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from indexer.manifests.cells import Cells, as_float32, require_columns, row_of
from indexer.manifests.row import BadRow, Row, Rows
from latent.errors import InputError
from latent.items import Vectors

ROWS_AT_ONCE = 1_024
READ_AT_ONCE = 1 << 20  # bytes of a column


def parquet_rows(path: Path) -> Rows:
    import pyarrow  # here, because it is slow to import and only Parquet needs it
    from pyarrow import parquet

    try:
        # It would read all of the file ahead, and keep it.
        with parquet.ParquetFile(path, pre_buffer=False, buffer_size=READ_AT_ONCE) as table:
            require_columns(path, table.schema_arrow.names)
            number = 0
            for batch in table.iter_batches(batch_size=ROWS_AT_ONCE):
                batch, vectors = _vectors_apart(batch)
                for at, cells in enumerate(_cells(batch)):
                    number += 1
                    if isinstance(cells, str):
                        yield BadRow(number, cells)
                        continue
                    given = {k: v for k, v in cells.items() if v is not None}
                    if vectors is not None:
                        given["vector"] = vectors[at]
                    yield row_of(number, given)
    except pyarrow.ArrowException as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path.name}: cannot be read further: {reason}") from error


def _vectors_apart(batch: Any) -> tuple[Any, Vectors | None]:
    """The batch without its vectors, and these as one table of numbers, if they are one.

    As Python lists, each of their numbers would be an object.
    """
    import pyarrow

    at = batch.schema.get_field_index("vector")
    if at < 0 or batch.num_rows == 0:
        return batch, None
    column, kind = batch.column(at), batch.column(at).type
    is_list = pyarrow.types.is_list(kind) or pyarrow.types.is_large_list(kind)
    is_list = is_list or pyarrow.types.is_fixed_size_list(kind)
    if not is_list or column.null_count or not pyarrow.types.is_floating(kind.value_type):
        return batch, None
    numbers = column.flatten()
    if numbers.null_count or len(numbers) % len(column) or len(set(_lengths(column))) != 1:
        return batch, None
    table = as_float32(numbers.to_numpy(zero_copy_only=False)).reshape(len(column), -1)
    return batch.remove_column(at), table


def _lengths(column: Any) -> list[int]:
    from pyarrow import compute

    lengths: list[int] = compute.list_value_length(column).unique().to_pylist()
    return lengths


def _cells(batch: Any) -> Iterator[Cells | str]:
    """The rows of a record batch as Python values, or why a row has none."""
    batch = _in_microseconds(batch)
    try:
        found: list[Cells | str] = batch.to_pylist()
    except (ArithmeticError, LookupError, ValueError):  # no UTF-8, a year beyond 9999, …
        found = [_cells_of_row(batch, at) for at in range(batch.num_rows)]
    yield from found


def _cells_of_row(batch: Any, at: int) -> Cells | str:
    try:
        cells: Cells = batch.slice(at, 1).to_pylist()[0]
    except (ArithmeticError, LookupError, ValueError) as error:
        return f"a cell cannot be read: {error}"
    return cells


def _in_microseconds(batch: Any) -> Any:
    """The batch with times as Python can hold them; pandas, for one, writes nanoseconds."""
    import pyarrow

    for at, column in enumerate(batch.schema):
        if pyarrow.types.is_timestamp(column.type):
            coarse = pyarrow.timestamp("us", column.type.tz)
        elif pyarrow.types.is_time64(column.type):
            coarse = pyarrow.time64("us")
        else:
            continue
        if column.type.unit == "ns":
            times = batch.column(at).cast(coarse, safe=False)
            batch = batch.set_column(at, column.name, times)
    return batch


def npy_rows(path: Path) -> Rows:
    with path.open("rb") as file:
        if file.read(len(npy.MAGIC_PREFIX)) != npy.MAGIC_PREFIX:
            # Anything else numpy would take for an archive or a pickle; a pickle runs what it says.
            raise InputError(f"{path.name}: no NPY file of numbers")
    try:
        table = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise InputError(f"{path.name}: no NPY file of numbers: {error}") from error
    if not isinstance(table, np.ndarray) or table.ndim != 2 or table.dtype.kind not in "fiu":
        raise InputError(f"{path.name}: needs a table of numbers, a row for each vector")
    for at, vector in enumerate(table):
        yield Row(at + 1, id=str(at), vector=as_float32(vector))

"""Tables that list things: CSV, JSON Lines, Parquet, and NPY for vectors alone.

Read row by row, however long they are. Columns with a meaning are `image`, `text`, `id`, `vector`
and, as an export writes them, `uri`, `modality`, `passage` and `metadata` (an object); any other
column becomes metadata. Knows nothing about models or the catalog.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from datetime import time as time_of_day
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from latent.errors import InputError
from latent.items import JSON, LONGEST_ID, Metadata, Modality, Passage, Vector, Vectors

CONTENT = ("image", "text", "vector")
MEANT = frozenset({*CONTENT, "id", "uri", "modality", "passage", "metadata"})
LONGEST_LINE = 50_000_000  # bytes of a line of JSON, characters of a cell of CSV
ROWS_AT_ONCE = 1_024
SHOWN = 20  # columns that an error names

DEEPEST = 100  # lists in lists of metadata

CONTROL = re.compile(r"[\x00-\x1f\x7f]")
WHOLE = re.compile(r"[+-]?(0|[1-9]\d{0,17})")
DECIMAL = re.compile(r"[+-]?(\d+\.\d*|\.\d+|\d+)([eE][+-]?\d{1,3})?")
TRUTH: dict[str, JSON] = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a manifest; `number` is its line in the file, or its place from 1 in a table."""

    number: int
    image: str | None = None
    text: str | None = None
    id: str | None = None
    vector: Vector | None = None
    uri: str | None = None
    modality: Modality | None = None
    passage: Passage | None = None
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be used, and why."""

    number: int
    reason: str


Rows = Iterator[Row | BadRow]
Cells = Mapping[str, Any]


def rows(path: Path) -> Rows:
    """The rows of the manifest, one after another. A bad row stops nothing.

    Raises:
        InputError: it cannot be read (further), or has none of the columns it needs.
    """
    read: Callable[[Path], Rows] = {
        ".csv": _csv,
        ".jsonl": _jsonl,
        ".parquet": _parquet,
        ".npy": _npy,
    }[path.suffix.lower()]
    try:
        yield from read(path)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise InputError(f"{path.name}: cannot be read further: {reason}") from error


# --- formats --------------------------------------------------------------------------------


def _csv(path: Path) -> Rows:
    csv.field_size_limit(LONGEST_LINE)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(_lines(path, file), strict=True)
        _require_columns(path, reader.fieldnames or ())
        for cells in reader:
            if None in cells:
                yield BadRow(reader.line_num, "it has more cells than the header has columns")
            else:
                values = {name: value for name, value in cells.items() if value}
                yield _row(reader.line_num, values, from_text=True)


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
            row = _row(number, cells)
            useful = useful or isinstance(row, Row)
            yield row
    if not useful:
        _require_columns(path, seen)


def _json_line(number: int, line: bytes) -> Cells | BadRow:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        return BadRow(number, f"it is not JSON: {error}")
    if not isinstance(found, dict):
        return BadRow(number, "it is not a JSON object")
    return found


def _parquet(path: Path) -> Rows:
    import pyarrow  # here, because it is slow to import and only Parquet needs it
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as table:
            _require_columns(path, table.schema_arrow.names)
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
                    yield _row(number, given)
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
    table = _as_float32(numbers.to_numpy(zero_copy_only=False)).reshape(len(column), -1)
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


def _npy(path: Path) -> Rows:
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
        yield Row(at + 1, id=str(at), vector=_as_float32(vector))


# --- cells ----------------------------------------------------------------------------------


def _require_columns(path: Path, names: Iterable[str]) -> None:
    names = list(names)
    if not set(CONTENT) & set(names):
        has = ", ".join(repr(name) for name in names[:SHOWN]) or "none"
        raise InputError(f"{path.name}: needs a column 'image', 'text' or 'vector'; it has {has}")


def _row(number: int, cells: Cells, *, from_text: bool = False) -> Row | BadRow:
    try:
        metadata = dict(_json_object(cells.get("metadata"), "metadata"))
        for name, value in cells.items():
            plain = None if name in MEANT else _typed(value) if from_text else _json(value)
            if plain is not None:
                metadata[_sound(str(name))] = plain
        row = Row(
            number,
            image=_words(cells, "image"),
            text=_words(cells, "text"),
            id=_id(cells),
            vector=_vector(cells.get("vector")),
            uri=_words(cells, "uri"),
            modality=_modality(cells.get("modality")),
            passage=_passage(_json_object(cells.get("passage"), "passage")),
            metadata=metadata,
        )
    except (TypeError, ValueError) as error:
        return BadRow(number, str(error))
    if row.image is None and row.text is None and row.vector is None:
        return BadRow(number, "it has no image, text or vector")
    return row


def _words(cells: Cells, name: str) -> str | None:
    value = cells.get(name)
    if value is None:
        return None
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise ValueError(f"its {name} is not a text")
    return _sound(str(value)) if str(value).strip() else None


def _id(cells: Cells) -> str | None:
    found = _words(cells, "id")
    if found is not None and (len(found) > LONGEST_ID or CONTROL.search(found)):
        raise ValueError(f"its id has control characters, or more than {LONGEST_ID:,}")
    return found


def _vector(value: object) -> Vector | None:
    if value is None:
        return None
    if isinstance(value, str):
        value = _from_json(value)
    if isinstance(value, np.ndarray) and value.dtype == np.float32 and value.ndim == 1:
        return value
    try:
        vector = _as_float32(value)
    except (OverflowError, TypeError, ValueError) as error:
        raise ValueError("its vector is not a list of numbers") from error
    if vector.ndim != 1:
        raise ValueError("its vector is not a list of numbers")
    return vector


def _as_float32(value: Any) -> Vector:
    """As numpy has it; what is too large becomes infinite, and is refused where it is placed."""
    with np.errstate(over="ignore"):
        return np.array(value, dtype=np.float32)


def _modality(value: object) -> Modality | None:
    if value is None:
        return None
    try:
        return Modality(str(value))
    except ValueError as error:
        raise ValueError(f"its modality is {value!r}, neither 'image' nor 'text'") from error


def _passage(value: Mapping[str, Any]) -> Passage | None:
    if not value:
        return None
    try:
        numbers = [int(value[name]) for name in ("number", "of", "start", "end")]
        return Passage(str(value["document"]), *numbers)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("its passage lacks document, number, of, start or end") from error


def _json_object(value: object, name: str) -> Mapping[str, Any]:
    if isinstance(value, str):
        try:
            value = _from_json(value)
        except ValueError as error:
            raise ValueError(f"its {name} is not a JSON object") from error
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError(f"its {name} is not a JSON object")
    return {_sound(str(key)): _json(part) for key, part in value.items()}


def _from_json(text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _typed(text: str) -> JSON:
    """What a cell of CSV looks like: a whole number, a decimal, true or false, else the text."""
    if WHOLE.fullmatch(text):
        return int(text)
    if DECIMAL.fullmatch(text) and not re.match(r"[+-]?0\d", text) and math.isfinite(float(text)):
        return float(text)
    return TRUTH.get(text.lower(), text)


def _json(value: object, depth: int = 0) -> JSON:
    """A value as JSON can hold it; times become ISO 8601, numbers that are none become null."""
    if depth > DEEPEST:
        raise ValueError("it is nested too deeply")
    if isinstance(value, str):
        return _sound(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float | Decimal):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, datetime | date | time_of_day):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {_sound(str(key)): _json(part, depth + 1) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_json(part, depth + 1) for part in value]
    raise ValueError(f"a {type(value).__name__} cannot be metadata")


def _sound(text: str) -> str:
    """The text, if it can be stored: JSON may hold halves of characters that UTF-8 cannot."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError("it holds half a character (a lone surrogate)") from error
    return text

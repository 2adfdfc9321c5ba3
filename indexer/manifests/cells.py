"""What the cells of a row mean: the columns with a meaning, and metadata of all others.

Knows nothing about files and their formats.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from datetime import time as time_of_day
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from indexer.manifests.row import BadRow, Row
from latent.errors import InputError
from latent.exact_json import has_no_large
from latent.items import JSON, LONGEST_ID, Modality, Passage, Vector

CONTENT = ("image", "text", "vector")
MEANT = frozenset({*CONTENT, "id", "uri", "modality", "passage", "metadata"})
SHOWN = 20  # columns that an error names

DEEPEST = 100  # lists in lists of metadata

CONTROL = re.compile(r"[\x00-\x1f\x7f]")
WHOLE = re.compile(r"[+-]?(0|[1-9]\d{0,17})")
DECIMAL = re.compile(r"[+-]?(\d+\.\d*|\.\d+|\d+)([eE][+-]?\d{1,3})?")
TRUTH: dict[str, JSON] = {"true": True, "false": False}

WORDS = (str, int, float)
"""Made once: a union that is written where it is used is made anew for each cell."""

Cells = Mapping[str, Any]


def require_columns(path: Path, names: Iterable[str]) -> None:
    """Raises InputError: there is no column that a row could be made of."""
    names = list(names)
    if not set(CONTENT) & set(names):
        has = ", ".join(repr(name) for name in names[:SHOWN]) or "none"
        raise InputError(f"{path.name}: needs a column 'image', 'text' or 'vector'; it has {has}")


def row_of(number: int, cells: Cells, *, from_text: bool = False) -> Row | BadRow:
    """The row of these cells, or what is wrong with it; `from_text`: each cell is a text."""
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
    if not isinstance(value, WORDS) or isinstance(value, bool):
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
        vector = as_float32(value)
    except (OverflowError, TypeError, ValueError) as error:
        raise ValueError("its vector is not a list of numbers") from error
    if vector.ndim != 1:
        raise ValueError("its vector is not a list of numbers")
    return vector


def as_float32(value: Any) -> Vector:
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
        if (plain := _plain_object(value)) is not None:
            return plain
        try:
            value = _from_json(value)
        except ValueError as error:
            raise ValueError(f"its {name} is not a JSON object") from error
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError(f"its {name} is not a JSON object")
    return {_sound(str(key)): _json(part) for key, part in value.items()}


def _plain_object(text: str) -> dict[str, JSON] | None:
    """The object that a text holds, if it is surely sound: nearly all are, and there are many.

    A stricter parser refuses all that must be mended or told about, but for depth and large
    numbers; None says that a text is to be looked at closely.
    """
    if text.count("[") + text.count("{") > DEEPEST:
        return None
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) and has_no_large(found.values()) else None


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
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError("it holds half a character (a lone surrogate)") from error
    return text

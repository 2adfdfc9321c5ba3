"""Cells of rows: what is read the fast way is what the careful way gives."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from indexer.manifests.cells import row_of
from indexer.manifests.formats import rows
from indexer.manifests.identity import fingerprint
from indexer.manifests.row import BadRow, Row
from latent.items import JSON

LARGE = 10**25
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers(-LARGE, LARGE) | st.floats() | st.text(),
    lambda inside: st.lists(inside) | st.dictionaries(st.text(), inside),
    max_leaves=8,
)


def metadata_of(cell: object) -> object:
    """What becomes of a cell of metadata, or why nothing does."""
    row = row_of(1, {"text": "x", "metadata": cell})
    return row.reason if isinstance(row, BadRow) else row.metadata


@given(st.dictionaries(st.text(), JSONS))
def test_metadata_in_a_text_are_the_same_as_in_an_object(given_: dict[str, JSON]) -> None:
    read, expected = metadata_of(json.dumps(given_)), metadata_of(given_)
    assert json.dumps(read) == json.dumps(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 12345678901234567890123}', {"a": 12345678901234567890123}),
        ('{"a": [1e300, NaN, 1e999]}', {"a": [1e300, None, None]}),
        ('{"a": "\\ud800"}', "it holds half a character (a lone surrogate)"),
        ('{"a": ' + "[" * 99 + "]" * 99 + "}", {"a": json.loads("[" * 99 + "]" * 99)}),
        ('{"a": ' + "[" * 200 + "]" * 200 + "}", "it is nested too deeply"),
        ("[1]", "its metadata is not a JSON object"),
        ("{", "its metadata is not a JSON object"),
    ],
)
def test_what_a_stricter_parser_would_lose_or_refuse_is_looked_at_closely(
    text: str, expected: object
) -> None:
    assert metadata_of(text) == expected


def row(**cells: object) -> Row:
    found = row_of(1, {"vector": [1.0, 2.0]} | cells)
    assert isinstance(found, Row)
    return found


def test_a_fingerprint_is_of_everything_that_is_stored() -> None:
    passage = {"document": "d", "number": 0, "of": 2, "start": 0, "end": 5}
    rows = [
        row(),
        row(vector=[1.0, 2.5]),
        row(metadata='{"a": 1, "b": 2}'),
        row(metadata='{"a": 1, "b": 3}'),
        row(metadata={"a": 10**30}),
        row(metadata={"a": 10**30 + 1}),
        row(text="x"),
        row(uri="x"),
        row(modality="text"),
        row(passage=passage),
    ]
    prints = [fingerprint(one, "i", None) for one in rows]
    assert len({*prints, fingerprint(rows[0], "j", None)}) == len(rows) + 1
    turned = row(metadata='{"b": 2, "a": 1}')
    assert fingerprint(turned, "i", None) == prints[2]
    strided = np.asfortranarray(np.array([[1, 2], [3, 4]], np.float32).T)[:, 0]
    assert fingerprint(row(vector=strided), "i", None) == prints[0]


def test_a_table_is_not_held_as_a_whole(tmp_path: Path) -> None:
    count, dim = 40_000, 64
    numbers = pa.array(np.random.default_rng(0).random(count * dim, np.float32))
    table = pa.table({"vector": pa.FixedSizeListArray.from_arrays(numbers, dim)})
    path = tmp_path / "m.parquet"
    parquet.write_table(table, path, row_group_size=4_096, compression="none")
    before, most = pa.total_allocated_bytes(), 0
    for number, _ in enumerate(rows(path)):
        if number % 1_000 == 0:
            most = max(most, pa.total_allocated_bytes() - before)
    assert 0 < most < count * dim * 4 / 2

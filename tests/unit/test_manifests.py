"""Tables that list things are read row by row, and a bad row says what is wrong with it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from indexer.manifests import BadRow, Row, rows
from latent.errors import InputError
from latent.items import Modality, Passage


def read(path: Path, content: str | bytes) -> list[Row | BadRow]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(rows(path))


def read_table(path: Path, columns: dict[str, Any]) -> list[Row | BadRow]:
    parquet.write_table(pa.table(columns), path)
    return list(rows(path))


def only(found: list[Row | BadRow]) -> Row:
    (row,) = found
    assert isinstance(row, Row), row
    return row


def test_csv_gives_images_texts_ids_and_metadata(tmp_path: Path) -> None:
    found = read(
        tmp_path / "a.csv",
        'image,text,id,who,year\r\nbeach.jpg,,b,Ann,2021\r\n,"two\nlines, one cell",,,\r\n',
    )
    assert found == [
        Row(2, image="beach.jpg", id="b", metadata={"who": "Ann", "year": 2021}),
        Row(4, text="two\nlines, one cell"),
    ]


def test_csv_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    assert only(read(tmp_path / "a.csv", b"\xef\xbb\xbftext\ndog\n")).text == "dog"


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("42", 42),
        ("-7", -7),
        ("2.50", 2.5),
        ("1e3", 1000.0),
        ("true", True),
        ("FALSE", False),
        ("007", "007"),
        ("1.2.3", "1.2.3"),
        ("1e999", "1e999"),
        ("nan", "nan"),
        ("1234567890123456789012", 1.2345678901234568e21),
        ("yes", "yes"),
        ("²", "²"),
    ],
)
def test_csv_cells_become_what_they_look_like(tmp_path: Path, cell: str, value: object) -> None:
    found = only(read(tmp_path / "a.csv", f"text,cell\ndog,{cell}\n")).metadata["cell"]
    assert found == value
    assert type(found) is type(value)


def test_ids_and_texts_of_csv_stay_as_they_are_written(tmp_path: Path) -> None:
    row = only(read(tmp_path / "a.csv", "id,text\n007,1.50\n"))
    assert (row.id, row.text) == ("007", "1.50")


def test_a_csv_row_with_too_many_cells_is_bad_and_the_next_is_not(tmp_path: Path) -> None:
    bad, good = read(tmp_path / "a.csv", "text\na,b,c\ngood\n")
    assert isinstance(bad, BadRow)
    assert bad.number == 2
    assert good == Row(3, text="good")


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_a_manifest_without_a_fit_column_names_what_it_has_and_needs(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(InputError, match="needs a column 'image', 'text' or 'vector'; it has 'pic"):
        if name.endswith("parquet"):
            read_table(tmp_path / name, {"picture": ["a.jpg"]})
        else:
            read(tmp_path / name, {"a.csv": "picture\na.jpg\n"}.get(name, '{"picture": "a.jpg"}\n'))


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_an_empty_manifest_has_no_columns(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="it has none"):
        read(tmp_path / name, "")


@pytest.mark.parametrize("name", ["a.parquet", "a.npy"])
def test_a_binary_manifest_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    for content in (b"", b"hello", b"PAR1hello PAR1", b"\x93NUMPY\x01\x00"):
        with pytest.raises(InputError, match=name):
            read(tmp_path / name, content)


def test_a_manifest_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read further"):
        read(tmp_path / "a.csv", b"text\ncaf\xe9\n")


def test_a_row_without_content_is_bad(tmp_path: Path) -> None:
    assert read(tmp_path / "a.csv", "text,id\n  ,x\ndog,y\n") == [
        BadRow(2, "it has no image, text or vector"),
        Row(3, text="dog", id="y"),
    ]


def test_json_lines_keep_their_types(tmp_path: Path) -> None:
    line = {"text": "dog", "id": 7, "year": "2021", "tags": ["a", {"b": 1}], "gone": None}
    row = only(read(tmp_path / "a.jsonl", json.dumps(line)))
    assert row == Row(1, text="dog", id="7", metadata={"year": "2021", "tags": ["a", {"b": 1}]})


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{oops", "not JSON"),
        ("[1]", "not a JSON object"),
        ('{"text": ["a"]}', "its text is not a text"),
        ('{"text": "a", "vector": "b"}', "vector|Expecting"),
        ('{"text": "a", "vector": [[1]]}', "its vector is not a list of numbers"),
        ('{"text": "a", "vector": [1, "b"]}', "its vector is not a list of numbers"),
        ('{"text": "a", "modality": "smell"}', "its modality is 'smell'"),
        ('{"text": "a", "metadata": 3}', "its metadata is not a JSON object"),
        ('{"text": "a", "passage": {"number": 1}}', "its passage lacks"),
        ('{"text": "\\ud800"}', "half a character"),
        ('{"text": "a", "x": {"y": ["\\udfff"]}}', "half a character"),
        ("[" * 5000, "not JSON"),
    ],
)
def test_a_bad_line_says_what_is_wrong_and_stops_nothing(
    tmp_path: Path, line: str, reason: str
) -> None:
    import re

    bad, good = read(tmp_path / "a.jsonl", f'{line}\n\n{{"text": "good"}}\n')
    assert isinstance(bad, BadRow)
    assert re.search(reason, bad.reason)
    assert good == Row(3, text="good")


def test_an_exported_line_is_understood(tmp_path: Path) -> None:
    passage = {"document": "a.txt", "number": 1, "of": 2, "start": 5, "end": 9}
    line = {
        "id": "a-1",
        "uri": "a.txt",
        "modality": "text",
        "text": "dogs",
        "passage": passage,
        "metadata": {"title": "A"},
        "vector": [0.5, 0.5],
    }
    row = only(read(tmp_path / "a.jsonl", json.dumps(line)))
    assert (row.uri, row.modality, row.passage) == ("a.txt", Modality.TEXT, Passage(**passage))  # type: ignore[arg-type]
    assert row.metadata == {"title": "A"}
    assert row.vector is not None
    assert row.vector.tolist() == [0.5, 0.5]


def test_parquet_types_become_json(tmp_path: Path) -> None:
    row = only(
        read_table(
            tmp_path / "a.parquet",
            {
                "image": ["a.jpg"],
                "at": [datetime(2024, 5, 1, 12, tzinfo=UTC)],
                "price": [Decimal("1.50")],
                "nothing": [None],
                "odd": [float("nan")],
                "tags": [["a", "b"]],
            },
        )
    )
    assert row.metadata == {"at": "2024-05-01T12:00:00+00:00", "price": 1.5, "tags": ["a", "b"]}


def test_bytes_in_parquet_cannot_be_metadata(tmp_path: Path) -> None:
    (bad,) = read_table(tmp_path / "a.parquet", {"text": ["a"], "blob": [b"\x00"]})
    assert bad == BadRow(1, "a bytes cannot be metadata")


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.list_(pa.float64(), 2)])
def test_parquet_brings_vectors(tmp_path: Path, kind: pa.DataType) -> None:
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"vector": pa.array([[1.0, 2.0]] * 600, kind)}), path)
    found = list(rows(path))
    assert [row.number for row in found] == list(range(1, 601))
    assert isinstance(found[-1], Row)
    assert found[-1].vector is not None
    assert found[-1].vector.tolist() == [1, 2]


def test_npy_brings_vectors_named_by_their_row(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.arange(6, dtype=np.float16).reshape(3, 2))
    found = list(rows(tmp_path / "v.npy"))
    assert [row.id for row in found if isinstance(row, Row)] == ["0", "1", "2"]
    assert isinstance(found[2], Row)
    assert found[2].vector is not None
    assert found[2].vector.dtype == np.float32
    assert found[2].vector.tolist() == [4, 5]


@pytest.mark.parametrize("table", [np.zeros(3), np.zeros((2, 2), dtype="U1"), np.array([None])])
def test_npy_of_anything_else_is_refused(tmp_path: Path, table: np.ndarray[Any, Any]) -> None:
    np.save(tmp_path / "v.npy", table, allow_pickle=True)
    with pytest.raises(InputError, match=r"v\.npy"):
        list(rows(tmp_path / "v.npy"))

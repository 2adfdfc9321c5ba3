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

from indexer.manifests.formats import LONGEST_LINE, rows
from indexer.manifests.row import BadRow, Row
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


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.float32()),
        pa.list_(pa.float64(), 2),
        pa.large_list(pa.float16()),
        pa.list_(pa.int32()),
    ],
)
def test_parquet_brings_vectors(tmp_path: Path, kind: pa.DataType) -> None:
    path = tmp_path / "a.parquet"
    cells = [np.array([1, 2], kind.value_type.to_pandas_dtype())] * 1_600
    parquet.write_table(pa.table({"vector": pa.array(cells, kind)}), path)
    found = list(rows(path))
    assert [row.number for row in found] == list(range(1, 1_601))
    assert isinstance(found[-1], Row)
    assert found[-1].vector is not None
    assert found[-1].vector.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("odd", "becomes"),
    [(None, BadRow), ([1.0], Row), ([1.0, None], Row), ([], Row), ([1.0, 2.0, 3.0], Row)],
)
def test_one_odd_vector_in_parquet_harms_no_other(
    tmp_path: Path, odd: list[float | None] | None, becomes: type
) -> None:
    path = tmp_path / "a.parquet"
    cells: list[Any] = [[1.0, 2.0], odd, [3.0, 4.0]]
    parquet.write_table(pa.table({"vector": pa.array(cells, pa.list_(pa.float32()))}), path)
    first, second, third = rows(path)
    assert isinstance(second, becomes)
    assert isinstance(first, Row) and isinstance(third, Row)
    assert first.vector is not None and third.vector is not None
    assert first.vector.tolist() + third.vector.tolist() == [1, 2, 3, 4]
    if isinstance(second, Row):
        assert second.vector is not None
        np.testing.assert_array_equal(second.vector, np.array(odd, np.float32))


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


def nested(depth: int) -> str:
    return '{"text": "dog", "m": ' + "[" * depth + "]" * depth + "}"


def test_metadata_may_be_nested_and_not_endlessly(tmp_path: Path) -> None:
    fit, unfit = read(tmp_path / "a.jsonl", f"{nested(100)}\n{nested(500)}\n")
    assert isinstance(fit, Row)
    assert unfit == BadRow(2, "it is nested too deeply")


@pytest.mark.parametrize("name", ["metadata", "vector", "passage"])
def test_an_endlessly_nested_text_is_a_bad_row(tmp_path: Path, name: str) -> None:
    line = json.dumps({"text": "dog", name: "[" * 100_000})
    (found,) = read(tmp_path / "a.jsonl", line + "\n")
    assert isinstance(found, BadRow)


@pytest.mark.parametrize(
    "row",
    [
        {"text": "dog", "\ud800": 1},
        {"text": "dog", "m": {"\ud800": 1}},
        {"text": "dog", "metadata": {"\ud800": 1}},
    ],
)
def test_half_a_character_in_a_name_is_a_bad_row(tmp_path: Path, row: dict[str, Any]) -> None:
    (found,) = read(tmp_path / "a.jsonl", json.dumps(row) + "\n")
    assert isinstance(found, BadRow)
    assert "half a character" in found.reason


@pytest.mark.parametrize("given", ["a\0b", "x" * 1_025, "two\nlines"])
def test_an_id_that_no_request_could_name_is_a_bad_row(tmp_path: Path, given: str) -> None:
    (found,) = read(tmp_path / "a.jsonl", json.dumps({"id": given, "text": "dog"}) + "\n")
    assert isinstance(found, BadRow)
    assert "its id" in found.reason


def test_numbers_that_are_too_large_make_a_bad_row_or_no_vector(tmp_path: Path) -> None:
    lines = '{"vector": [1' + "0" * 400 + ", 1]}\n" + '{"vector": [1e300, 1]}\n'
    bad, infinite = read(tmp_path / "a.jsonl", lines)
    assert bad == BadRow(1, "its vector is not a list of numbers")
    assert isinstance(infinite, Row)
    assert infinite.vector is not None
    assert np.isinf(infinite.vector[0])


def test_times_in_nanoseconds_are_read_to_the_microsecond(tmp_path: Path) -> None:
    times = {
        "text": ["dog"],
        "at": pa.array([1_500_000_000_123_456_789], pa.timestamp("ns", "UTC")),
        "hour": pa.array([3_600_000_000_001], pa.time64("ns")),
    }
    row = only(read_table(tmp_path / "a.parquet", times))
    assert row.metadata == {"at": "2017-07-14T02:40:00.123456+00:00", "hour": "01:00:00"}


def test_a_cell_that_python_cannot_hold_spoils_its_own_row_alone(tmp_path: Path) -> None:
    years = pa.array([0, 9 * 10**17], pa.timestamp("us"))
    good, bad = read_table(tmp_path / "a.parquet", {"text": ["dog", "cat"], "at": years})
    assert isinstance(good, Row)
    assert isinstance(bad, BadRow)
    assert "cannot be read" in bad.reason


@pytest.mark.parametrize("content", [b"PK\x03\x04 no archive", b"\x80\x04\x95 no pickle", b""])
def test_what_only_calls_itself_npy_is_never_opened(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputError, match="no NPY file"):
        read(tmp_path / "a.npy", content)


def test_a_line_of_csv_without_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 2 is longer than"):
        read(tmp_path / "a.csv", "text\n" + "x" * (LONGEST_LINE + 1))

"""JSON is read as Python reads it, only faster."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latent import exact_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inside: st.lists(inside) | st.dictionaries(st.text(), inside),
)


@given(VALUES)
def test_a_text_says_what_python_reads_in_it(value: object) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        assert repr(exact_json.read(text)) == repr(json.loads(text))


@pytest.mark.parametrize(
    "text",
    [str(2**64), str(-(10**30)), f'{{"a": [{2**63}, {{"b": {10**19}}}]}}', "1e400", "-0", "-0.0"],
)
def test_a_number_keeps_its_digits(text: str) -> None:
    assert repr(exact_json.read(text)) == repr(json.loads(text))


def test_what_python_lets_pass_is_read() -> None:
    assert math.isnan(exact_json.read("NaN"))
    assert exact_json.read('"\\ud800"') == "\ud800"


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(ValueError, match="Expecting"):
        exact_json.read('{"a": ')

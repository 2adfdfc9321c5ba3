"""JSON from outside is read as the standard has it, and nothing that cannot be written again."""

from __future__ import annotations

import json

import pytest

from service import strict_json


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[NaN]", "NaN is no JSON number"),
        ('{"a": 1e999}', "1e999 is more than a number can be"),
        ("-1e999", "-1e999 is more than a number can be"),
        (r'"\ud800"', "no valid Unicode"),
        ('"\udcff"', "no valid Unicode"),
        (r'{"\uD800": 1}', "no valid Unicode"),
        ("[" * 100_000, "nested too deeply"),
        ("9" * 5_000, "digits"),
    ],
)
def test_what_could_not_be_written_again_is_refused(content: str, reason: str) -> None:
    with pytest.raises(json.JSONDecodeError, match=reason):
        strict_json.read(content)


def test_whole_characters_beyond_the_first_plane_are_read() -> None:
    assert strict_json.read(r'["\ud83d\udc15", "🐕", 1.5]') == ["🐕", "🐕", 1.5]

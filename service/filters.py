"""Filters, concepts and areas as text: in a query string, a form, or at the command line.

Knows nothing about what a filter may say; `latent.filters.language` does.
"""

from __future__ import annotations

from typing import Any

from latent.errors import FilterError, InputError
from latent.filters.language import Where
from service import strict_json


def read(text: str | None) -> Where | None:
    """A filter given as a JSON object; None where none was given.

    Raises:
        FilterError: it is no JSON object.
    """
    if not text:
        return None
    try:
        where = strict_json.read(text)
    except ValueError as error:
        raise FilterError(f"the filter is not valid JSON: {error}") from error
    if not isinstance(where, dict):
        raise FilterError('the filter must be a JSON object, such as {"camera": "Canon EOS 5D"}')
    return where


def read_least(text: str | None) -> dict[str, float] | None:
    """How likely items must have each concept, given as a JSON object; None where none was given.

    Raises:
        InputError: it is no JSON object of numbers from 0 to 1.
    """
    if text is None:
        return None
    try:
        least = strict_json.read(text)
    except ValueError as error:
        raise InputError(f"the concepts are not valid JSON: {error}") from error
    wrong = 'the concepts must be an object of numbers from 0 to 1, such as {"winter": 0.5}'
    if not isinstance(least, dict):
        raise InputError(wrong)
    found = {}
    for name, chance in least.items():
        if isinstance(chance, bool) or not isinstance(chance, int | float) or not 0 <= chance <= 1:
            raise InputError(wrong)
        found[name] = float(chance)
    return found


def read_corners(text: str | None) -> list[Any] | None:
    """The corners of an area given as a JSON list; None where none were given.

    Raises:
        InputError: it is no JSON list. What it holds is looked at by `service.explore.areas`.
    """
    if text is None:
        return None
    try:
        corners = strict_json.read(text)
    except ValueError as error:
        raise InputError(f"the area is not valid JSON: {error}") from error
    if not isinstance(corners, list):
        raise InputError("the area must be a list of corners, such as [[0, 0], [1, 0], [1, 1]]")
    return corners

"""Filters as text: in a query string, a form, or at the command line.

Knows nothing about what a filter may say; `latent.filters.language` does.
"""

from __future__ import annotations

from latent.errors import FilterError
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

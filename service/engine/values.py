"""What an item holds in a field that answers are grouped or sorted by.

Knows nothing about groups and orders.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from latent.collection import Collection
from latent.errors import FilterError, InputError
from latent.items import JSON, Item

DEEPEST = 16


def _content_of(item: Item) -> str | None:
    """What is the same for the same content; a file of many passages has one hash for them all."""
    if item.content_hash is None or item.passage is None:
        return item.content_hash
    return f"{item.content_hash}/{item.passage.number}"


BUILT_IN: Mapping[str, Callable[[Item], JSON]] = {
    "$id": lambda item: item.id,
    "$uri": lambda item: item.uri,
    "$text": lambda item: item.text,
    "$modality": lambda item: item.modality.value,
    "$document": lambda item: item.passage.document if item.passage else item.uri,
    "$folder": lambda item: item.uri.rpartition("/")[0],
    "$content": _content_of,
}
"""Fields that every item has by itself, though they may hold nothing."""


def value_of(item: Item, field: str) -> JSON:
    """What the item holds; None where it holds nothing.

    `camera.make` is the key of that whole name, or `make` within `camera`.
    """
    if field in BUILT_IN:
        return BUILT_IN[field](item)
    if field in item.metadata:
        return item.metadata[field]
    value: JSON = dict(item.metadata)
    for step in field.split(".", DEEPEST):
        if not isinstance(value, dict):
            return None
        value = value.get(step)
    return value


def require_known(collection: Collection, field: str, *, what: str) -> None:
    """Refuse a field that no item of the collection has had; `what` asks for it.

    Raises:
        InputError: naming those there are.
    """
    if field in BUILT_IN:
        return
    if field.startswith("$"):
        raise InputError(f"{what}: there is no field {field!r}; there are {', '.join(BUILT_IN)}")
    # Any item meets the second condition, so that this reads one row; the first is only checked.
    try:
        collection.scroll(1, where={"$or": [{field: ""}, {"$id": {"$like": "%"}}]})
    except FilterError as error:
        raise InputError(f"{what}: {error}") from error

"""What a question names, and where it lies.

Knows nothing about how texts and pictures are placed: at a prompt it is done at once, in a service
together with those of others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from latent.collection import Collection
from latent.items import Item, Vector, Vectors
from service.engine.directions import rows_of
from service.engine.parts import Like, Part, Thing
from service.engine.questions import things_in
from service.explore import concepts


@dataclass(frozen=True, slots=True)
class Named:
    """The parts of a question, those of concepts as directions, and the items they name by id."""

    parts: Sequence[Part]
    items: Mapping[str, Item]
    dim: int

    @property
    def things(self) -> list[Thing]:
        """The texts and pictures, which have to be placed."""
        return things_in(self.parts)

    def rows(self, placed: Sequence[Vector]) -> Vectors:
        """Where each part lies, `(n, dim)` unit rows; `placed` are the places of the things.

        Raises:
            SpaceMismatchError: a vector has another dimension than the collection.
            InputError: a vector points nowhere.
        """
        known = {item_id: item.vector for item_id, item in self.items.items()}
        return rows_of(self.parts, known, placed, self.dim)


def named(collection: Collection, parts: Sequence[Part]) -> Named:
    """What parts of a question name in a collection.

    Raises:
        UnknownItemError: there is no item of that id.
        UnknownConceptError: a part names what was not learnt.
    """
    found = concepts.resolved(collection, parts)
    ids = [part.what.id for part in found if isinstance(part.what, Like)]
    items = {item.id: item for item in collection.get(ids)}
    return Named(found, items, collection.space.dim)

"""What concepts and an area of the map leave of a collection, as a filter.

Knows nothing about what is then done with it: search, read page by page, count, tell facets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from latent.collection import Collection
from latent.filters.language import Filter, Where, parse
from service.explore import areas, concepts
from service.explore.surveys import Surveys


def narrowed(
    surveys: Surveys,
    collection: Collection,
    where: Where | Filter | None,
    *,
    least: Mapping[str, float] | None = None,
    area: Sequence[Sequence[float]] | None = None,
) -> Filter | None:
    """The filter, that items have each concept so likely at `least`, and lie in an area.

    Raises:
        FilterError: the filter cannot be understood.
        UnknownConceptError: one is not known.
        InputError: it is no area, or there is no map.
    """
    left = concepts.narrowed(collection, parse(where), least or {})
    return areas.narrowed(surveys, collection, left, area)

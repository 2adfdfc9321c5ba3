"""Random metadata and random filters, for tests that hold SQL against Python.

Few names and few values, so that filters meet what they ask about.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from latent.collection import Collection
from latent.filters.language import parse
from latent.filters.match import matches
from latent.items import Item, Modality

NAMES = ["a", "b", "a.b", "b.a.0", "größe", "it's", "x[0]", "", "0", "日本", "#-1", "a b"]
STRINGS = ["", "a", "A", "aB", "b", "ä", "Ä", "10", "1", "true", "null", "%", "_a", "a\nb", "\\",
           '"', "2024-06-01", "2024-12", "日本", "\U0001f600"]  # fmt: skip
NUMBERS = [0, 1, -1, 10, 0.1, 0.1 + 0.2, 1.0, -0.0, 1e-300, 1e300, 2**53 + 1, 2**62, 1.5]

floats = st.floats(allow_nan=False, allow_infinity=False, width=64)
numbers = st.sampled_from(NUMBERS) | st.integers(-(2**62), 2**62) | floats
scalars = st.one_of(st.none(), st.booleans(), st.sampled_from(STRINGS), numbers)
degrees = st.sampled_from([-90, -45.5, 0, 10, 52.5, 89, 90, 120, -170, 179.5, 500])
places = st.one_of(
    st.fixed_dictionaries({"lat": degrees, "lon": degrees}),
    st.fixed_dictionaries({"latitude": degrees, "lng": degrees, "lat": scalars}),
    st.lists(degrees, min_size=2, max_size=2),
)
values: st.SearchStrategy[Any] = st.recursive(
    scalars | places,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)
    ),
    max_leaves=6,
)
metadata = st.dictionaries(
    st.sampled_from([*NAMES, "latitude", "longitude"]), values, max_size=5
) | st.fixed_dictionaries({"latitude": degrees, "longitude": degrees})

comparable = st.sampled_from(STRINGS) | numbers
patterns = st.text(st.sampled_from("aAbB%_ä1"), max_size=4) | st.sampled_from(
    ["\\%", "\\_a", "\\\\"]
)
corner = st.tuples(
    st.sampled_from([-89, -45, -10, 0, 20, 60, 88]), st.sampled_from([-179, -90, 0, 30, 100, 175])
).map(list)
shapes = st.one_of(
    st.builds(
        lambda center, radius: {"$center": center, "$radius_m": radius},
        corner,
        st.sampled_from([1_000, 2_000_000, 15_000_000]),
    ),
    st.builds(lambda one, other: {"$box": sorted([one, other])}, corner, corner),
    st.lists(corner, min_size=3, max_size=6).map(lambda corners: {"$polygon": corners}),
)
operators = st.one_of(
    st.tuples(st.sampled_from(["$eq", "$ne"]), scalars),
    st.tuples(st.sampled_from(["$gt", "$gte", "$lt", "$lte"]), comparable),
    st.tuples(st.sampled_from(["$in", "$nin"]), st.lists(scalars, max_size=4)),
    st.tuples(st.just("$exists"), st.booleans()),
    st.tuples(st.just("$like"), patterns),
    st.tuples(st.just("$geo_within"), shapes),
).map(lambda pair: dict([pair]))
on_metadata = st.dictionaries(st.sampled_from(NAMES), scalars | operators, min_size=1, max_size=2)
on_texts = st.builds(
    lambda name, condition: {name: condition},
    st.sampled_from(["$id", "$uri", "$text", "$modality"]),
    st.one_of(
        st.sampled_from(["image", "text", "a", None]),
        st.builds(lambda value: {"$gte": value}, st.sampled_from(STRINGS)),
        st.builds(lambda pattern: {"$like": pattern}, patterns),
        st.builds(lambda some: {"$nin": some}, st.lists(st.sampled_from([*STRINGS, None]))),
        st.booleans().map(lambda there: {"$exists": there}),
    ),
)
on_places = st.builds(
    lambda condition: {"$place": condition},
    shapes.map(lambda shape: {"$geo_within": shape}) | st.just({"$exists": True}),
)
wheres: st.SearchStrategy[dict[str, Any]] = st.recursive(
    on_metadata | on_texts | on_places,
    lambda inner: st.one_of(
        st.builds(
            lambda word, parts: {word: parts},
            st.sampled_from(["$and", "$or"]),
            st.lists(inner, min_size=1, max_size=3),
        ),
        inner.map(lambda part: {"$not": part}),
    ),
    max_leaves=4,
)
"""Filters as JSON, all of them understood."""

KNOWS = "knows every name"


def fill(collection: Collection, metadatas: Sequence[dict[str, Any]]) -> None:
    """Have an item for each metadata, and one that has every field."""
    vector = np.eye(1, collection.space.dim, dtype=np.float32)[0]
    collection.drop([item.id for item in collection.scroll(1000) if item.id != KNOWS])
    collection.put([Item(KNOWS, Modality.TEXT, vector, metadata=dict.fromkeys(NAMES, 1))])
    collection.put(
        [
            Item(
                f"{'aB'[n % 2]}{n}", list(Modality)[n % 2], vector, uri=f"a/B{n}.jpg",
                text="a" if n % 3 else None, metadata=known,
            )
            for n, known in enumerate(metadatas)
        ]
    )  # fmt: skip


def require_agreement(collection: Collection, where: dict[str, Any]) -> None:
    """The database finds what Python finds."""
    tree = parse(where)
    assert tree is not None
    expected = {item.id for item in collection.scroll(1000) if matches(tree, item)}
    assert {item.id for item in collection.scroll(1000, where=where)} == expected
    assert collection.count(where=where) == len(expected)

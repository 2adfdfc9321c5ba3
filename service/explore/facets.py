"""What a collection's metadata offer to filter by: fields, their commonest values, their ranges.

Every value and every step of a range fits into a filter as it stands. Knows nothing about
databases.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from latent.items import JSON, Metadata, Modality

MOST_FIELDS = 200
MOST_VALUES = 50_000  # different ones of a field that are counted; others only make it `others`
MOST_STEPS = 24  # of a range
MOST_DEPTH = 8

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(T|$)")
_PARTS_OF_DATES = (4, 7, 10)  # characters of a year, a month, a day


class Kind(StrEnum):
    """What the values of a field are."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    FLAG = "flag"


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a range, half open, the last one closed, and how many items are in it."""

    start: str | float
    end: str | float
    count: int


@dataclass(frozen=True, slots=True)
class Facet:
    """A field: how many items have it, and how many different values.

    `values` are the commonest with their counts; of numbers and dates `steps` are all there are.
    """

    name: str
    kind: Kind
    items: int
    distinct: int
    values: list[tuple[str | float | bool, int]] = field(default_factory=list)
    least: str | float | None = None
    most: str | float | None = None
    steps: list[Step] = field(default_factory=list)

    @property
    def others(self) -> int:
        """Items whose value is not listed."""
        return self.items - sum(count for _, count in self.values)


@dataclass(frozen=True, slots=True)
class Facets:
    """How many items of each modality, and their fields, those that most items have first."""

    modalities: dict[Modality, int]
    fields: list[Facet]

    @property
    def items(self) -> int:
        return sum(self.modalities.values())


def facets_of(facts: Iterable[tuple[Modality, Metadata]], *, values: int = 20) -> Facets:
    """The facets of items, with up to `values` values of each field.

    Fields with values of several kinds are taken for those of the commonest kind. Lists and
    nothing, which filters cannot be compared with, are passed over.
    """
    modalities: Counter[Modality] = Counter()
    counted: dict[str, _Values] = {}
    for modality, metadata in facts:
        modalities[modality] += 1
        for name, value in _leaves(metadata):
            if (known := counted.get(name)) is None:
                if len(counted) >= MOST_FIELDS:
                    continue
                known = counted[name] = _Values()
            known.add(value)
    found = [one for name, seen in counted.items() if (one := seen.facet(name, values))]
    found.sort(key=lambda one: (-one.items, one.name))
    return Facets({kind: modalities[kind] for kind in Modality}, found)


class _Values:
    """The values of one field, counted by kind: to Python 1 is True."""

    def __init__(self) -> None:
        self._counts: dict[Kind, Counter[str | float | bool]] = {}
        self._items: Counter[Kind] = Counter()

    def add(self, value: str | float | bool) -> None:
        kind = _kind(value)
        self._items[kind] += 1
        counts = self._counts.setdefault(kind, Counter())
        if value in counts or len(counts) < MOST_VALUES:
            counts[value] += 1

    def facet(self, name: str, most: int) -> Facet:
        kind, items = self._items.most_common(1)[0]
        counts = self._counts[kind]
        if kind is Kind.TEXT and all(_DATE.match(str(value)) for value in counts):
            kind = Kind.DATE
        listed = sorted(counts.items(), key=lambda one: (-one[1], str(one[0])))[:most]
        if len(counts) == items > most and kind is not Kind.FLAG:
            listed = []  # each item has its own: there is nothing to choose from
        if kind in (Kind.TEXT, Kind.FLAG):
            return Facet(name, kind, items, len(counts), listed)
        least, greatest = min(counts), max(counts)
        steps = _dates(counts) if kind is Kind.DATE else _numbers(counts)
        return Facet(name, kind, items, len(counts), listed, least, greatest, list(steps))


def _leaves(
    inside: Mapping[str, JSON], prefix: str = "", depth: int = 1
) -> Iterator[tuple[str, str | float | bool]]:
    """Every value that a filter can be compared with, by the name a filter calls it."""
    for key, value in inside.items():
        if isinstance(value, str | bool | int | float):
            yield prefix + key, value
        elif isinstance(value, Mapping) and depth < MOST_DEPTH:
            yield from _leaves(value, f"{prefix}{key}.", depth + 1)


def _kind(value: str | float | bool) -> Kind:
    if isinstance(value, bool):
        return Kind.FLAG
    return Kind.TEXT if isinstance(value, str) else Kind.NUMBER


def _numbers(counts: Counter[str | float | bool]) -> Iterator[Step]:
    """Steps of one round width: 1, 2 or 5 times a power of ten."""
    numbers = {float(value): count for value, count in counts.items()}
    low, high = min(numbers), max(numbers)
    if not math.isfinite(high - low) or high == low:
        return
    raw = (high - low) / MOST_STEPS
    power = 10.0 ** math.floor(math.log10(raw))
    width = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw)
    first = math.floor(low / width)
    steps: Counter[int] = Counter()
    for value, count in numbers.items():
        steps[math.floor(value / width) - first] += count
    for number in range(max(steps) + 1):
        start, end = (round((first + number + one) * width, 12) for one in (0, 1))
        yield Step(start, end, steps[number])


def _dates(counts: Counter[str | float | bool]) -> Iterator[Step]:
    """Years, months or days that hold something, whichever are not too many."""
    steps: Counter[str] = Counter()
    for length in _PARTS_OF_DATES:
        finer: Counter[str] = Counter()
        for value, count in counts.items():
            finer[str(value)[:length]] += count
        if steps and len(finer) > MOST_STEPS:
            break
        steps = finer
    for start in sorted(steps):
        # Behind all that begins like this, and before whatever comes next.
        yield Step(start, start + "~", steps[start])

"""What a bench gives: rows, each with its value, what it is held against, and its target.

Knows nothing about what is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from latent.errors import NearfieldError


class UnmeasuredError(Exception):
    """Something could not be measured here; says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """A value to reach, or not to exceed."""

    value: float
    is_most: bool = False

    def is_met(self, value: float) -> bool:
        return value <= self.value if self.is_most else value >= self.value

    def __str__(self) -> str:
        return f"{'≤' if self.is_most else '≥'} {self.value:g}"


def at_least(value: float) -> Target:
    return Target(value)


def at_most(value: float) -> Target:
    return Target(value, is_most=True)


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement. `against` names the other side and its version, or how it was measured.

    A row without a target is there to be known. One without a value could not be measured;
    `against` says why, and it is not met.
    """

    name: str
    value: float | None
    unit: str
    against: str = ""
    target: Target | None = None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where there is none."""
        if self.value is None:
            return False
        return None if self.target is None else self.target.is_met(self.value)

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "value": None if self.value is None else round(self.value, 5),
            "unit": self.unit,
            "against": self.against,
            "target": None if self.target is None else str(self.target),
            "met": self.met,
        }


def unmeasured(name: str, why: str, target: Target | None = None) -> Row:
    """The row of something that could not be measured."""
    return Row(name, None, "", f"not measured: {why}", target)


@dataclass(frozen=True, slots=True)
class Results:
    """The rows of a run, where and when it was."""

    hardware: str
    date: str
    rows: list[Row] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        rows = [row.as_json() for row in self.rows]
        return {"hardware": self.hardware, "date": self.date, "rows": rows}


def measured(name: str, section: Callable[[], Iterable[Row]]) -> Iterator[Row]:
    """The rows of a section; if it cannot go on, a row that says why ends it."""
    try:
        yield from section()
    except (UnmeasuredError, NearfieldError, ImportError) as error:
        yield unmeasured(name, " ".join(str(error).split()))

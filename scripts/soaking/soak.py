"""What every promise is given: a folder of its own, and whether the short form is enough."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeVar

from benchmarks.rows import Row

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Soak:
    """One promise's turn. The short form shows that everything works, and a little more."""

    folder: Path
    is_quick: bool = False

    def choose(self, *, long: T, short: T) -> T:
        """What the form that is run asks for."""
        return short if self.is_quick else long


Promise: TypeAlias = Callable[[Soak], Iterable[Row]]
"""Holds one promise against the house; every row has a target."""
